"""The judge that is a model, as handlers/shared/judge/llm.ts and verdict.ts: its prompt, its replies, when it is asked again.

In: what is judged, and the replies so far. Out: the next prompt, or the verdict. Pure: who sends the prompt is not known here.
"""

import re
from typing import NamedTuple

from .javascript import SPACE, from_units, head, trim, well_formed
from .json_text import parse
from .rubric import CRITERIA, gate_passed, total_of
from .source import SOURCE

_DATA = SOURCE["rubric"]
_PROMPT = _DATA["prompt"]
_FENCE = _PROMPT["fence"]
_ESCAPE = re.compile(_FENCE["escape"], re.ASCII | re.IGNORECASE)
_CODE_BLOCK = re.compile(f"\\A[{SPACE}]*```(?:json)?[{SPACE}]*|[{SPACE}]*```[{SPACE}]*\\Z")
SYSTEM_PROMPT = "\n".join(_PROMPT["system"])


class Ask(NamedTuple):
    """The model must be asked this; its reply is appended to the replies."""

    prompt: str


class BadReply(Exception):
    """The judge's replies cannot be used, and it was told so once."""


def next_step(judged, replies, threshold, model):
    """Ask, or the judgement that the replies so far amount to. Raises BadReply."""
    prompt = prompt_for(judged)
    left = list(replies)
    verdicts = []
    wanted = 1
    while len(verdicts) < wanted:
        verdict = _one_verdict(prompt, left)
        if isinstance(verdict, Ask):
            return verdict
        verdicts.append(verdict)
        if wanted == 1 and _is_near(verdict[0], threshold):
            wanted = _DATA["median"]["calls"]
    rubric, feedback = _median_of(verdicts)
    return {
        "score": total_of(rubric),
        "rubric": rubric,
        "gate_passed": gate_passed(rubric),
        "feedback": feedback,
        "judge": f"llm {model} (prompt {_PROMPT['version']}, rubric {_DATA['version']})",
    }


def most_calls():
    """Calls that one judgement can take at most, repairs among them."""
    return 2 * _DATA["median"]["calls"]


def prompt_for(judged):
    """What the judge is shown. Data of others stands between fences that it cannot close."""
    parts = []
    for part in _PROMPT["user"]:
        data = judged[part["field"]]
        if part.get("unless_blank") and trim(data) == "":
            continue
        fenced = _ESCAPE.sub(r"<\\\1\2", data)
        parts.append(_FENCE["text"].replace("{tag}", part["tag"]).replace("{data}", fenced, 1))
    return _FENCE["between"].join(parts)


def _one_verdict(prompt, replies):
    """Takes one reply or two from the front of the list."""
    if not replies:
        return Ask(prompt)
    first = read_verdict(_answer_in(replies.pop(0)))
    if not isinstance(first, str):
        return first
    if not replies:
        # The handler says it in a message of its own; ML_PREDICT sends one.
        return Ask(f"{prompt}{_FENCE['between']}{_PROMPT['repair'].replace('{problem}', first)}")
    second = read_verdict(_answer_in(replies.pop(0)))
    if isinstance(second, str):
        raise BadReply(f"the judge's reply could not be used, twice: {second}")
    return second


def _answer_in(reply):
    """As the handlers' client reads an answer. Raises BadReply."""
    if trim(reply) == "":
        raise BadReply("the judge's answer is empty")
    return well_formed(trim(reply)).replace("\0", "\ufffd")


def read_verdict(text):
    """Rubric and feedback, or a text that says what is wrong."""
    try:
        value = parse(_CODE_BLOCK.sub("", text))
    except (ValueError, RecursionError):
        return "it is no JSON"
    if not isinstance(value, dict):
        return "it is no JSON object"
    if any(name not in _DATA["schema"]["required"] for name in value):
        return "it has fields that were not asked for"
    if not all(isinstance(value.get(name), float) and 0 <= value[name] <= 10 for name in CRITERIA):
        return f"each of {', '.join(CRITERIA)} should be a number from 0 to 10"
    feedback = value.get("feedback")
    if not isinstance(value.get("rationale"), str) or not isinstance(feedback, str):
        return "rationale and feedback should be texts"
    rubric = {name: value[name] for name in CRITERIA}
    return rubric, well_formed(head(from_units(feedback), _DATA["longest_feedback"]))


def _is_near(rubric, threshold):
    """Could another verdict, not far from this one, decide otherwise?"""
    within = _DATA["median"]["within"]
    total = total_of(rubric)
    if abs(total - threshold) <= within:
        return True
    return total >= threshold and abs(rubric["accuracy"] - _DATA["accuracy_gate"]) <= within


def _median_of(verdicts):
    """The median of each criterion, and the feedback of the verdict whose total is in the middle."""
    middle = (len(verdicts) - 1) // 2
    by_total = sorted(verdicts, key=lambda verdict: total_of(verdict[0]))
    rubric = {name: sorted(points[name] for points, _ in verdicts)[middle] for name in CRITERIA}
    return rubric, by_total[middle][1]

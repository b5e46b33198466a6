"""The judge without a model, as handlers/shared/judge/offline.ts: reference-based and lexical.

In: question, reference, answer. Out: a judgement. Never here: weights and texts (scoring.json), knowledge.
"""

import math
import re

from .aliases import aliases_of
from .javascript import SPACE, rounded, trim
from .language import language_of
from .letters import LETTER, MARK, NUMBER, PUNCTUATION, SYMBOL
from .likeness import features_of, says_unknown
from .rubric import gate_passed, total_of
from .sentences import sentences_of
from .source import SOURCE
from .tokens import fold, is_stop_word, stem, tokens

_OFFLINE = SOURCE["offline"]
_WEIGHTS = _OFFLINE["weights"]
_DENIED = _OFFLINE["features"].index("denied")
_NUMBER_REPLACED = _OFFLINE["features"].index("number_replaced")
_FEEDBACK = _OFFLINE["feedback"]

_NOT_A_TO_Z = re.compile("[^a-z]")
_PLAIN_WORD = re.compile("[a-z]+")
_DENIAL = re.compile(r"\b(?:not|never|no|nunca)\b|n't\b", re.ASCII)
_WORD = re.compile(f"[^{SPACE}]+")
_READABLE = re.compile(
    f"[{PUNCTUATION}{SYMBOL}]*[{LETTER}{NUMBER}][{LETTER}{NUMBER}{MARK}{PUNCTUATION}{SYMBOL}]{{0,30}}"
)


def judge_offline(title, reference, answer):
    """A judgement: score, rubric, gate_passed, feedback, judge."""
    right = chance_right(title, reference, answer)
    unknown = says_unknown(answer) and right < 0.5
    covered = _coverage(reference, answer)
    rubric = {
        "accuracy": _tenths(right),
        "completeness": 0 if unknown else _tenths(max(covered, right) if right >= 0.5 else covered * right * 2),
        "clarity": _tenths(_clarity(answer)),
        "conciseness": _tenths(_conciseness(reference, answer)),
        "usefulness": 0 if unknown else _tenths(right),
    }
    return {
        "score": total_of(rubric),
        "rubric": rubric,
        "gate_passed": gate_passed(rubric),
        "feedback": _feedback_on(rubric, unknown, language_of(title)),
        "judge": _OFFLINE["name"],
    }


def chance_right(title, reference, answer):
    """The chance, 0 to 1, that a person with the reference at hand calls the answer right."""
    if trim(answer) == "":
        return 0
    if len(tokens(reference)) == 0:
        return 0 if says_unknown(answer) else 0.5
    wanted = next(filter(None, map(_polarity_of, aliases_of(reference))), None)
    if wanted is not None:
        return 0.95 if _polarity_in(answer) == wanted else 0.05
    return max(map(_chance_of, features_of(title, reference, answer)))


def _chance_of(features):
    evidence = 0
    for weight, feature in zip(_WEIGHTS, features):
        evidence += feature * weight
    chance = 1 / (1 + math.exp(-evidence))
    if features[_DENIED] == 1:
        return min(chance, 0.1)
    return min(chance, 0.3) if features[_NUMBER_REPLACED] == 1 else chance


def _polarity_of(reference):
    """A reference that is nothing but yes or no."""
    plain = _NOT_A_TO_Z.sub("", fold(reference))
    if plain in ("yes", "si", "true", "verdadero"):
        return "yes"
    return "no" if plain in ("no", "false", "falso") else None


def _polarity_in(answer):
    if says_unknown(answer):
        return None
    folded = fold(answer)
    found = _PLAIN_WORD.search(folded)
    first = found.group() if found else ""
    if first in ("yes", "si", "true"):
        return "yes"
    if first in ("no", "false", "falso"):
        return "no"
    return "no" if _DENIAL.search(folded) else "yes"


def _coverage(reference, answer):
    """Share of the reference's content words that the answer holds; the best of its aliases."""
    have = frozenset(map(stem, tokens(answer)))
    best = 0
    for alias in aliases_of(reference):
        every = tokens(alias)
        words = [word for word in every if not is_stop_word(word)] or every
        if words:
            best = max(best, sum(1 for word in words if stem(word) in have) / len(words))
    return best


def _clarity(answer):
    """Heuristic: letters and words rather than noise, and sentences of at most 35 words."""
    words = _WORD.findall(answer)
    if not words:
        return 0
    readable = sum(1 for word in words if _READABLE.fullmatch(word))
    longest = max(len(sentence.split(" ")) for sentence in sentences_of(answer))
    return (readable / len(words)) * (1 if longest <= 35 else max(0.4, 35 / longest))


def _conciseness(reference, answer):
    """Heuristic: full marks up to three times the reference and 25 words more, then the share of that."""
    words = len(tokens(answer))
    if words == 0:
        return 0
    fair = 25 + 3 * max(len(tokens(alias)) for alias in aliases_of(reference))
    return min(1, fair / words)


def _feedback_on(rubric, unknown, language):
    say = _FEEDBACK[language]
    if unknown:
        return say["unknown"]
    notes = []
    if rubric["accuracy"] < 5:
        notes.append(say["accuracy"])
    elif rubric["completeness"] < 6:
        notes.append(say["completeness"])
    if rubric["clarity"] < 6:
        notes.append(say["clarity"])
    if rubric["conciseness"] < 6:
        notes.append(say["conciseness"])
    return " ".join(notes) if notes else say["good"]


def _tenths(share):
    return rounded(min(1, max(0, share)) * 100) / 10

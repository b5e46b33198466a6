"""How well an answer agrees with a reference, as handlers/shared/judge/likeness.ts tells it: numbers that a model weighs.

In: question, reference, answer. Out: features in the order of scoring.json. Never here: the weights, a threshold.
"""

import math
import re

from .javascript import SPACE, head, trim, units
from .letters import LETTER, NUMBER
from .source import SOURCE
from .tokens import fold, is_number, is_stop_word, likeness, stem, tokens

_TABLES = SOURCE["likeness"]
_LONGEST_ANSWER = _TABLES["longestAnswer"]
_MOST_ANSWER_WORDS = _TABLES["mostAnswerWords"]
_MOST_REFERENCE_WORDS = _TABLES["mostReferenceWords"]
_LONGEST_ALIAS_LIST = _TABLES["longestAliasList"]
_DENIALS = frozenset(_TABLES["denials"])
_UNKNOWN = re.compile(_TABLES["unknown"], re.ASCII)
_BETWEEN_ALIASES = re.compile(f"[{SPACE}]*[;|\n][{SPACE}]*|[{SPACE}]*/[{SPACE}]*")
_NO_WORD = re.compile(f"[^{LETTER}{NUMBER}]+")


def features_of(title, reference, answer):
    """One row of features for each way in which the reference can be read: the best one counts."""
    said = _Said(title, answer)
    return [_compare(alias, said) for alias in aliases_of(reference)]


def aliases_of(reference):
    """"a/b", "a; b" or "a | b" name the same thing in several ways."""
    parts = [part for part in map(trim, _BETWEEN_ALIASES.split(reference)) if part != ""]
    several = 1 < len(parts) <= _LONGEST_ALIAS_LIST
    real = several and all(len(units(fold(part))) > 2 for part in parts)
    return parts if real else [reference]


def says_unknown(answer):
    """Does the answer say that it does not know?"""
    return _UNKNOWN.search(fold(answer).replace("’", "'")) is not None


class _Said:
    """What the answer says, taken apart once for all aliases."""

    def __init__(self, title, answer):
        shortened = head(answer, _LONGEST_ANSWER)
        self.asked = frozenset(map(stem, tokens(title)))
        self.words = tokens(shortened)[:_MOST_ANSWER_WORDS]
        self.stems = [stem(word) for word in self.words]
        self.content = [word for word in self.words if not is_stop_word(word)]
        self.unknown = 1 if says_unknown(answer) else 0
        self.trigrams = _trigrams(fold(shortened))


def _compare(alias, said):
    words, asked = said.words, said.asked
    every = tokens(head(alias, _LONGEST_ANSWER))[:_MOST_REFERENCE_WORDS]
    gold = [token for token in every if not is_stop_word(token)] or every
    matches = [_best_match(token, said) for token in gold]
    fresh = [stem(token) not in asked for token in gold]
    recall = _weighted_mean([_weight_of(token, new) for token, new in zip(gold, fresh)], [like for like, _ in matches])
    new_matches = [like for (like, _), new in zip(matches, fresh) if new]
    new_recall = _mean(new_matches) if new_matches else recall
    numbers = [like for token, (like, _) in zip(gold, matches) if is_number(token)]
    exact = 1 if _find_run(gold, said.content) >= 0 else 0
    first = next((at for like, at in matches if like >= 0.75), len(words))
    gold_stems = frozenset(map(stem, gold))
    foreign = [token for token in said.content if stem(token) not in asked]
    length = math.log2(1 + len(words)) / 8
    short_gold = 1 if len(gold) <= 1 and len(gold[0] if gold else "") <= 3 else 0
    other_number = (
        len(numbers) > 0
        and _mean(numbers) < 1
        and any(is_number(token) and token not in asked for token in words)
    )
    return [
        1,
        exact,
        recall,
        new_recall,
        matches[-1][0] if matches else 0,
        1 - _mean(numbers) if numbers else 0,
        _mean(numbers) if numbers else 0,
        said.unknown,
        1 if exact == 1 and _denied(gold, words) else 0,
        sum(1 for token in foreign if stem(token) in gold_stems) / len(foreign) if foreign else exact,
        first / len(words) if words else 1,
        length,
        exact * short_gold * length,
        1 if other_number else 0,
        math.log2(1 + len(gold)) / 5,
        _trigram_recall(fold(head(alias, _LONGEST_ANSWER)), said.trigrams),
    ]


def _best_match(token, said):
    """The nearest word of the answer: equal, of one stem, or alike by at least three quarters."""
    best, at = 0, len(said.words)
    root = stem(token)
    for index, word in enumerate(said.words):
        alike = 1 if word == token else 0.95 if said.stems[index] == root else likeness(token, word)
        if alike > best and alike >= 0.75:
            best, at = alike, index
        if best == 1:
            break
    return best, at


def _weight_of(token, fresh):
    return (1 if fresh else 0.3) * (1.5 if is_number(token) else 1)


def _find_run(gold, said):
    """Where the reference stands in the answer as one run of content words, else -1."""
    for start in range(len(said) - len(gold) + 1):
        if all(said[start + index] == token or stem(said[start + index]) == stem(token) for index, token in enumerate(gold)):
            return start
    return -1


def _denied(gold, said):
    """A denial within the three words before every mention."""
    first = gold[0] if gold else None
    places = [index for index, word in enumerate(said) if word == first]
    return len(places) > 0 and all(
        any(word in _DENIALS for word in said[max(0, place - 3) : place]) for place in places
    )


def _trigram_recall(gold, have):
    grams = _trigrams(gold)
    return sum(1 for gram in grams if gram in have) / len(grams) if grams else 0


def _trigrams(text):
    plain = units(f" {trim(_NO_WORD.sub(' ', text))} ")
    return {plain[index : index + 3] for index in range(len(plain) - 2)}


def _mean(values):
    return _total(values) / len(values) if values else 0


def _weighted_mean(weights, values):
    weight = _total(weights)
    return 0 if weight == 0 else _total([part * value for part, value in zip(weights, values)]) / weight


def _total(values):
    """Added up in order. Python's own `sum` corrects rounding since 3.12, JavaScript does not."""
    total = 0
    for value in values:
        total += value
    return total

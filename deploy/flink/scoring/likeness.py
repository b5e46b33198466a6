"""How well an answer agrees with a reference, as handlers/shared/judge/likeness.ts tells it: numbers that a model weighs.

In: question, reference, answer. Out: features in the order of scoring.json. Never here: the weights, a threshold.
"""

import math
import re

from .aliases import aliases_of
from .said import Said, trigrams_of
from .source import SOURCE
from .tokens import fold, is_number, is_stop_word, stem, tokens

_TABLES = SOURCE["likeness"]
_MOST_REFERENCE_WORDS = _TABLES["mostReferenceWords"]
_LONGEST_READING = _TABLES["longestReading"]
_FEW_WORDS = _TABLES["fewWords"]
_DENIALS = frozenset(_TABLES["denials"])
_UNKNOWN = re.compile(_TABLES["unknown"], re.ASCII)


def features_of(title, reference, answer):
    """One row of features for each way in which the reference can be read: the best one counts."""
    said = Said(title, answer)
    unknown = 1 if says_unknown(answer) else 0
    rows = []
    words_left = _MOST_REFERENCE_WORDS
    for index, alias in enumerate(aliases_of(reference)):
        gold = _gold_of(alias)
        words_left -= len(gold)
        if index == 0 or words_left >= 0:
            rows.append(_compare(alias, gold, said, unknown))
    return rows


def says_unknown(answer):
    """Does the answer say that it does not know?"""
    return _UNKNOWN.search(fold(answer).replace("’", "'")) is not None


def _gold_of(alias):
    """The words of a reading that carry content; all of them where none does."""
    every = tokens(alias)[:_LONGEST_READING]
    return [token for token in every if not is_stop_word(token)] or every


def _compare(alias, gold, said, unknown):
    matches = [said.nearest(token) for token in gold]
    stems = [stem(token) for token in gold]
    fresh = [root not in said.asked_stems for root in stems]
    recall = _weighted_mean([_weight_of(token, new) for token, new in zip(gold, fresh)], [like for like, _ in matches])
    new_matches = [like for (like, _), new in zip(matches, fresh) if new]
    new_recall = _mean(new_matches) if new_matches else recall
    numbers = [like for token, (like, _) in zip(gold, matches) if is_number(token)]
    exact = 1 if _is_run(gold, stems, said) else 0
    first = next((at for like, at in matches if like > 0), len(said.words))
    gold_stems = frozenset(stems)
    foreign = said.foreign_stems
    length = math.log2(1 + len(said.words)) / 8
    short_gold = 1 if len(gold) <= 1 and len(gold[0] if gold else "") <= 3 else 0
    return [
        1,
        exact,
        recall,
        new_recall,
        matches[-1][0] if matches else 0,
        1 - _mean(numbers) if numbers else 0,
        _mean(numbers) if numbers else 0,
        unknown,
        1 if exact == 1 and _denied(gold, said.words) else 0,
        sum(1 for root in foreign if root in gold_stems) / len(foreign) if foreign else exact,
        first / len(said.words) if said.words else 1,
        length,
        exact * short_gold * length,
        _other_numbers(gold, said) if numbers and _mean(numbers) < 1 else 0,
        math.log2(1 + len(gold)) / 5,
        _trigram_recall(alias, said),
        0 if exact == 1 else _replaced_number(gold, said.content),
    ]


def _other_numbers(gold, said):
    """1 where the answer has numbers of its own instead of the reference's, 0 where it has none."""
    own = [token for token in said.words if is_number(token) and token not in said.asked_words]
    return sum(1 for token in own if token not in gold) / len(own) if own else 0


def _replaced_number(gold, said):
    """1 where the answer has the reference as a run in which only numbers differ, and not all of it does."""
    if not any(map(is_number, gold)):
        return 0
    if not any(_differs_in_numbers(gold, said, start) for start in range(len(said))):
        return 0
    return 1 if len(said) <= len(gold) + _FEW_WORDS else 0.5


def _differs_in_numbers(gold, said, start):
    same = 0
    for index, token in enumerate(gold):
        word = said[start + index] if start + index < len(said) else ""
        if word == token:
            same += 1
        elif not is_number(token) or not is_number(word):
            return False
    return 0 < same < len(gold)


def _weight_of(token, fresh):
    return (1 if fresh else 0.3) * (1.5 if is_number(token) else 1)


def _is_run(gold, stems, said):
    """Does the reading stand in the answer as one run of content words? One that has none is sought among all words."""
    if all(map(is_stop_word, gold)):
        return _is_run_of(gold, said.words)
    return _is_run_of(stems, said.content_stems)


def _is_run_of(run, words):
    return any(words[start : start + len(run)] == run for start in range(len(words)))


def _denied(gold, said):
    """A denial within the three words before every mention."""
    first = gold[0] if gold else None
    places = [index for index, word in enumerate(said) if word == first]
    return len(places) > 0 and all(
        any(word in _DENIALS for word in said[max(0, place - 3) : place]) for place in places
    )


def _trigram_recall(alias, said):
    grams = trigrams_of(fold(alias))
    return sum(1 for gram in grams if gram in said.trigrams) / len(grams) if grams else 0


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

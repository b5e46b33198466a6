"""An answer, prepared once so that many readings of a reference can be compared with it, as handlers/shared/judge/said.ts does."""

import re

from .javascript import head, trim, units
from .letters import LETTER, NUMBER
from .source import SOURCE
from .tokens import fold, is_stop_word, likeness, stem, tokens

_TABLES = SOURCE["said"]
_LONGEST_ANSWER = _TABLES["longestAnswer"]
_MOST_WORDS = _TABLES["mostWords"]
_MOST_COMPARISONS = _TABLES["mostComparisons"]
_LEAST_LIKENESS = _TABLES["leastLikeness"]
_NO_WORD = re.compile(f"[^{LETTER}{NUMBER}]+")


class Said:
    """Words and stems of an answer, where each stands first, and the nearest word to any other."""

    def __init__(self, title, answer):
        text = head(answer, _LONGEST_ANSWER)
        self.words = tokens(text)[:_MOST_WORDS]
        self.content = [word for word in self.words if not is_stop_word(word)]
        self.content_stems = [stem(word) for word in self.content]
        self.asked_words = frozenset(tokens(title))
        self.asked_stems = frozenset(map(stem, self.asked_words))
        self.foreign_stems = [root for root in self.content_stems if root not in self.asked_stems]
        self.trigrams = trigrams_of(fold(text))
        self._first, self._first_of_stem, self._matches = {}, {}, {}
        self._comparisons = 0
        for index, word in enumerate(self.words):
            self._first.setdefault(word, index)
            self._first_of_stem.setdefault(stem(word), index)

    def nearest(self, token):
        """(likeness, place) of the nearest word of the answer, the first of several."""
        if token not in self._matches:
            self._matches[token] = self._find(token)
        return self._matches[token]

    def _find(self, token):
        if token in self._first:
            return 1, self._first[token]
        root = stem(token)
        if root in self._first_of_stem:
            return 0.95, self._first_of_stem[root]
        best, place = 0, len(self.words)
        for word, at in self._first.items():
            longer = max(len(word), len(token))
            if abs(len(word) - len(token)) > longer * (1 - _LEAST_LIKENESS):
                continue
            self._comparisons += 1
            if self._comparisons > _MOST_COMPARISONS:
                break
            alike = likeness(token, word)
            if alike >= _LEAST_LIKENESS and alike > best:
                best, place = alike, at
        return best, place


def trigrams_of(folded):
    """Every three letters in a row."""
    plain = units(f" {trim(_NO_WORD.sub(' ', folded))} ")
    return {plain[index : index + 3] for index in range(len(plain) - 2)}

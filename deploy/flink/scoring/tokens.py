"""Words and numbers of a text in a form that can be compared, as handlers/shared/text/tokens.ts makes them.

In: any text. Out: plain strings, one character per UTF-16 unit. Never here: the lists of words (scoring.json).
"""

import re
import unicodedata
from functools import lru_cache

from .javascript import units
from .letters import LETTER, MARK
from .source import SOURCE

_TABLES = SOURCE["tokens"]
_ENDINGS = tuple(_TABLES["endings"])
_MONTHS = _TABLES["months"]
_ONE_SPELLING = dict(_TABLES["oneSpelling"])
_STOP_WORDS = frozenset(_TABLES["stopWords"])
_LONGEST_COMPARED_WORD = _TABLES["longestComparedWord"]

_MARKS = re.compile(f"[{MARK}]+")
_ISO_DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b", re.ASCII)
_POSSESSIVE = re.compile("['’`´]s\\b", re.ASCII)
_SEPARATOR = re.compile("(\\d)[.,\u00a0\u202f](?=\\d{3}(?!\\d))", re.ASCII)
_NO_FRACTION = re.compile(r"(\d)[.,]0+(?!\d)", re.ASCII)
_ORDINAL = re.compile(r"(\d)(?:st|nd|rd|th|º|ª|°)\b", re.ASCII)
_WORD = re.compile(f"[0-9]+(?:[.,][0-9]+)?|[{LETTER}]+")


def fold(text):
    """Lower case without accents or compatibility forms."""
    if text.isascii():
        return text.lower()
    return _MARKS.sub("", unicodedata.normalize("NFKD", text)).lower()


def tokens(text):
    """The words and numbers of a text, in order."""
    return [_ONE_SPELLING.get(word, word) for word in _raw_tokens(text)]


def is_stop_word(token):
    return token in _STOP_WORDS


def is_number(token):
    return "0" <= token[:1] <= "9"


@lru_cache(maxsize=20_000)
def stem(token):
    """A word cut to its likely stem."""
    if len(token) <= 4 or is_number(token):
        return token
    for ending in _ENDINGS:
        if len(token) - len(ending) >= 4 and token.endswith(ending):
            return token[: -len(ending)]
    return token


def likeness(left, right):
    """Likeness of two words, 0 to 1."""
    if left == right:
        return 1
    if is_number(left) or is_number(right):
        return 0
    longer = max(len(left), len(right))
    if longer < 4 or longer > _LONGEST_COMPARED_WORD:
        return 0
    if abs(len(left) - len(right)) > longer / 2:
        return 0
    return 1 - _edit_distance(left, right) / longer


def _raw_tokens(text):
    plain = _ISO_DATE.sub(_spoken_date, fold(text))
    plain = _POSSESSIVE.sub("", plain)
    plain = _SEPARATOR.sub(r"\1", plain)
    plain = _NO_FRACTION.sub(r"\1", plain)
    plain = _ORDINAL.sub(r"\1", plain)
    return [units(word) for word in _WORD.findall(plain)]


def _spoken_date(found):
    year, month, day = found.groups()
    number = int(month)
    name = _MONTHS[number - 1] if 1 <= number <= len(_MONTHS) else month
    return f"{int(day)} {name} {year}"


@lru_cache(maxsize=50_000)
def _edit_distance(left, right):
    previous = list(range(len(right) + 1))
    for row, sign in enumerate(left, 1):
        current = [row]
        for column, other in enumerate(right, 1):
            best = previous[column - 1] + (sign != other)
            if previous[column] + 1 < best:
                best = previous[column] + 1
            if current[column - 1] + 1 < best:
                best = current[column - 1] + 1
            current.append(best)
        previous = current
    return previous[-1]

"""The ways in which a reference can be read, as handlers/shared/judge/aliases.ts finds them."""

import re
from functools import lru_cache

from .javascript import SPACE, head, trim, units
from .letters import LETTER
from .source import SOURCE
from .tokens import is_number, tokens

_MOST_ALIASES = SOURCE["aliases"]["mostAliases"]
_LONGEST_REFERENCE = SOURCE["aliases"]["longestReference"]
_SEPARATOR = re.compile("[;|\n]")
_ASIDE = re.compile(f"[{SPACE}]*\\([^()]*\\)[{SPACE}]*")
_FIGURE = re.compile("[0-9]+")
_SPELLED = re.compile(f"[{LETTER}][{LETTER}{SPACE}\\-]{{2,}}")


@lru_cache(maxsize=64)
def aliases_of(reference):
    """One or more readings, each with at least one word; any of them is enough."""
    text = head(reference, _LONGEST_REFERENCE)
    found = {}
    for name in _parts_of(text):
        for part in (name, _without_aside(name)):
            words = " ".join(tokens(part))
            if words != "":
                found.setdefault(words, part)
            if len(found) == _MOST_ALIASES:
                return tuple(found.values())
    return tuple(found.values()) or (text,)


def _parts_of(text):
    return [part for piece in _SEPARATOR.split(text) for part in map(trim, _split_at_slashes(piece)) if part != ""]


def _split_at_slashes(text):
    parts = [part for part in map(trim, text.split("/")) if part != ""]
    return parts if _is_list(parts) else [text]


def _is_list(parts):
    if all(len(units(part)) > 2 for part in parts):
        return True
    if len(parts) > 2:
        return not all(map(is_number, parts))
    left, right = (*parts, "", "")[:2]
    return _spells(left, right) or _spells(right, left)


def _spells(figure, word):
    return _FIGURE.fullmatch(figure) is not None and _SPELLED.fullmatch(word) is not None


def _without_aside(name):
    """Without "(...)"; a name that is nothing else stays."""
    return trim(_ASIDE.sub(" ", name)) or name

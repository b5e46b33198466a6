"""English or Spanish, told from the small words of a text, as handlers/shared/text/language.ts does."""

import re

from .letters import LETTER
from .source import SOURCE
from .tokens import fold

_SPANISH = frozenset(SOURCE["language"]["spanish"])
_ENGLISH = frozenset(SOURCE["language"]["english"])
_SPANISH_SIGN = re.compile("[¿¡ñÑ]")
_WORD = re.compile(f"[{LETTER}]+")


def language_of(text):
    """"es" or "en"; when in doubt "en"."""
    spanish = 3 if _SPANISH_SIGN.search(text) else 0
    english = 0
    for word in _WORD.findall(fold(text)):
        if word in _SPANISH:
            spanish += 1
        elif word in _ENGLISH:
            english += 1
    return "es" if spanish > english else "en"

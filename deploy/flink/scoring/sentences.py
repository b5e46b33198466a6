"""A passage cut into its sentences, as handlers/shared/text/sentences.ts does."""

import re

from .javascript import SPACE, from_units, trim, units
from .letters import LOWER, UPPER
from .source import SOURCE

_SHORT_FORMS = frozenset(SOURCE["sentences"]["shortForms"])
_END = re.compile(f"[.!?…]+[\"»”’')\\]]*(?:\\[[0-9]+\\])*(?=[{SPACE}])|\n+")
_SPACES = re.compile(f"[{SPACE}]+")
_LAST_WORD = re.compile(f"[^{SPACE}]+\\Z")
_INITIAL = re.compile(f"[{UPPER}]")
_GOES_ON = re.compile(f"[{SPACE}]*[{LOWER}]")


def sentences_of(passage):
    """Trimmed sentences in order; none is empty."""
    sentences = []
    start = 0
    for found in _END.finditer(passage):
        end = found.end()
        if found.group().startswith(".") and not _ends_here(passage[start : found.start()], passage[end : end + 8]):
            continue
        _push(sentences, passage[start:end])
        start = end
    _push(sentences, passage[start:])
    return sentences


def _push(sentences, text):
    sentence = trim(_SPACES.sub(" ", text))
    if sentence != "":
        sentences.append(sentence)


def _ends_here(before, after):
    last = _LAST_WORD.search(from_units(units(before[-24:])[-24:]))
    word = last.group() if last else ""
    if _INITIAL.fullmatch(word) or word.lower() in _SHORT_FORMS:
        return False
    return _GOES_ON.match(from_units(units(after[:8])[:8])) is None

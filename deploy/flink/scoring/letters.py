"""Unicode's classes of characters, which Python's own `re` does not know.

In: nothing. Out: the inside of a character class for each of the handlers' `\\p{...}`. Python's tables may be older than Bun's:
a letter that only the newer one knows counts as none here. Made once, 0.2 s.
"""

import sys
import unicodedata


def _classes():
    ranges = {}
    start, current = 0, unicodedata.category("\0")
    for code in range(1, sys.maxunicode + 2):
        category = None if code > sys.maxunicode else unicodedata.category(chr(code))
        if category != current:
            ranges.setdefault(current, []).append((start, code - 1))
            start, current = code, category
    return ranges


def _inside(letter, ranges):
    return "".join(
        f"\\U{low:08x}-\\U{high:08x}"
        for category in sorted(ranges)
        if category.startswith(letter)
        for low, high in ranges[category]
    )


_RANGES = _classes()
LETTER = _inside("L", _RANGES)
UPPER = _inside("Lu", _RANGES)
LOWER = _inside("Ll", _RANGES)
MARK = _inside("M", _RANGES)
NUMBER = _inside("N", _RANGES)
PUNCTUATION = _inside("P", _RANGES)
SYMBOL = _inside("S", _RANGES)

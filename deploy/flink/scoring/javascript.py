"""What JavaScript counts, rounds and calls white space otherwise than Python.

In: texts and numbers. Out: the same as the handlers would get. A text's length and its slices count UTF-16 units there.
Never here: anything that both languages do alike.
"""

import math
import re

# What `\s` matches in JavaScript; Python's `\s` has U+001C to U+001F and U+0085 instead of U+FEFF.
SPACE = "\t\n\x0b\x0c\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"

_EDGES = re.compile(f"^[{SPACE}]+|[{SPACE}]+\\Z")
_LONE = re.compile("[\ud800-\udfff]")


def units(text):
    """The text as one character per UTF-16 unit. Most texts have nothing beyond U+FFFF and come back as they are."""
    if not text or max(text) <= "\uffff":
        return text
    return "".join(map(chr, memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")))


def from_units(text):
    """The reverse of `units`: pairs become one character, a lone surrogate stays."""
    if not _LONE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def head(text, length):
    """`text.slice(0, length)`."""
    if len(text) <= length // 2:
        return text
    return from_units(units(text)[:length])


def well_formed(text):
    """`text.toWellFormed()`: a lone surrogate becomes U+FFFD."""
    return _LONE.sub("\ufffd", from_units(text))


def trim(text):
    """`text.trim()`."""
    return _EDGES.sub("", text)


def rounded(number):
    """`Math.round(number)`: half goes up."""
    whole = math.floor(number)
    return whole + (1 if number - whole >= 0.5 else 0)


def number_text(number):
    """`String(number)` of a float."""
    if number != number:
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == math.floor(number) and abs(number) < 2**53:
        return str(int(number))
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    # The value is 0.DIGITS times ten to the power of `point`.
    point = len(whole) + int(exponent or "0")
    padded = whole + fraction
    digits = padded.lstrip("0")
    point -= len(padded) - len(digits)
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if 0 < point <= 21:
        if len(digits) <= point:
            return f"{sign}{digits}{'0' * (point - len(digits))}"
        return f"{sign}{digits[:point]}.{digits[point:]}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    power = point - 1
    return f"{sign}{digits[0]}{tail}e{'+' if power > 0 else '-'}{abs(power)}"

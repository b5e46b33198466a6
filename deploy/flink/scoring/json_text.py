"""JSON as the handlers read and write it, to the byte.

In: bytes of a record, or a value. Out: the other. Numbers are floats, as in JavaScript.
Never here: schemas.
"""

import json
import re
from json.encoder import encode_basestring

from .javascript import number_text


class Undecodable(Exception):
    """The bytes are no value; the message says why."""


DEEPEST_JSON = 64
_BRACKETS_AND_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)
_LONE = re.compile("[\ud800-\udfff]")
_ARRAY_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_HIGHEST_INDEX = 4_294_967_294


def decode(data):
    """The value in the bytes of a record. Raises Undecodable; the reason is worded as the handlers word it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Undecodable(f"the value's {len(data)} bytes are not UTF-8") from None
    if text.startswith("\ufeff"):
        text = text[1:]
    if _depth(text) > DEEPEST_JSON:
        raise Undecodable(f"the value nests deeper than {DEEPEST_JSON} levels")
    try:
        return parse(text)
    except ValueError as thrown:
        raise Undecodable(f"the value is not JSON: {thrown}") from None


def parse(text):
    """`JSON.parse(text)`. Raises ValueError."""
    return json.loads(text, parse_int=float, parse_float=float, parse_constant=_no_constant)


def encode(value):
    """The bytes of `JSON.stringify(value)`."""
    parts = []
    _write(value, parts.append)
    text = "".join(parts)
    return _LONE.sub(lambda lone: f"\\u{ord(lone.group()):04x}", text).encode("utf-8")


def ordered(value):
    """A dict's items in JavaScript's order: whole numbers first and ascending, then as they were put in."""
    if not any(name and name[0].isdigit() for name in value):
        return value.items()
    numbers = sorted((name for name in value if _is_index(name)), key=int)
    return [(name, value[name]) for name in numbers] + [item for item in value.items() if not _is_index(item[0])]


def _is_index(name):
    return _ARRAY_INDEX.fullmatch(name) is not None and int(name) <= _HIGHEST_INDEX


def _no_constant(name):
    raise ValueError(f"{name} is no JSON")


def _depth(text):
    """How deep brackets nest outside of strings."""
    if text.count("{") + text.count("[") <= DEEPEST_JSON:
        return 0
    depth = deepest = 0
    for found in _BRACKETS_AND_STRINGS.finditer(text):
        sign = found.group()
        if sign in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in "]}":
            depth -= 1
    return deepest


def _write(value, put):
    if isinstance(value, str):
        put(encode_basestring(value))
    elif value is None:
        put("null")
    elif value is True:
        put("true")
    elif value is False:
        put("false")
    elif isinstance(value, (int, float)):
        text = number_text(float(value))
        put(text if text[-1].isdigit() else "null")
    elif isinstance(value, dict):
        put("{")
        for index, (name, entry) in enumerate(ordered(value)):
            put("," if index else "")
            put(encode_basestring(name))
            put(":")
            _write(entry, put)
        put("}")
    else:
        put("[")
        for index, entry in enumerate(value):
            put("," if index else "")
            _write(entry, put)
        put("]")

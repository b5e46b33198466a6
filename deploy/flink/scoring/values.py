"""Values against the schema of `llm.generated`, with the handlers' wording of what is wrong.

In: a decoded value and the schema's description in scoring.json. Out: the value as the schema makes it (its own fields first,
unknown ones kept behind), or Invalid. Never here: a field's name.
"""

import re

from .javascript import number_text
from .json_text import ordered

# More issues than this are counted, not listed.
_MOST_ISSUES = 5
_DROPPED = ("__proto__", "prototype", "constructor")
_MISSING = object()


class Invalid(Exception):
    """The value does not fit its schema; the message names each field with what is wrong."""


def checked(topic, schema, value):
    """The schema's output for a value. Raises Invalid."""
    issues = []
    output = _check(schema, value, (), issues)
    if not issues:
        return output
    listed = [f"{'.'.join(path) or 'value'}: {message}" for path, message in issues[:_MOST_ISSUES]]
    more = len(issues) - len(listed)
    raise Invalid(f"not a value of {topic}: {'; '.join(listed)}{f' (and {more} more)' if more > 0 else ''}")


def _check(schema, value, path, issues):
    return _CHECKS[schema["type"]](schema, value, path, issues)


def _object(schema, value, path, issues):
    fields = _fields(value)
    if fields is None:
        return _wrong("Object", value, path, issues)
    output = {}
    for name, field in schema["entries"].items():
        given = fields.get(name, _MISSING)
        if given is not _MISSING:
            inner = field["wrapped"] if field["type"] == "optional" else field
            output[name] = _check(inner, given, (*path, name), issues)
        elif field["type"] != "optional":
            issues.append(((*path, name), f'Invalid key: Expected "{name}" but received undefined'))
    for name, given in ordered(fields):
        if name not in schema["entries"] and name not in _DROPPED:
            output[name] = given
    return output


def _record(schema, value, path, issues):
    fields = _fields(value)
    if fields is None:
        return _wrong("Object", value, path, issues)
    return {
        name: _check(schema["value"], given, (*path, name), issues)
        for name, given in ordered(fields)
        if name not in _DROPPED
    }


def _array(schema, value, path, issues):
    if not isinstance(value, list):
        return _wrong("Array", value, path, issues)
    return [_check(schema["item"], item, (*path, str(index)), issues) for index, item in enumerate(value)]


def _string(schema, value, path, issues):
    if not isinstance(value, str):
        return _wrong("string", value, path, issues)
    pattern = schema.get("pattern")
    if pattern is not None and re.fullmatch(pattern["source"], value) is None:
        issues.append((path, pattern["message"]))
    return value


def _number(schema, value, path, issues):
    if not isinstance(value, float):
        return _wrong("number", value, path, issues)
    if schema.get("integer") and not value.is_integer():
        issues.append((path, f"Invalid integer: Received {number_text(value)}"))
    least = schema.get("least")
    if least is not None and not value >= least:
        expected = number_text(float(least))
        issues.append((path, f"Invalid value: Expected >={expected} but received {number_text(value)}"))
    return value


def _boolean(_schema, value, path, issues):
    return value if isinstance(value, bool) else _wrong("boolean", value, path, issues)


_CHECKS = {
    "object": _object,
    "record": _record,
    "array": _array,
    "string": _string,
    "number": _number,
    "boolean": _boolean,
}


def _fields(value):
    """What JavaScript calls an object has fields; a list has its places."""
    if isinstance(value, dict):
        return value
    return {str(index): item for index, item in enumerate(value)} if isinstance(value, list) else None


def _wrong(expected, value, path, issues):
    issues.append((path, f"Invalid type: Expected {expected} but received {_shown(value)}"))
    return value


def _shown(value):
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number_text(value)
    return "null" if value is None else "Array" if isinstance(value, list) else "Object"

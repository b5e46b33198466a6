"""Points in time as texts, in ISO 8601 as the pipeline writes them.

In: a text, or ms since 1970. Out: the other. Other forms of a date that JavaScript would take are none here; a time without
its zone is taken as UTC, as on any server.
"""

import re
from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FORM = re.compile(
    r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?"
    r"(?:T(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?(Z|[+-]\d{2}:\d{2})?)?",
    re.ASCII,
)


def parsed(text):
    """ms since 1970, or None for what is no point in time."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime(int(year), int(month or 1), int(day or 1), tzinfo=timezone.utc)
        if int(hour or 0) > 24 or int(minute or 0) > 59 or int(second or 0) > 59:
            return None
        moment += timedelta(hours=int(hour or 0), minutes=int(minute or 0), seconds=int(second or 0))
    except (ValueError, OverflowError):
        return None
    ms = (moment - _EPOCH) // timedelta(milliseconds=1) + int(((fraction or "") + "000")[:3])
    if zone is None or zone == "Z":
        return ms
    away = (int(zone[1:3]) * 60 + int(zone[4:6])) * 60_000
    return ms - away if zone[0] == "+" else ms + away


def written(ms):
    """`new Date(ms).toISOString()`."""
    moment = _EPOCH + timedelta(milliseconds=max(0, ms))
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"

"""The envelope: what a message says about itself in headers, as runtime/engine/envelope.ts reads and writes it.

In: a record. Out: its id, birth, counters and trace; and the headers of what follows from it. Headers are lists of (name, bytes).
Never here: keys and values.
"""

import hashlib
import re
from typing import NamedTuple, Optional

from . import instant
from .javascript import units

_HIGHEST_COUNT = 1_000_000
_LONGEST_ID = 256
_TRACEPARENT = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_COUNT = re.compile("[0-9]{1,7}")
_NO_SPAN = "0000000000000000"


class Record(NamedTuple):
    """A record as Kafka has it."""

    topic: str
    key: Optional[bytes]
    value: Optional[bytes]
    headers: list
    partition: int = -1
    offset: int = -1
    timestamp_ms: int = -1


class Envelope(NamedTuple):
    id: str
    born_at_ms: int
    traceparent: Optional[str]
    deferrals: int
    schema: int


def read_envelope(record):
    """What a record says about itself. What is missing or damaged falls back."""
    said = {name: _text(value) for name, value in record.headers if value is not None}
    message_id = said.get("ce_id", "")
    if message_id == "" or len(units(message_id)) > _LONGEST_ID:
        message_id = f"{record.topic}/{record.partition}/{record.offset}@{record.timestamp_ms}"
    born_at_ms = instant.parsed(said.get("ce_time", ""))
    traceparent = said.get("traceparent", "")
    return Envelope(
        id=message_id,
        born_at_ms=record.timestamp_ms if born_at_ms is None else born_at_ms,
        traceparent=traceparent if _TRACEPARENT.fullmatch(traceparent) else None,
        deferrals=_count(said.get("cauce_deferrals", "")),
        schema=max(1, _count(said.get("cauce_schema", ""))),
    )


def output_headers(envelope, output, topic, names, now_ms):
    """Headers of an output: an id that follows from the input's, the same trace with a span that follows from the id."""
    output_id = derived_id(envelope.id, output, 0)
    headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", output_id),
        ("ce_source", names["source"]),
        ("ce_type", topic["name"]),
        ("ce_time", instant.written(now_ms)),
        ("content-type", names["contentType"]),
    ]
    if envelope.traceparent is not None:
        span = output_id[:16]
        span = "0000000000000001" if span == _NO_SPAN else span
        headers.append(("traceparent", f"{envelope.traceparent[:36]}{span}{envelope.traceparent[52:]}"))
    if topic["version"] > 1:
        headers.append(("cauce_schema", str(topic["version"])))
    return [(name, value.encode("utf-8")) for name, value in headers]


def derived_id(input_id, output, index):
    """32 hex digits that follow from the input's id, the output's name and its index."""
    return hashlib.sha256(f"{input_id}\u001f{output}\u001f{index}".encode("utf-8")).hexdigest()[:32]


def _count(digits):
    return min(int(digits), _HIGHEST_COUNT) if _COUNT.fullmatch(digits) else 0


def _text(value):
    text = value.decode("utf-8", "replace")
    return text[1:] if text.startswith("\ufeff") else text

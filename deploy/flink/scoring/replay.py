"""Recorded messages through the scorer, for tests: `python3 -m scoring.replay SETTINGS < records > outputs`.

In: one JSON object a line: a record with its bytes in base64, and the judge's scripted verdicts. Out: likewise what is published,
and the prompts on the way. SETTINGS is JSON: max_attempts, greatest_age_ms, regen_threshold, model, now_ms.
"""

import base64
import json
import sys

from .envelope import Record
from .scorer import Failure, Scorer, Settings
from .verdict import Ask


def main():
    given = json.loads(sys.argv[1])
    now_ms = given.pop("now_ms")
    scorer = Scorer(Settings(now_ms=lambda: now_ms, **given))
    for line in sys.stdin:
        told = json.loads(line)
        made, prompts = _run(scorer, _record(told), told.get("replies", []), told.get("failure"))
        sys.stdout.write(json.dumps({**_shown(made), "prompts": prompts}) + "\n")


def _run(scorer, record, scripted, failure):
    prompts = []
    while True:
        made = scorer.advance(record, scripted[: len(prompts)])
        if not isinstance(made, Ask):
            return made, prompts
        prompts.append(made.prompt)
        if len(prompts) > len(scripted):
            return scorer.advance(record, (), Failure(**(failure or {"status": None, "message": "no reply"}))), prompts


def _record(told):
    return Record(
        topic=told["topic"],
        key=_bytes(told["key"]),
        value=_bytes(told["value"]),
        headers=[(name, _bytes(value)) for name, value in told["headers"]],
        partition=told["partition"],
        offset=told["offset"],
        timestamp_ms=told["timestamp_ms"],
    )


def _shown(record):
    return {
        "topic": record.topic,
        "key": _base64(record.key),
        "value": _base64(record.value),
        "headers": [[name, _base64(value)] for name, value in record.headers],
    }


def _bytes(text):
    return None if text is None else base64.b64decode(text)


def _base64(data):
    return None if data is None else base64.b64encode(data).decode("ascii")


if __name__ == "__main__":
    main()

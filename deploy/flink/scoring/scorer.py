"""One record of `llm.generated` and what follows from it: the whole of handlers/llm.generated.ts and its runtime around it.

In: a record, the judge's replies so far. Out: the next prompt for the judge, or the one record that is published: an output,
or a dead letter with its reason. Pure: time is handed in. Never here: Flink, Kafka, retries.
"""

from typing import Callable, NamedTuple, Optional

from . import envelope as envelopes
from .envelope import Record
from .javascript import from_units, head, well_formed
from .json_text import Undecodable, decode, encode
from .offline import judge_offline
from .source import SOURCE
from .stages import age_of, best_from, better_of, ending_of, passed_from, request_in
from .values import Invalid, checked
from .verdict import Ask, BadReply, next_step

_NAMES = SOURCE["handler"]
_TOPICS = SOURCE["topics"]
_INPUT = _TOPICS["generated"]
# The dead letter's reason is cut at these many characters, as in runtime/engine.
_LONGEST_ERROR_TEXT = 2_000
_LONGEST_HEADER_TEXT = 500
_PLACE = "cauce_place"


class Settings(NamedTuple):
    """Names and meaning as in handlers/shared/settings.ts."""

    max_attempts: int
    greatest_age_ms: int
    regen_threshold: float
    # The model that judges; None for the offline judge.
    model: Optional[str]
    now_ms: Callable[[], int]
    # What is larger, headers among it, goes to the dead letter topic instead: Kafka's usual limit is 1 MB.
    most_record_bytes: int = 1_000_000


class Failure(NamedTuple):
    """A call of the model that failed."""

    # HTTP's status; None when nobody answered.
    status: Optional[int]
    message: str


class Scorer:
    """Scores records. Holds nothing but its settings."""

    def __init__(self, settings):
        self._settings = settings

    def advance(self, record, replies=(), failure=None):
        """Ask, or the Record to publish. Raises PermissionError when the model refuses us: somebody has to act."""
        envelope = envelopes.read_envelope(record)
        try:
            return self._advance(record, envelope, replies, failure)
        except _Dead as dead:
            return self._letter(record, envelope, dead.cause, str(dead))
        except PermissionError:
            raise
        except Exception as defect:  # One record that meets a defect must not stop all others.
            return self._letter(record, envelope, type(defect).__name__, str(defect))

    def _advance(self, record, envelope, replies, failure):
        value = _read(record, envelope)
        if failure is not None:
            return self._output(record, envelope, "errors", self._failed_call(value, failure))
        judged = {name: value[name] for name in ("title", "content", "best_answer", "answer")}
        if self._settings.model is None:
            scored = judge_offline(judged["title"], judged["best_answer"], judged["answer"])
        else:
            try:
                scored = next_step(judged, replies, self._settings.regen_threshold, self._settings.model)
            except BadReply as bad:
                failed = {**request_in(value), "error_type": "bad_output", "message": str(bad)}
                return self._output(record, envelope, "errors", failed)
            if isinstance(scored, Ask):
                return scored
        scored = {**scored, "rubric_hash": SOURCE["rubricHash"]}
        return self._output(record, envelope, *self._decide(value, scored, envelope))

    def _decide(self, value, scored, envelope):
        """Name and value of what follows from a score."""
        settings = self._settings
        request = {**request_in(value), "scores": [*value.get("scores", []), scored["score"]]}
        if scored["gate_passed"] and scored["score"] >= settings.regen_threshold:
            return "validated", passed_from(request, value, scored)
        candidate = best_from(value, scored)
        best = better_of(value.get("best"), candidate)
        feedback = scored["feedback"] if best is candidate else value.get("feedback", scored["feedback"])
        improved = {**request, "best": best, "feedback": feedback}
        age_ms = age_of(value, envelope.born_at_ms, settings.now_ms())
        if value["attempts"] < settings.max_attempts and age_ms < settings.greatest_age_ms:
            return "requests", improved
        return "validated", ending_of(improved)

    def _failed_call(self, value, failure):
        """A judge that fails as models do: its question waits in the schedule, through the handler of `llm.errors`."""
        if failure.status in (401, 403):
            raise PermissionError(f"the judge refuses us: {failure.message}")
        kind = "rate_limit" if failure.status == 429 else "overloaded" if failure.status else "unavailable"
        return {**request_in(value), "error_type": kind, "message": f"the judge: {failure.message}"}

    def _output(self, record, envelope, output, value):
        topic = _TOPICS[output]
        headers = envelopes.output_headers(envelope, output, topic, _NAMES, self._settings.now_ms())
        made = Record(topic["name"], value[topic["key"]].encode("utf-8"), encode(value), headers)
        if _size(made) <= self._settings.most_record_bytes:
            return made
        reason = f"an output for {made.topic} has {_size(made)} bytes, more than {self._settings.most_record_bytes}"
        return self._letter(record, envelope, "record_too_large", reason)

    def _letter(self, record, envelope, cause, error):
        shown = head(from_units(error), _LONGEST_ERROR_TEXT)
        why = {
            "cauce_handler": _NAMES["name"],
            "cauce_message_id": envelope.id,
            "cauce_cause": cause,
            "cauce_error": head(shown, _LONGEST_HEADER_TEXT),
            "cauce_topic": _INPUT["name"],
            "cauce_position": f"{record.partition}/{record.offset}",
        }
        said = [(name, well_formed(text).encode("utf-8")) for name, text in why.items()]
        kept = [header for header in record.headers if header[0] != _PLACE]
        letter = Record(_NAMES["deadLetterTopic"], record.key, record.value, kept + said)
        if _size(letter) <= self._settings.most_record_bytes:
            return letter
        stub = ("cauce_stub", b"the record is at cauce_position of cauce_topic")
        return Record(_NAMES["deadLetterTopic"], None, None, [*said, stub])


class _Dead(Exception):
    def __init__(self, cause, error):
        super().__init__(error)
        self.cause = cause


def _read(record, envelope):
    if envelope.schema > _INPUT["version"]:
        raise _Dead(
            "newer_schema",
            f"written by version {envelope.schema} of {_INPUT['name']}'s schema; this process knows version {_INPUT['version']}",
        )
    if record.value is None:
        raise _Dead("undecodable", "the record has no value (a tombstone)")
    try:
        return checked(_INPUT["name"], _INPUT["schema"], decode(record.value))
    except Undecodable as thrown:
        raise _Dead("undecodable", str(thrown)) from None
    except Invalid as thrown:
        raise _Dead("invalid_value", str(thrown)) from None


def _size(record):
    return (
        len(record.key or b"")
        + len(record.value or b"")
        + sum(len(name) + len(value or b"") for name, value in record.headers)
    )

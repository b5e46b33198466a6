"""From one stage's value to the next one's, as handlers/shared/flow/stages.ts: fields that nobody knows stay."""

from . import instant
from .source import SOURCE

_STAGE_FIELDS = tuple(SOURCE["stageFields"])


def request_in(value):
    """The request inside a later stage's value."""
    return {name: given for name, given in value.items() if name not in _STAGE_FIELDS}


def age_of(value, born_at_ms, now_ms):
    """How long ago the question was asked, in ms."""
    asked_at_ms = instant.parsed(value.get("asked_at", ""))
    return max(0, now_ms - (born_at_ms if asked_at_ms is None else asked_at_ms))


def better_of(known, candidate):
    """The accuracy gate decides, then the score; then the earlier one stays."""
    if known is None:
        return candidate
    gates = int(candidate.get("gate_passed", False)) - int(known.get("gate_passed", False))
    if gates != 0:
        return candidate if gates > 0 else known
    return candidate if candidate["score"] > known["score"] else known


def best_from(value, scored):
    """A scored answer as one that can be the best so far."""
    return _shaped("best", {**_answer_in(value), **scored})


def passed_from(request, value, scored):
    """A scored answer that is good enough, as it is delivered."""
    return {**request, **_shaped("passed", {**_answer_in(value), **scored, "below_threshold": False})}


def ending_of(value):
    """A question that got no good enough answer ends with its best one, marked."""
    request = request_in(value)
    return {**request, **_shaped("ending", {**request["best"], "below_threshold": True})}


def _answer_in(value):
    return {name: value[name] for name in ("answer", "model", "usage") if name in value}


def _shaped(shape, known):
    """The fields that the handler puts there, in its order, as far as they are known."""
    return {name: known[name] for name in SOURCE["shapes"][shape] if name in known}

"""The rubric as handlers/shared/judge/rubric.ts applies it; weights, gate and threshold come from rubric.json.

In: five criteria, each 0 to 10. Out: the total, and whether the answer passes.
"""

from .javascript import rounded
from .source import SOURCE

_RUBRIC = SOURCE["rubric"]
CRITERIA = tuple(_RUBRIC["criteria"])
_WEIGHTS = {name: criterion["weight"] for name, criterion in _RUBRIC["criteria"].items()}


def total_of(rubric):
    """The weighted total, 0 to 10, with two decimals."""
    total = 0
    for name in CRITERIA:
        total += _WEIGHTS[name] * _clamp(rubric[name])
    return rounded(total * 100) / 100


def gate_passed(rubric):
    return _clamp(rubric["accuracy"]) >= _RUBRIC["accuracy_gate"]


def _clamp(value):
    return min(10, value) if value >= 0 else 0

"""The body of a request: ``{"interval": 7}``, and what else it may say."""

from __future__ import annotations

import json
from dataclasses import dataclass

from trainyard.in_image.handler_errors import BadRequest

MAX_STEPS = 10_000
FORMATS = {"json": "application/json", "csv": "text/csv"}
INTERVALS = ("exact", "sampled")
KEYS = ("interval", "interval_width", "format", "intervals")


@dataclass(frozen=True)
class ForecastRequest:
    """``interval`` steps ahead; ``interval_width`` and ``media_type`` are None where the body is silent.

    ``sampled`` asks for intervals that are sampled as Prophet does it, instead of exact ones.
    """

    interval: int
    interval_width: float | None
    media_type: str | None
    sampled: bool = False


def parse(body: str | bytes) -> ForecastRequest:
    """Raises BadRequest with what is wrong and what is possible."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f'the body is not JSON ({error}); send for example {{"interval": 7}}') from error
    if not isinstance(request, dict) or "interval" not in request:
        raise BadRequest('the body must be a JSON object with "interval", for example {"interval": 7}')
    unknown = ", ".join(repr(key)[:100] for key in request if key not in KEYS)
    if unknown:
        raise BadRequest(f"unknown in the body: {unknown}; possible: {', '.join(KEYS)}")
    steps, width, wanted, intervals = (request.get(key) for key in KEYS)
    if type(steps) is not int or not 1 <= steps <= MAX_STEPS:  # bool is an int, too
        raise BadRequest(
            f"interval must be a whole number of steps from 1 to {MAX_STEPS}, not {_shown(steps)}"
        )
    if width is not None and (type(width) not in (int, float) or not 0.01 <= width <= 0.99):
        raise BadRequest(f"interval_width must be a number from 0.01 to 0.99, not {_shown(width)}")
    if wanted is not None and wanted not in tuple(FORMATS):
        raise BadRequest(f"format must be json or csv, not {_shown(wanted)}")
    if intervals is not None and intervals not in INTERVALS:
        raise BadRequest(f"intervals must be exact or sampled, not {_shown(intervals)}")
    return ForecastRequest(steps, width, FORMATS[wanted] if wanted else None, intervals == "sampled")


def _shown(value: object) -> str:
    return json.dumps(value)[:100]

"""Print metrics so that the regular expressions in family.toml find them in the log.

A metric called ``validation:mase`` is printed as ``validation:mase=0.8123;`` and its definition in
family.toml is ``regex = 'validation:mase=(\\S+);'``. SageMaker reads metrics from a job's log
(AWS: "Define training metrics"); there is no other channel.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping


def format_metric(name: str, value: float) -> str:
    """The text for one metric, for example ``validation:mase=0.8123;``."""
    return f"{name}={float(value):.6g};"


def emit(values: Mapping[str, float], note: str = "") -> None:
    """Print several metrics on one line, ``note`` behind them for people; flushed, so that it is live."""
    line = " ".join(format_metric(name, value) for name, value in values.items())
    sys.stdout.write(f"{line} {note}".rstrip() + "\n")
    sys.stdout.flush()

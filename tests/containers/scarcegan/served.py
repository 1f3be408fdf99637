"""Small models as training leaves them, of telemetry with two counters or of three ready features."""

from __future__ import annotations

import numpy as np

COUNTERS = ("games", "loss")
FEATURES = ("x", "y", "z")
CLASSES = ["dormant", "normal", "heavy", "risky"]


def models(module, counters=(), count=2):
    """Their weights are random; features are scaled by what they themselves would be of random telemetry."""
    columns = module("features").columns(counters) if counters else FEATURES
    columns = [column for column in reversed(columns) if column != "games_period_2"]  # as if it were silent
    low, high = np.zeros(len(columns)), np.linspace(1, 3, len(columns))
    scaler = module("scaling").Scaler(tuple(columns), low, high, "log1p", tuple(counters)).as_json()
    shape = module("architecture").Architecture(len(columns), 4)
    details = {
        "format": module("model_files").FORMAT, "classes": CLASSES, "risky": 3, "columns": columns,
        "leeway": True, "layers": len(shape.body), "scaler": scaler,
    }  # fmt: skip
    made = []
    for number in range(count):
        weights = module("architecture").first_weights(shape, np.random.default_rng(number))
        weights["supervised.kernel"] *= 10  # for answers that differ
        own = {"name": f"fold_{number}", "threshold": {"value": 0.15 + number / 10}}
        made.append(module("model_files").Model(weights, details | own))
    return made


def telemetry(users=5, days=30):
    """[user, day, counters] rows of CSV, those of all users mixed; u0 has three days only."""
    random = np.random.default_rng(0)
    rows = [
        f"u{user},2026-01-{day + 1:02d},{random.poisson(3 + user)},{random.poisson(2 * day)}"
        for day in range(days)
        for user in reversed(range(users))
        if user or day < 3
    ]
    return "user,day,games,loss\n" + "\n".join(rows) + "\n"

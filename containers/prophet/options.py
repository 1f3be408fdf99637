"""What is asked of the engine, and the one way in which it refuses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Prophet's own options under Prophet's names, plus ``engine``, ``cap_factor`` and ``seed``; see family.toml."""

    engine: str = "auto"
    growth: str = "linear"
    seasonality_mode: str = "additive"
    yearly_seasonality: str = "auto"
    weekly_seasonality: str = "auto"
    daily_seasonality: str = "auto"
    changepoint_prior_scale: float = 0.05
    seasonality_prior_scale: float = 10.0
    holidays_prior_scale: float = 10.0
    n_changepoints: int = 25
    changepoint_range: float = 0.8
    interval_width: float = 0.8
    country_holidays: str = "none"
    cap_factor: float = 1.2
    seed: int = 0


class CannotFit(Exception):
    """No model could be fitted to these readings; the message says why."""


class NotCertain(CannotFit):
    """The exact engine came to no maximum that it can vouch for; Stan may do better."""

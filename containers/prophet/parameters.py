"""All that a fitted customer is: the parameters of Prophet's model, without the history they came from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Seasonality:
    """``order`` pairs of sine and cosine columns; ``period`` in days."""

    name: str
    period: float
    order: int
    mode: str  # additive or multiplicative
    prior_scale: float


@dataclass(frozen=True)
class Holiday:
    """One column: 1 on the days on which ``Parameters.country`` has a holiday of this name, else 0."""

    name: str
    mode: str
    prior_scale: float


@dataclass(frozen=True, eq=False)
class Waves:
    """The seasonalities as one sum: ``weights @ [sin; cos](2 pi outer(cycles, days))``."""

    cycles: np.ndarray[Any, Any]  # per day, one for each pair of columns
    weights: np.ndarray[Any, Any]  # row 0 adds, row 1 multiplies; without one that multiplies, no row 1


@dataclass(frozen=True, eq=False)
class Parameters:
    """Prophet's model, scaled as Prophet scales it: times by ``start`` and ``t_scale``, values by ``y_scale``.

    Times are whole nanoseconds since 1970, or between two moments; ``last`` is the last row's. The columns
    of ``beta`` are the seasonalities' in their order (sine 1, cosine 1, sine 2 ...), then the holidays'.
    There is no dummy where Prophet has one: without changepoints or columns the arrays are empty.
    """

    growth: str  # linear, flat or logistic
    start: int
    t_scale: int
    y_scale: float
    k: float
    m: float
    sigma: float
    changepoint_offsets: np.ndarray[Any, Any]  # int64, nanoseconds after start, ascending
    delta: np.ndarray[Any, Any]  # one per changepoint
    seasonalities: tuple[Seasonality, ...]
    holidays: tuple[Holiday, ...]  # sorted as Prophet sorts its columns: by name + "_delim_+0"
    beta: np.ndarray[Any, Any]
    last: int
    rows: int
    country: str | None = None  # whose holidays they are
    cap: float | None = None  # of logistic growth, in the values' own unit

    @cached_property
    def changepoints(self) -> np.ndarray[Any, Any]:
        """Prophet's ``changepoints_t``: 0 is the first row, 1 the last."""
        return self.changepoint_offsets / self.t_scale

    @cached_property
    def at_the_end(self) -> tuple[float, float]:
        """The trend's rate and offset behind the last changepoint, where nearly all forecasts are."""
        return self.delta.sum() + self.k, (self.delta * -self.changepoints).sum() + self.m

    @cached_property
    def waves(self) -> Waves:
        """What does not change from one forecast to the next."""
        orders = [np.arange(1, season.order + 1) / season.period for season in self.seasonalities]
        cycles = np.concatenate(orders) if orders else np.empty(0)
        pairs = self.beta[: 2 * len(cycles)].reshape(-1, 2)
        modes = [season.mode for season in self.seasonalities for _ in range(season.order)]
        both = "multiplicative" in modes
        weights = [
            np.concatenate([np.where([mode == wanted for mode in modes], part, 0.0) for part in pairs.T])
            for wanted in ("additive", "multiplicative")[: 1 + both]
        ]
        return Waves(cycles, np.array(weights))

    @property
    def mean_step(self) -> float:
        """The mean time between two rows, in nanoseconds; the last one fitted is row ``rows - 1``."""
        return self.t_scale / (self.rows - 1)

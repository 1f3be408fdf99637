"""Which days are public holidays where, year by year; what Prophet asks of the same package."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

_SUBSTITUTES = {"TU": "TR"}  # Prophet's name for Turkey


@lru_cache(maxsize=4096)
def of_year(country: str, year: int) -> dict[str, tuple[int, ...]]:
    """Each holiday's English name and its days, as days since 1970. Raises ValueError for no such country."""
    import holidays

    kind = getattr(holidays, _SUBSTITUTES.get(country, country), None)
    if kind is None:
        raise ValueError(f"the holidays of {country!r} are not known")
    epoch = np.datetime64("1970-01-01", "D")
    calendar = kind(expand=False, language="en_US", years=[year])
    found: dict[str, tuple[int, ...]] = {}
    for date in calendar:
        day = int((np.datetime64(date, "D") - epoch).astype(int))
        for name in calendar.get_list(date):
            found[name] = (*found.get(name, ()), day)
    return found


def names(country: str, ds: np.ndarray[Any, Any]) -> list[str]:
    """The holidays of all years that ``ds`` (datetime64) touches, in the order of Prophet's columns."""
    found = {name for year in _years(ds) for name in of_year(country, year)}
    return sorted(found, key=lambda name: f"{name}_delim_+0")


def columns(country: str, names: list[str], ds: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """One row per timestamp, one column per name: 1.0 where the day is that holiday, else 0.0."""
    days = ds.astype("datetime64[D]").astype(np.int64)
    on: dict[str, list[int]] = {name: [] for name in names}
    for year in _years(ds):
        for name, dates in of_year(country, year).items():
            if name in on:
                on[name].extend(dates)
    matrix = np.zeros((len(ds), len(names)))
    for column, name in enumerate(names):
        matrix[:, column] = np.isin(days, on[name])
    return matrix


def _years(ds: np.ndarray[Any, Any]) -> list[int]:
    return (np.unique(ds.astype("datetime64[Y]").astype(np.int64)) + 1970).tolist()

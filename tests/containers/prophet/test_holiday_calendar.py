"""The same holidays as Prophet's, one year at a time."""

from __future__ import annotations


def test_columns_are_prophets(snippet, tmp_path):
    snippet(
        """
import sys
import numpy as np
import holiday_calendar

stamps = np.arange("2022-11-15", "2025-03-01", 7, dtype="datetime64[h]")
found = {}
for country in ("ES", "US", "DE", "TU"):
    names = holiday_calendar.names(country, stamps)
    found[country] = names, holiday_calendar.columns(country, names, stamps)
assert "pandas" not in sys.modules
try:
    holiday_calendar.of_year("Atlantis", 2024)
except ValueError as error:
    assert "'Atlantis'" in str(error)

import pandas as pd
import stan_engine
from options import Options
for country, (names, columns) in found.items():
    prophet = stan_engine.new(Options(country_holidays=country))
    dates = pd.Series(stamps)
    theirs, _, _ = prophet.make_holiday_features(dates, prophet.construct_holiday_dataframe(dates))
    assert [name + "_delim_+0" for name in names] == list(theirs.columns), country
    assert (theirs.to_numpy() == columns).all() and columns.sum() > 20, country
""",
        tmp_path,
    )

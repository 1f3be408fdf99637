"""Days as dates and as numbers, and what is neither."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("texts", "days", "kind"),
    [
        (["2026-01-31", " 2026-02-01 "], [20484, 20485], "dates"),
        (["2026-01-31T23:59:59Z", "2026-02-01 00:00+09:00"], [20484, 20485], "dates"),
        (["20260131", "2026-02-01"], [20484, 20485], "dates"),
        (["-3", "4.0", "123456789"], [-3, 4, 123456789], "numbers"),
        (["7", "20260131"], [None, 20484], "dates"),
        (["2026-13-01", "20261399", "31.01.2026", "", "4.5"], [None] * 5, "dates"),
        ([], [], "numbers"),
    ],
)
def test_days(module, texts, days, kind):
    assert module("days").read(texts) == (days, kind)
    if kind == "dates" and days[-1] is not None:
        assert str(np.datetime64(days[-1], "D")) in ("2026-01-31", "2026-02-01")

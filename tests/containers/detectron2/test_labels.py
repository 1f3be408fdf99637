"""Numbers as annotation files write them."""

from __future__ import annotations

import math

import pytest


@pytest.fixture
def labels(module):
    return module("labels")


@pytest.mark.parametrize(
    ("written", "number"),
    [(7, 7), (7.0, 7), (-3, -3), (10**400, 10**400), (7.5, None), (True, None), ("7", None), (None, None),
     (math.inf, None), (math.nan, None)],
)  # fmt: skip
def test_whole_numbers(labels, written, number):
    assert labels.whole_number(written) == number


def test_four_numbers_or_none(labels):
    assert labels.numbers([1, 2.5, 3, 4]) == (1, 2.5, 3, 4)
    for wrong in ([1, 2, 3], [1, 2, 3, True], [1, 2, 3, "4"], {1: 2}, None, [1, 2, 3, 10**400]):
        assert all(map(math.isnan, labels.numbers(wrong)))


def test_messages_stay_short(labels):
    assert labels.short("a") == "'a'"
    assert len(labels.short("a" * 1000)) == 80

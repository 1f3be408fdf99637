"""Piecewise-linear encoding: bins where labelled rows are, each class counting alike; nothing is lost inside them."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def encodings(module):
    return module("encoding")


@pytest.fixture
def rows():
    random = np.random.default_rng(0)
    made = random.normal(size=(400, 3)).astype(np.float32)
    made[:, 1] = np.round(made[:, 1])  # few values
    made[:, 2] = 0.25  # one
    return made, np.repeat([0, 1], [380, 20])


def test_a_row_is_how_far_it_got_through_each_bin(encodings):
    encoding = encodings.Encoding(
        np.array([0, 0, 1]), np.array([0.0, 1.0, 5.0], "f4"), np.array([1, 3, 6], "f4")
    )
    encoded = encoding(np.array([[0.5, 5.25], [2.0, 7.0], [-9.0, 0.0], [3.0, 6.0]]))
    assert encoded.dtype == np.float32
    assert encoded.tolist() == [[0.5, 0, 0.25], [1, 0.5, 1], [0, 0, 0], [1, 1, 1]]


def test_bins_are_as_many_as_values_allow_and_none_for_a_constant(encodings, rows):
    encoding = encodings.Encoding.fit(*rows, 8)
    widths = np.bincount(encoding.feature, minlength=3)
    assert widths[0] == 8 and 3 <= widths[1] <= 8 and widths[2] == 0
    assert (encoding.low < encoding.high).all()
    first = encoding.feature == 0
    assert encoding.low[first][0] == rows[0][:, 0].min() and encoding.high[first][-1] == rows[0][:, 0].max()
    assert (encoding.low[first][1:] == encoding.high[first][:-1]).all()


def test_within_the_range_the_value_can_be_had_back(encodings, rows):
    encoding = encodings.Encoding.fit(*rows, 8)
    back = encoding(rows[0]) * (encoding.high - encoding.low)
    for feature in (0, 1):
        mine = encoding.feature == feature
        assert np.allclose(back[:, mine].sum(axis=1) + encoding.low[mine][0], rows[0][:, feature], atol=1e-5)


def test_each_class_counts_alike(encodings):
    """Of 20 rows beyond 10 among 400, half of the bins lie there."""
    values = np.concatenate([np.linspace(0, 1, 380), np.linspace(10, 11, 20)])[:, None]
    labels = np.repeat([0, 1], [380, 20])
    for order in (slice(None), slice(None, None, -1)):
        encoding = encodings.Encoding.fit(values[order], labels[order], 8)
        assert (encoding.high >= 10).sum() == 4 or (encoding.high > 10).sum() == 4


def test_arrays_and_back(encodings, rows):
    encoding = encodings.Encoding.fit(*rows, 4)
    again = encodings.Encoding.of({"other": np.zeros(1), **encoding.arrays()})
    assert (again(rows[0]) == encoding(rows[0])).all()
    assert encodings.Encoding.of({"other": np.zeros(1)}) is None
    assert encodings.Encoding.nothing().low.size == 0


def test_an_encoding_that_does_not_fit_is_known(encodings, rows):
    encoding = encodings.Encoding.fit(*rows, 4)
    assert encoding.fits(3) and encoding.fits(2) and not encoding.fits(1)
    assert not encodings.Encoding(encoding.feature, encoding.high, encoding.low).fits(3)
    assert not encodings.Encoding(encoding.feature[1:], encoding.low, encoding.high).fits(3)
    assert not encodings.Encoding.nothing().fits(3)

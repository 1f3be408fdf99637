from __future__ import annotations

import pytest

from trainyard.errors import DefinitionError
from trainyard.execution.tuning.ranges import Categorical, Numeric, read_ranges


def read(kind, **entry):
    return read_ranges("R", {f"{kind}ParameterRanges": [{"Name": "x", **entry}]})[0]


@pytest.mark.parametrize(
    ("kind", "low", "high", "scaling", "scale"),
    [
        ("Continuous", "0", "1", "Auto", "Linear"),
        ("Continuous", "0.001", "0.1", "Auto", "Logarithmic"),
        ("Continuous", "0.001", "0.1", "Linear", "Linear"),
        ("Continuous", "0", "0.999", "ReverseLogarithmic", "ReverseLogarithmic"),
        ("Integer", "1", "8", "Auto", "Linear"),
        ("Integer", "1", "1024", None, "Logarithmic"),
    ],
)
def test_scaling(kind, low, high, scaling, scale) -> None:
    assert read(kind, MinValue=low, MaxValue=high, ScalingType=scaling).scale == scale


@pytest.mark.parametrize(
    ("kind", "entry", "message"),
    [
        ("Continuous", {"MinValue": "2", "MaxValue": "1"}, "MinValue 2 is above MaxValue 1"),
        ("Continuous", {"MinValue": "a", "MaxValue": "1"}, "MinValue is 'a'"),
        ("Continuous", {"MinValue": "nan", "MaxValue": "1"}, "MinValue is 'nan'"),
        ("Integer", {"MinValue": "1.5", "MaxValue": "2"}, "a whole number is needed"),
        ("Continuous", {"MinValue": "0", "MaxValue": "1", "ScalingType": "Logarithmic"}, "values above 0"),
        ("Continuous", {"MinValue": "0", "MaxValue": "1", "ScalingType": "ReverseLogarithmic"}, "within 0 <= x < 1"),
        ("Integer", {"MinValue": "0", "MaxValue": "0", "ScalingType": "ReverseLogarithmic"}, "continuous"),
        ("Integer", {"MinValue": "0", "MaxValue": "1", "ScalingType": "Cubic"}, "possible: Auto"),
        ("Categorical", {"Values": []}, "is empty"),
    ],
)  # fmt: skip
def test_ranges_that_cannot_be(kind, entry, message) -> None:
    with pytest.raises(DefinitionError, match=message):
        read(kind, **entry)


def test_a_name_has_one_range() -> None:
    twice = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["1"]}] * 2}
    with pytest.raises(DefinitionError, match="2 ranges"):
        read_ranges("R", twice)
    with pytest.raises(DefinitionError, match="no ranges"):
        read_ranges("R", {})


def test_values_are_spelt_as_sagemaker_does() -> None:
    whole = Numeric(name="x", low=1, high=9, whole=True, scale="Linear")
    linear = Numeric(name="x", low=0.1, high=0.9, whole=False, scale="Linear")
    reverse = Numeric(name="x", low=0.0, high=0.99, whole=False, scale="ReverseLogarithmic")
    assert (whole.text(3), linear.text(0.25), linear.text(1.5)) == ("3", "0.25", "0.9")
    assert reverse.text(0.25) == "0.75"
    assert Categorical(name="c", values=("1", "on")).text("1") == "1"


@pytest.mark.parametrize("scale", ["Linear", "Logarithmic", "ReverseLogarithmic"])
def test_what_was_drawn_is_found_again(scale) -> None:
    numeric = Numeric(name="x", low=0.01, high=0.99, whole=False, scale=scale)
    distribution = numeric.distribution()
    for drawn in (distribution.low, (distribution.low + distribution.high) / 2, distribution.high):
        assert numeric.drawn(numeric.text(drawn)) == pytest.approx(drawn)
    for outside in ("0.001", "1", "x"):
        with pytest.raises(ValueError):
            numeric.drawn(outside)

"""train.py's arguments and family.toml's declarations are the same."""

from __future__ import annotations

import dataclasses

import pytest

from trainyard import families
from trainyard.in_image.arguments import BadArgument

DECLARED = families.find_family(families.repository_root(), "prophet").training.hyperparameters


def parse(module, *argv):
    return module("hyperparameters").parser("").parse_args(argv)


def test_names_and_defaults(module):
    assert vars(parse(module)) == {each.name: each.default for each in DECLARED}


@pytest.mark.parametrize("each", DECLARED, ids=lambda each: each.name)
def test_values_and_ranges(module, each):
    if each.type == "text":
        return
    good = each.values if each.type == "categorical" else each.range
    bad = ["neither"] if each.type == "categorical" else [each.range[0] - 0.5, each.range[1] + 1, "nan"]
    for value in good:
        assert getattr(parse(module, f"--{each.name}", str(value)), each.name) == value
    for value in bad:
        with pytest.raises(BadArgument, match=each.name):
            parse(module, f"--{each.name}", str(value))


def test_the_toolkits_spelling_of_true(module):
    assert parse(module, "--weekly_seasonality", "True").weekly_seasonality == "true"


def test_options(module):
    hyperparameters, engine = module("hyperparameters"), module("engine")
    options = hyperparameters.options(parse(module, "--seed", "7", "--interval_width", "0.9"))
    assert dataclasses.asdict(options) == dataclasses.asdict(engine.Options(seed=7, interval_width=0.9))


def test_an_unknown_country(module, monkeypatch):
    def check(options):
        raise ValueError(f"country_holidays={options.country_holidays!r} is no country code")

    monkeypatch.setattr(module("engine"), "check", check)
    with pytest.raises(BadArgument, match="country_holidays='XX' is no country"):
        module("hyperparameters").options(parse(module, "--country_holidays", "XX"))

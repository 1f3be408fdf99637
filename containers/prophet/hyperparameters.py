"""The hyperparameters as command-line arguments, checked; family.toml declares the same ones to the host."""

from __future__ import annotations

import argparse
import dataclasses

import engine
from options import Options

from trainyard.in_image.arguments import BadArgument, Parser, between

SWITCH = ("auto", "true", "false")


def parser(description: str | None) -> argparse.ArgumentParser:
    """SageMaker passes hyperparameters as ``--name value``, all of them text; names have underscores.

    Parsing raises BadArgument.
    """
    arguments = Parser(description)
    default = Options()
    add = arguments.add_argument
    add("--engine", choices=("auto", "map", "stan"), default=default.engine)
    add("--growth", choices=("linear", "flat", "logistic"), default=default.growth)
    add("--seasonality_mode", choices=("additive", "multiplicative"), default=default.seasonality_mode)
    for seasonality in ("yearly_seasonality", "weekly_seasonality", "daily_seasonality"):
        # the training toolkit turns "true" into True, and that into "True"
        add(f"--{seasonality}", type=str.lower, choices=SWITCH, default=getattr(default, seasonality))
    add("--changepoint_prior_scale", type=between(0.0001, 100.0), default=default.changepoint_prior_scale)
    add("--seasonality_prior_scale", type=between(0.0001, 100.0), default=default.seasonality_prior_scale)
    add("--holidays_prior_scale", type=between(0.0001, 100.0), default=default.holidays_prior_scale)
    add("--n_changepoints", type=between(0, 500, int), default=default.n_changepoints)
    add("--changepoint_range", type=between(0.1, 1.0), default=default.changepoint_range)
    add("--interval_width", type=between(0.01, 0.99), default=default.interval_width)
    add("--country_holidays", default=default.country_holidays)
    add("--cap_factor", type=between(1.01, 100.0), default=default.cap_factor)
    add("--seed", type=between(0, 2**31 - 2, int), default=default.seed)
    add("--max_failed_share", type=between(0.0, 1.0), default=0.05)
    add("--processes", type=between(0, 512, int), default=0)
    return arguments


def options(arguments: argparse.Namespace) -> Options:
    """The engine's part of the parsed arguments. Raises BadArgument for an unknown country."""
    names = [field.name for field in dataclasses.fields(Options)]
    chosen = Options(**{name: getattr(arguments, name) for name in names})
    try:
        engine.check(chosen)
    except ValueError as error:
        raise BadArgument(str(error)) from error
    return chosen

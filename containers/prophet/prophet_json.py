"""Turn a customer's archive into Prophet's own JSON, for those who want to go on with Prophet.

    python prophet_json.py customer_0.tar.gz customer_0.csv > customer_0.json

The CSV is the one that the model was trained on (columns ds, y): the archive holds no history, and Prophet's
file does. ``prophet.serialize.model_from_json`` reads the result; it predicts what the archive predicts.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import customers
import engine
import numpy as np
import stan_engine
from options import Options

from trainyard.in_image.archives import BadArchive, read_archive


class OtherHistory(Exception):
    """These are not the readings that the model was fitted to; the message says what differs."""


def to_prophet(model: engine.Model, ds: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> Any:
    """A fitted Prophet object with the model's parameters. Raises OtherHistory."""
    stan_engine.quiet()
    import pandas as pd

    given = model.parameters
    options = Options(**(model.provenance.options if model.provenance else {"growth": given.growth}))
    frame = pd.DataFrame({"ds": ds, "y": y})
    if given.cap is not None:
        frame["cap"] = given.cap
    prophet = stan_engine.new(options)
    prophet.preprocess(frame)
    prophet.interval_width = model.interval_width
    _same(prophet, model)
    columns = given.beta if len(given.beta) else np.zeros(1)  # Prophet's dummy
    delta = given.delta if len(given.delta) else np.zeros(1)
    prophet.params = {
        name: np.reshape(value, (1, -1))
        for name, value in (
            ("k", given.k), ("m", given.m), ("delta", delta), ("sigma_obs", given.sigma), ("beta", columns)
        )
    }  # fmt: skip
    return prophet


def dumps(model: engine.Model, ds: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> str:
    """The JSON that Prophet's ``model_from_json`` reads. Raises OtherHistory."""
    prophet = to_prophet(model, ds, y)
    from prophet.serialize import model_to_json

    return model_to_json(prophet)


def _same(prophet: Any, model: engine.Model) -> None:
    """Prophet has prepared the readings that were fitted, with the options they were fitted with."""
    given = model.parameters
    stamps = prophet.history["ds"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    offsets = np.sort(prophet.changepoints.to_numpy().astype("datetime64[ns]").astype(np.int64)) - stamps[0]
    wanted = [season.name for season in given.seasonalities] + [holiday.name for holiday in given.holidays]
    holidays = [] if prophet.train_holiday_names is None else sorted(prophet.train_holiday_names)
    for what, found, fitted in (
        ("rows", len(stamps), given.rows),
        ("first timestamp", stamps[0], given.start),
        ("last timestamp", stamps[-1], given.start + given.t_scale),
        ("largest value", prophet.y_scale, given.y_scale),
        ("changepoints", offsets.tolist(), given.changepoint_offsets.tolist()),
        ("seasonalities and holidays", sorted([*prophet.seasonalities, *holidays]), sorted(wanted)),
    ):
        if found != fitted:
            raise OtherHistory(f"the model was fitted to other readings or options: their {what} differ")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("csv", type=Path)
    arguments = parser.parse_args(argv)
    try:
        model = engine.load(read_archive(arguments.archive)["model.json"])
        series = customers.read_series(arguments.csv)
        print(dumps(model, series.ds, series.y))
    except (BadArchive, KeyError, engine.BadModel, customers.BadSeries, OtherHistory, OSError) as error:
        print(f"cannot be converted: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

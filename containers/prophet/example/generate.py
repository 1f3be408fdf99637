"""Make the example's data: customers with a trend, daily, weekly and yearly rhythms, and noise.

    python generate.py --output FOLDER [--customers 1000] [--days 760] [--freq D|h|30min|15min] [--seed 0]

Needs numpy only; the same arguments always give the same file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

MINUTES = {"D": 1440, "h": 60, "30min": 30, "15min": 15}
START = np.datetime64("2024-01-01T00:00", "m")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="the folder for consumption.csv")
    parser.add_argument("--customers", type=int, default=12)
    parser.add_argument("--days", type=int, default=760, help="above 730, Prophet's yearly seasonality is on")
    parser.add_argument("--freq", choices=tuple(MINUTES), default="D")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    arguments.output.mkdir(parents=True, exist_ok=True)
    minutes = np.arange(0, arguments.days * 1440, MINUTES[arguments.freq])
    stamps = np.datetime_as_string(START + minutes, unit="D" if arguments.freq == "D" else "m")
    with (arguments.output / "consumption.csv").open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("customer_id,timestamp,consumption\n")
        for customer in range(arguments.customers):
            generator = np.random.default_rng([arguments.seed, customer])
            kwh = consumption(minutes / 1440, generator)
            rows = zip(stamps.tolist(), kwh.tolist(), strict=True)
            stream.writelines(f"customer_{customer},{stamp},{value:.3f}\n" for stamp, value in rows)
    return 0


def consumption(days: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """One customer's kWh at times given in days since the start, a Monday; never negative."""
    level = generator.lognormal(3.0, 0.6)
    growth = generator.normal(0.0, 0.1) * days / 365.25
    bend = generator.normal(0.0, 0.2) * np.maximum(days - generator.uniform(200, 500), 0) / 365.25
    yearly = generator.uniform(0.1, 0.4) * np.cos(2 * np.pi * (days - generator.normal(15, 10)) / 365.25)
    weekend = generator.normal(0.0, 0.25) * ((days % 7) >= 5)
    weekly = generator.uniform(0.02, 0.1) * np.sin(2 * np.pi * days / 7 + generator.uniform(0, 2 * np.pi))
    shape = 1 + growth + bend + yearly + weekend + weekly
    if len(days) > 1 and days[1] < 1:
        evening = generator.uniform(0.7, 0.9)
        shape = shape + generator.uniform(0.2, 0.5) * np.cos(2 * np.pi * (days - evening))
    noise = generator.uniform(0.03, 0.1) * generator.standard_normal(len(days))
    return np.maximum(level * (shape + noise), 0.0)


if __name__ == "__main__":
    raise SystemExit(main())

"""What prophet_quality.py measured as one table: each promise of the exact engine, and whether it was kept.

    python3 benchmarks/prophet_reading.py data FOLDER
    python3 benchmarks/prophet_reading.py table FILE

Needs no packages. The first prints where in FOLDER the customers lie; the second reads what ``trainyard bench`` kept.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

from trainyard.cli.table import table

FILE = "customers_daily_long.parquet"
ENOUGH = 100  # customers, for a median to be judged
SOURCE = "https://github.com/truggles/EIA_Cleaned_Hourly_Electricity_Demand_Data"


class Promise(NamedTuple):
    """``least`` and ``most`` hold for every customer, or for the median where ``of`` is that."""

    side: str
    measure: str
    meaning: str
    least: float = float("-inf")
    most: float = float("inf")
    of: str = "every"


PROMISES = (
    Promise("prophet", "better", "log posterior, above Stan's", least=-1e-6),
    Promise("prophet", "gained", "what Stan gains from there", most=1e-6),
    Promise("prophet", "violation", "conditions of a maximum, missed by", most=1e-6),
    Promise("prophet", "other", "log variance, from below as from above", most=1e-6),
    Promise("prophet", "ratio_7", "error on the next 7 days, to Prophet's", 0.99, 1.01, "median"),
    Promise("prophet", "ratio_90", "error on the next 90 days, to Prophet's", 0.99, 1.01, "median"),
    Promise("peer", "difference", "forecast, to prophet-batch's / range", most=1e-8),
    Promise("peer", "together", "forecast, solved together or alone / range", most=1e-8),
    Promise("peer", "density", "log posterior, above prophet-batch's", least=-1e-6),
)


def data(folder: Path) -> str:
    """Where the file is; exits with what is missing and where it can be had."""
    for place in (folder / "electricity", folder):
        if (place / FILE).is_file():
            return str(place)
    raise SystemExit(
        f"{folder / 'electricity'}: no {FILE} there; it is made of daily sums of {SOURCE}: columns customer, ds, y; "
        "put it there, or name another folder with --data or TRAINYARD_DATA"
    )


def kept(promise: Promise, values: list[float]) -> bool:
    judged = [statistics.median(values)] if promise.of == "median" else values
    return all(promise.least <= value <= promise.most for value in judged)


def verdict(promise: Promise, values: list[float]) -> str:
    if promise.of == "median" and len(values) < ENOUGH:
        return "too few"
    return "kept" if kept(promise, values) else "BROKEN"


def bound(promise: Promise) -> str:
    if promise.least > float("-inf") and promise.most < float("inf"):
        text = f"{promise.least:g} to {promise.most:g}"
    elif promise.least > float("-inf"):
        text = f"{promise.least:g} or more"
    else:
        text = f"{promise.most:g} or less"
    return text if promise.of == "every" else f"{promise.of} {text}"


def page(document: dict) -> str:
    results = document["results"]
    rows, broken = [["", "least", "median", "most", "promised", ""]], []
    for promise in PROMISES:
        values = results[promise.side]["measured"][promise.measure]
        said = verdict(promise, values)
        broken += [promise.meaning] if said == "BROKEN" else []
        numbers = [float(value) for value in (min(values), statistics.median(values), max(values))]
        rows.append([promise.meaning, *numbers, bound(promise), said])
    return "\n\n".join([table(rows[0], rows[1:]), *words(results, broken)])


def words(results: dict, broken: list[str]) -> list[str]:
    ours, peer = results["prophet"], results["peer"]
    seconds = statistics.median(ours["measured"]["seconds"])
    stan = statistics.median(ours["measured"]["stan_seconds"])
    alone, together, rival = (
        peer["measured"][name][0] for name in ("seconds", "together_seconds", "peer_seconds")
    )
    customers = ours["customers"]
    whole = f"Broken: {'; '.join(broken)}." if broken else f"All kept, on each of {customers} customers."
    pace = (
        f"On this machine, as busy as it was, a fit took {1e3 * seconds:.2f} ms, Prophet's {1e3 * stan:.0f} ms "
        f"({stan / seconds:.0f} times as long); beside prophet-batch {1e3 * alone:.2f} ms, {1e3 * together:.2f} ms "
        f"together, and {1e3 * rival:.1f} ms ({rival / alone:.0f} and {rival / together:.0f} times as long)."
    )
    return [whole, pace]


def main(argv: list[str]) -> int:
    if len(argv) != 2 or argv[0] not in ("data", "table"):
        print(__doc__, file=sys.stderr)
        return 2
    print(data(Path(argv[1])) if argv[0] == "data" else page(json.loads(Path(argv[1]).read_text())))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

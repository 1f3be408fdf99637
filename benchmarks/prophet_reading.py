"""What prophet_quality.py measured as two tables: each promise of the exact engine, and how fast all is.

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


class Pace(NamedTuple):
    """``ours`` and ``theirs`` are numbers by name; ``least`` is demanded of their ratio, ``most`` of ours."""

    what: str
    than: str
    ours: str
    theirs: str
    unit: str = "ms"
    least: float = 0.0
    most: float = float("inf")


MMS = "multi-model-server"
PACES = (
    Pace("fit, 731 days, each by itself", "Prophet().fit", "fit_alone", "fit_prophet", least=100),
    Pace("fit, 731 random timestamps of its own", "Prophet().fit", "fit_own", "fit_prophet_own", least=100),
    Pace("fit, 500 customers on one grid", "Prophet().fit", "fit_together", "fit_prophet", least=1000),
    Pace("fit, each by itself", "prophet-batch", "peer.fit_alone", "fit_peer", least=5),
    Pace(
        "CSV to archive, one process", "read_csv, fit, JSON, tarfile", "job", "job_prophet", least=100, most=2
    ),
    Pace("  train.py in one process, start included", "the same", "job_one_process", "job_prophet"),
    Pace("  train.py on all cores, start included", "the same", "job_all_cores", "job_prophet"),
    Pace("load a model over HTTP, p50", MMS, "serve_load", "mms_load", least=200, most=5),
    Pace("  the first answer, p50", MMS, "serve_first", "mms_first"),
    Pace("requests/s, 8 connections, 2 processes", MMS, "serve_rate", "mms_rate", "1/s", least=100),
    Pace("  one connection, p50", MMS, "serve_p50", "mms_p50"),
    Pace("memory of 1,000 models", f"{MMS} (from 12)", "serve_memory", "mms_memory", "MB", most=100),
)
NOT_MEASURED = "not measured"


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
    return "\n\n".join([table(rows[0], rows[1:]), *words(results, broken), *speed(results)])


def speed(results: dict) -> list[str]:
    """How fast all is; nothing where it was not measured."""
    sides = [results[side].get("speed", {}) for side in ("prophet", "peer")]
    if not sides[0]:
        return []
    numbers = {**sides[1], **sides[0], "peer.fit_alone": sides[1].get("fit_alone")}
    rows = []
    for pace in PACES:
        ours, theirs = numbers.get(pace.ours), numbers.get(pace.theirs)
        rows.append(_pace(pace, ours, theirs))
    for what, ours, unit, theirs, least, most in sides[0]["lines"]:
        rows.append(_pace(Pace(what, "Prophet", "", "", unit, least, most or float("inf")), ours, theirs))
    missed = [row[0].strip() for row in rows if row[-1] == "NOT MET"]
    heads = ["", "against", "ours", "theirs", "ratio", "at least", ""]
    said = f"Not met: {'; '.join(missed)}." if missed else "Every demand is met, of what was measured."
    return [table(heads, rows), said]


def _pace(pace: Pace, ours: float | None, theirs: float | None) -> list[str]:
    demanded = [f"{pace.least:,.0f}x"] if pace.least else []
    demanded += [f"under {pace.most:,.0f} {pace.unit}"] if pace.most < float("inf") else []
    numbers = [NOT_MEASURED if one is None else f"{one:,.4g} {pace.unit}" for one in (ours, theirs)]
    ratio = None
    if ours and theirs:
        ratio = ours / theirs if pace.unit == "1/s" else theirs / ours
    known = ours is not None and (ratio is not None or not pace.least)
    met = known and (ratio or 0) >= pace.least and ours < pace.most
    verdict = ("met" if met else "NOT MET" if known else NOT_MEASURED) if demanded else ""
    times = f"{ratio:,.0f}x" if ratio and ratio >= 10 else f"{ratio:.2g}x" if ratio else ""
    return [pace.what, pace.than, *numbers, times, ", ".join(demanded), verdict]


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

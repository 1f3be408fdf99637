"""The table says of each promise whether the numbers keep it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).parents[2] / "benchmarks" / "prophet_reading.py"
spec = importlib.util.spec_from_file_location("prophet_reading", FILE)
reading = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reading)


def document(**changed):
    """Three customers of whom all is well, apart from what is changed."""
    well = {
        "better": 0.5,
        "gained": 0.0,
        "violation": 1e-9,
        "other": 1e-12,
        "ratio_7": 1.001,
        "ratio_90": 0.999,
    }
    ours = {name: [value] * 3 for name, value in well.items()} | {
        "seconds": [0.001] * 3,
        "stan_seconds": [0.2] * 3,
    }
    peer = {name: [1e-12] * 3 for name in ("difference", "together", "density")}
    peer |= {"seconds": [0.001], "together_seconds": [0.0002], "peer_seconds": [0.01]}
    for name, values in changed.items():
        (ours if name in ours else peer)[name] = values
    return {
        "results": {"prophet": {"customers": 3, "measured": ours}, "peer": {"customers": 3, "measured": peer}}
    }


def lines(**changed):
    return reading.page(document(**changed)).splitlines()


def test_all_is_kept():
    text = "\n".join(lines())
    assert "All kept, on each of 3 customers." in text and "BROKEN" not in text
    assert "a fit took 1.00 ms, Prophet's 200 ms (200 times as long)" in text
    assert "0.20 ms together, and 10.0 ms (10 and 50 times as long)" in text


def test_one_customer_breaks_a_promise_about_every():
    found = lines(better=[0.5, -2e-6, 0.5])
    broken = [line for line in found if line.endswith("BROKEN")]
    assert len(broken) == 1 and broken[0].startswith("log posterior, above Stan's")
    assert "-2e-06" in broken[0] and "Broken: log posterior, above Stan's." in found


def test_a_median_may_have_extremes_and_needs_many():
    assert not any("BROKEN" in line for line in lines(ratio_7=[0.5, 1.0, 3.0] * 40))
    assert any("BROKEN" in line for line in lines(ratio_90=[1.02, 1.02, 0.9] * 40))
    (few,) = [line for line in lines(ratio_90=[1.02] * 3) if "next 90 days" in line]
    assert few.endswith("too few")


def run(*words):
    return subprocess.run([sys.executable, "-I", FILE, *map(str, words)], capture_output=True, text=True)


def test_as_a_program(tmp_path):
    absent = run("data", tmp_path)
    assert absent.returncode == 1 and "no customers_daily_long.parquet there" in absent.stderr
    (tmp_path / "electricity").mkdir()
    (tmp_path / "electricity" / "customers_daily_long.parquet").touch()
    assert run("data", tmp_path).stdout.strip() == str(tmp_path / "electricity")
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(document()))
    assert "All kept" in run("table", kept).stdout
    assert run("anything").returncode == 2

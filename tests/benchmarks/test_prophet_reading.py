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


def fast(side="prophet", **changed):
    """The lines about speed, of numbers that are all met apart from what is changed; None takes one away."""
    ours = {
        "fit_alone": 0.6,
        "fit_own": 0.6,
        "fit_together": 0.06,
        "fit_prophet": 80.0,
        "fit_prophet_own": 80.0,
    }
    ours |= {"job": 0.5, "job_prophet": 90.0, "job_one_process": 1.0, "job_all_cores": 0.8}
    ours |= {
        "serve_load": 1.0,
        "serve_first": 1.0,
        "serve_rate": 5000.0,
        "serve_p50": 0.2,
        "serve_memory": 60.0,
    }
    ours |= {
        "lines": [
            ["load a model", 0.04, "ms", 9.0, 0.0, None],
            ["a model, largest", 1378, "bytes", 1e5, 0.0, 2000],
        ]
    }
    peer = {"fit_alone": 0.6, "fit_peer": 9.0, "mms_load": 900.0, "mms_first": 50.0, "mms_rate": 20.0}
    peer |= {"mms_p50": 40.0, "mms_memory": 120_000.0}
    sides = {"prophet": ours, "peer": peer}
    sides[side] |= changed
    whole = document()
    for name, numbers in sides.items():
        whole["results"][name]["speed"] = {key: one for key, one in numbers.items() if one is not None}
    return reading.speed(whole["results"])


def test_every_demand_on_speed_is_met():
    text, said = fast()
    assert said == "Every demand is met, of what was measured."
    rows = {line.split("  ")[0].strip(): line for line in text.splitlines()}
    assert "180x" in rows["CSV to archive, one process"] and rows["CSV to archive, one process"].endswith(
        "met"
    )
    assert rows["requests/s, 8 connections, 2 processes"].split()[-3:] == ["250x", "100x", "met"]
    assert rows["fit, each by itself"].split()[-3:] == ["15x", "5x", "met"]
    assert rows["load a model"].endswith("225x") and rows["a model, largest"].endswith("met")


def test_each_of_two_demands_can_be_missed():
    for changed in ({"job": 2.5, "job_prophet": 900.0}, {"job_prophet": 40.0}, {"serve_memory": 101.0}):
        text, said = fast(**changed)
        assert sum(line.endswith("NOT MET") for line in text.splitlines()) == 1
        assert said.startswith(
            "Not met: CSV to archive" if "job" in next(iter(changed)) else "Not met: memory"
        )


def test_what_was_not_measured_is_not_judged():
    text, said = fast("peer", mms_load=None, mms_rate=None, mms_memory=None)
    assert text.count("not measured") == 5, "three of theirs, and the two demands that are a ratio"
    assert said == "Every demand is met, of what was measured."
    assert reading.speed(document()["results"]) == []


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

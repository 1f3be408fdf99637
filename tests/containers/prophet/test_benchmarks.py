"""The load test sees what is wrong, and nothing where nothing is; the plot and the costs are drawn from numbers."""

from __future__ import annotations

import subprocess
import sys

from trainyard import families

BENCHMARKS = families.repository_root() / "benchmarks"


def test_a_short_load_test_of_a_real_server(family_python, environment, tmp_path):
    command = [str(family_python), str(BENCHMARKS / "prophet_load.py")]
    command += ["--models", "16", "--minutes", "0.05", "--connections", "4"]
    ran = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "none wrong, no 5xx" in ran.stdout and "memory, MB: " in ran.stdout
    counted = {line[:20].strip(): line[20:].strip() for line in ran.stdout.splitlines()}
    assert {"invoke 200", "load 200", "unload 200", "bad 400"} <= counted.keys()


def test_what_is_wrong_is_said(snippet, tmp_path):
    snippet(
        f"""
import sys
sys.path.insert(0, {str(BENCHMARKS)!r})
import prophet_load as load

steady = [(second, 50.0) for second in range(40)]
assert load.verdict(load.Seen(memory=steady)) == []
seen = load.Seen(memory=[(second, 50.0 + second) for second in range(40)])
seen.statuses.update({{"invoke 200": 9, "invoke 500": 2, "load 507": 3, "load 503": 1}})

guest = load.Guest(type("Server", (), {{"address": None}}), ["a"], {{"a": [b"right", b"right"]}}, 0)
guest.comes_and_goes = set()
for _ in range(40):
    guest.next()
    if guest.what == "invoke a":
        load._judge(guest, 200, b"wrong", seen)
        assert guest.judge(200, b"right") and not guest.judge(404, b"")
    else:
        assert not guest.judge(200, b"")
assert guest.there == {{"a": True}}
faults = load.verdict(seen)
assert len(faults) == 3, faults
assert "wrong answers, the first: invoke a: 200 wrong" in faults[0]
assert faults[1] == "2 answers 500" and faults[2].startswith("memory grew from 60.0 to 89.0")
""",
        tmp_path,
    )


def test_costs():
    script = [sys.executable, "-I", str(BENCHMARKS / "prophet_cost.py"), "--customers", "1000000"]
    ran = subprocess.run(script, capture_output=True, text=True, check=True)
    (line,) = [line for line in ran.stdout.splitlines() if "as it is" in line and "4 x ml.c5.xlarge" in line]
    assert "10.40" in line.split(), "a GET and two PUTs of a million customers"


def test_the_plot_goes_on_in_proportion(family_python, environment, tmp_path):
    points = tmp_path / "points.json"
    points.write_text('{"trainyard": [[10, 0.1], [1000, 1]], "Prophet": [[10, 1], [100, 10]]}')
    command = [str(family_python), str(BENCHMARKS / "prophet_plot.py"), str(points), "--output"]
    made = tmp_path / "images" / "time.png"
    subprocess.run([*command, str(made)], env=environment(tmp_path), check=True, capture_output=True)
    assert made.read_bytes().startswith(b"\x89PNG") and made.stat().st_size < 100_000

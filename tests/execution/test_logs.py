from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from trainyard.execution.logs import LogFollower
from trainyard.execution.request import Metric

LOSS = Metric(name="loss", regex=r"loss=(\S+);")


def test_metrics_of_all_hosts_the_last_value_stays(tmp_path: Path) -> None:
    logs = [tmp_path / "algo-1.log", tmp_path / "algo-2.log"]
    seen, lines = [], []
    follower = LogFollower(logs, [LOSS], lambda host, line: lines.append((host, line)),
                           lambda host, name, value: seen.append(value))  # fmt: skip
    follower.read()
    logs[0].write_text("loss=1; loss=0.5;\nhello\nlos")
    logs[1].write_text("loss=nonsense;\n")
    follower.read()
    with logs[0].open("a") as log:
        log.write("s=2e-1;")
    follower.read()
    assert seen == [1.0, 0.5]
    follower.read(final=True)
    assert seen == [1.0, 0.5, 0.2]
    assert [(item["MetricName"], item["Value"]) for item in follower.final_metrics] == [("loss", 0.2)]
    assert ("algo-1", "hello") in lines and ("algo-1", "loss=2e-1;") in lines


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_lines_are_the_same_however_they_arrive(tmp_path_factory, chunks: list[bytes]) -> None:
    log = tmp_path_factory.mktemp("log") / "algo-1.log"
    lines: list[str] = []
    follower = LogFollower([log], [], lambda host, line: lines.append(line))
    for chunk in chunks:
        with log.open("ab") as file:
            file.write(chunk)
        follower.read()
    follower.read(final=True)
    text = b"".join(chunks)
    whole = text.split(b"\n")[:-1] if text.endswith(b"\n") or not text else text.split(b"\n")
    assert lines == [line.decode(errors="replace").rstrip("\r") for line in whole]


def test_metrics_that_are_no_json_numbers_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "algo-1.log").write_text("m=inf;\nm=nan;\nm=2;\nm=1e999;\n")
    follower = LogFollower([tmp_path / "algo-1.log"], [Metric(name="m", regex="m=(.*?);")])
    follower.read(final=True)
    follower.close()
    assert [item["Value"] for item in follower.final_metrics] == [2.0]

from __future__ import annotations

import time

import pytest

from trainyard.execution.fleet import log_folder
from trainyard.execution.logs import LogFollower
from trainyard.local_aws.log_streams import Streams


@pytest.fixture
def logged(store):
    """Record a training job that has written lines; the answer is its stream."""

    def make(name: str, *batches: str):
        store.resources.add("training-job", name, {"TrainingJobName": name, "CreationTime": 1_000.0})
        folder = store.job_folder(name)
        folder.mkdir(parents=True)
        log = folder / "algo-1.log"
        log.touch()
        follower = LogFollower([log], [])
        for batch in batches:
            with log.open("a") as file:
                file.write(batch)
            follower.read()
            time.sleep(0.02)
        follower.close()
        return next(Streams(store).of("/aws/sagemaker/TrainingJobs", f"{name}/"))

    return make


def test_lines_have_the_time_at_which_they_were_seen(logged) -> None:
    began = int(time.time() * 1000)
    lines = logged("j", "one\n\ntwo\n", "three\npart").lines()
    assert [line.text for line in lines] == ["one", "two", "three"]
    assert began <= lines[0].time == lines[1].time < lines[2].time <= int(time.time() * 1000)


def test_a_log_can_be_read_on_from_any_line(logged) -> None:
    stream = logged("j", "one\ntwo\n", "three\n")
    first, second, third = stream.lines()
    assert [line.text for line in stream.lines(first.end)] == ["two", "three"]
    assert [line.text for line in stream.lines(0, third.begin)] == ["one", "two"]
    assert stream.lines(third.end) == [] and second.begin == first.end


def test_streams_are_named_after_job_host_and_time(logged, store) -> None:
    assert logged("j", "x\n").name == "j/algo-1-1000"
    logged("j-2", "x\n")
    streams = Streams(store)
    names = [stream.name for stream in streams.of("/aws/sagemaker/TrainingJobs", "j")]
    assert names == ["j/algo-1-1000", "j-2/algo-1-1000"]
    assert [stream.name for stream in streams.of("/aws/sagemaker/TrainingJobs", "j/")] == ["j/algo-1-1000"]
    assert streams.groups() == [("/aws/sagemaker/TrainingJobs", 1_000_000)]


def test_the_stream_of_one_job_is_found_without_reading_the_others(logged, store, monkeypatch) -> None:
    logged("j", "x\n")
    logged("k", "x\n")
    monkeypatch.setattr(store.resources, "all", lambda kind: pytest.fail(f"every {kind} was read"))
    streams = Streams(store)
    assert [stream.name for stream in streams.of("/aws/sagemaker/TrainingJobs", "j/algo-1-1000")] == [
        "j/algo-1-1000"
    ]
    assert list(streams.of("/aws/sagemaker/TrainingJobs", "none/algo-1")) == []


def test_a_group_cannot_lead_out_of_the_store(store, tmp_path) -> None:
    (tmp_path / "outside.log").write_text("secret\n")
    (store.home / "functions").mkdir()
    for name in (
        "/aws/lambda/../../..",
        "/aws/lambda/..",
        "/aws/lambda/a/../..",
        "/aws/sagemaker/Endpoints/",
    ):
        assert list(Streams(store).of(name)) == []


def test_endpoints_and_functions_have_groups_of_their_own(store) -> None:
    endpoint = log_folder(store, "e") / "blue" / "1" / "container-1" / "algo-1.log"
    function = store.home / "functions" / "f" / "2026/11/21/[$LATEST].log"
    for log in (endpoint, function):
        log.parent.mkdir(parents=True)
        log.write_text("said\n")
    streams = Streams(store)
    assert [group for group, _ in streams.groups()] == ["/aws/lambda/f", "/aws/sagemaker/Endpoints/e"]
    [of_endpoint] = streams.of("/aws/sagemaker/Endpoints/e")
    [of_function] = streams.of("/aws/lambda/f")
    assert (of_endpoint.name, of_function.name) == ("blue/1/container-1/algo-1", "2026/11/21/[$LATEST]")
    assert of_endpoint.lines()[0].text == "said"

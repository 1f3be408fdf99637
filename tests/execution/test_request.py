from __future__ import annotations

from pathlib import Path

from trainyard.execution.request import Ended, JobRequest, StagedHost, StopSignal
from trainyard.execution.targets import Target


def request(kind) -> JobRequest:
    return JobRequest(name="job-1", kind=kind, image="i", target=Target("venv", "/v"), host_count=2)


def test_what_the_platform_sets() -> None:
    training = request("Training").platform_environment
    assert training["TRAINING_JOB_NAME"] == "job-1"
    assert training["TRAINING_JOB_ARN"].endswith(":training-job/job-1")
    processing = request("Processing").platform_environment
    assert processing["PROCESSING_JOB_ARN"].endswith(":processing-job/job-1")
    assert "TRAINING_JOB_NAME" not in processing


def test_hosts_and_their_logs() -> None:
    assert request("Training").hosts == ("algo-1", "algo-2")
    host = StagedHost(name="algo-2", folder=Path("/j/algo-2"), ml=Path("/j/algo-2/ml"), mounts=())
    assert host.log == Path("/j/algo-2.log")


def test_the_first_failure_is_the_jobs() -> None:
    assert Ended(exit_codes=(0, 0)).exit_code == 0
    assert Ended(exit_codes=(0, 3, 4)).exit_code == 3


def test_asking_twice_hurries() -> None:
    stop = StopSignal()
    assert (stop.requested, stop.hurried) == (False, False)
    stop.request()
    assert (stop.requested, stop.hurried) == (True, False)
    stop.request()
    assert stop.hurried

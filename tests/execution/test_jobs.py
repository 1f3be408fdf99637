from __future__ import annotations

import os

import pytest

from trainyard.execution import events
from trainyard.execution.jobs import _first, job_name, printable, run_job
from trainyard.execution.request import Ended, JobRequest, Output, StopSignal
from trainyard.execution.s3 import parse_uri
from trainyard.execution.targets import Target

OUTPUT = Output(name="model", container_path="/opt/ml/model", uri="s3://b/out/")


def request(**more) -> JobRequest:
    return JobRequest(
        name=more.pop("name", "job"),
        kind=more.pop("kind", "Training"),
        image="i",
        target=Target("venv", "/v"),
        outputs=(OUTPUT,),
        **more,
    )


def launcher(ended: Ended, *, failure: str = "", message: str = "", log: str = ""):
    def launch(request, hosts, stop, tick) -> Ended:
        for host in hosts:
            (host.ml / "model" / host.name).write_text("x")
            host.log.write_text(log)
            if failure:
                (host.ml / "output" / "failure").write_text(failure)
            if message:
                (host.ml / "output" / "message").write_text(message)
        tick()
        return ended

    return launch


def run(store, launch, **more):
    return run_job(store, launch, "Step", request(**more), StopSignal(), events.nobody)


def test_success_stores_outputs_and_keeps_only_the_log(store) -> None:
    outcome = run(store, launcher(Ended(exit_codes=(0,)), log="hello\n"))
    assert (outcome.status, list(outcome.stored)) == ("Completed", ["s3://b/out/algo-1"])
    assert [path.name for path in store.job_folder("job").iterdir() if path.is_dir()] == []
    assert store.logs("job")[0].read_text() == "hello\n"


@pytest.mark.parametrize(
    ("ended", "files", "reason"),
    [
        (Ended(exit_codes=(3,)), {"failure": "x" * 5000}, f"AlgorithmError: {'x' * 1024}, exit code: 3"),
        (
            Ended(exit_codes=(1,)),
            {"log": "a\nValueError: b\n\n"},
            "AlgorithmError: ValueError: b, exit code: 1",
        ),
        (Ended(exit_codes=(137,)), {}, "AlgorithmError: no message, exit code: 137 (SIGKILL)"),
    ],
)
def test_failure_has_a_reason_and_stores_nothing(store, ended, files, reason) -> None:
    outcome = run(store, launcher(ended, **files), max_runtime=9)
    assert outcome.failure.startswith(reason)
    assert store.objects.list(parse_uri("s3://b/")) == []
    assert (store.job_folder("job") / "algo-1" / "ml" / "model" / "algo-1").exists()


@pytest.mark.parametrize(
    ("stopped", "reason"),
    [
        ("Stopped", "the job was stopped"),
        ("MaxRuntimeExceeded", "MaxRuntimeExceeded: the job ran longer than 9 s"),
    ],
)
def test_training_that_was_stopped_leaves_what_it_has_made(store, stopped, reason) -> None:
    ended = Ended(exit_codes=(143,), stopped=stopped)
    outcome = run(store, launcher(ended), max_runtime=9)
    assert outcome.status == "Stopped" and outcome.failure.startswith(reason)
    assert list(outcome.stored) == ["s3://b/out/algo-1"]
    processing = run(store, launcher(ended), max_runtime=9, kind="Processing", name="other")
    assert (processing.status, processing.stored) == ("Stopped", {})


def test_of_several_hosts_the_failed_one_is_named(store) -> None:
    outcome = run(store, launcher(Ended(exit_codes=(0, 2))), host_count=2)
    assert outcome.failure == "AlgorithmError: no message, exit code: 2 on algo-2"


def test_the_one_that_failed_first_is_named_not_one_that_was_stopped_for_it(store) -> None:
    outcome = run(store, launcher(Ended(exit_codes=(143, 2, 137), first=1)), host_count=3)
    assert outcome.failure == "AlgorithmError: no message, exit code: 2 on algo-2"


def test_a_processing_job_has_an_exit_message(store) -> None:
    outcome = run(store, launcher(Ended(exit_codes=(0,)), message="ü" * 2000), kind="Processing")
    assert outcome.message == "ü" * 512


def test_names_fit_into_63_characters() -> None:
    name = job_name("abcdefghijkl", "S" * 64)
    assert len(name) <= 63 and name.startswith("pipelines-abcdefghijkl-SSS")
    assert job_name("e", "Train") != job_name("e", "Train")


def test_printable_shows_what_would_run() -> None:
    shown = printable(request(command=("python3", "x.py")))
    assert shown["command"] == ["python3", "x.py"]
    assert shown["outputs"] == {"model": "/opt/ml/model -> s3://b/out/"}
    assert printable(request())["command"] == ["train"]


def test_a_pipe_for_a_failure_file_is_not_waited_for(tmp_path) -> None:
    os.mkfifo(tmp_path / "failure")
    assert _first(tmp_path / "failure") == ""

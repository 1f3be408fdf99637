from __future__ import annotations

import pytest

from trainyard.execution.s3 import parse_uri

WRITE = """
import pathlib
for name in ("keep", "drop"):
    (pathlib.Path("/opt/ml/processing/out") / name).write_text(name)
"""
OUT = "s3://bucket/out"


def cleanup(*sources, **keys):
    return {"Name": "Clean", "Type": "Cleanup", "Arguments": {"Resources": {"S3": list(sources)}}, **keys}


@pytest.fixture
def run(store, make_executor, put_script, processing, training, definition):
    """Run a Processing step Make and a Training step Fit, then a Cleanup step; its row."""

    def start(*sources, code: str = WRITE, depends_on=()):
        make = processing("Make", put_script("write", code), outputs={"out": OUT})
        fit = training("Fit", put_script("fit", "open('/opt/ml/model/m', 'w').write('m')"))
        document = definition(make, fit, cleanup(*sources, DependsOn=list(depends_on)))
        finished = make_executor().start(document, "p", {})
        return finished, store.state.step(finished.execution, "Clean")

    return start


def test_named_objects_and_all_that_a_training_stored_are_deleted(store, run) -> None:
    there = {"Std:Join": {"On": "/", "Values": [OUT, "drop"]}}
    finished, row = run({"StepName": "Make", "S3Uris": [there]}, {"StepName": "Fit"})
    assert finished.status == "Succeeded", finished.reason
    assert row["metadata"] == {
        "Cleanup": {"CleanedSteps": ["Make", "Fit"], "FailedSteps": [], "SkippedSteps": []}
    }
    assert store.objects.exists(parse_uri(f"{OUT}/keep"))
    assert not store.objects.exists(parse_uri(f"{OUT}/drop"))
    model = store.state.step(finished.execution, "Fit")["result"]["ModelArtifacts"]["S3ModelArtifacts"]
    assert not store.objects.exists(parse_uri(model))


@pytest.mark.parametrize("other", ["s3://bucket/code/write/main.py", "s3://bucket/outside"])
def test_objects_elsewhere_stay_and_fail_the_step(store, run, other) -> None:
    store.objects.put_bytes(b"x", parse_uri(other))
    finished, row = run({"StepName": "Make", "S3Uris": [f"{OUT}/drop", other]}, {"StepName": "Fit"})
    assert finished.status == "Failed"
    assert f"Make: {other} is not below an output of 'Make': {OUT}" in finished.reason
    [failure] = row["metadata"]["Cleanup"]["FailedSteps"]
    assert (failure["StepName"], failure["ErrorCode"]) == ("Make", "ClientError")
    assert row["metadata"]["Cleanup"]["CleanedSteps"] == ["Fit"]
    for uri in (other, f"{OUT}/drop"):  # all or nothing of a source
        assert store.objects.exists(parse_uri(uri))


def test_a_step_that_has_left_nothing_is_skipped(run) -> None:
    code = f"{WRITE}\nraise SystemExit(3)"
    uris = [{"Std:Join": {"Values": [{"Get": "Steps.Make.Nothing"}, "/x"]}}]
    finished, row = run(
        {"StepName": "Make", "S3Uris": uris},
        code=code,
        depends_on=[{"Step": "Make", "Trigger": "Any"}, "Fit"],
    )
    assert finished.status == "CompletedWithFailures"
    assert row["metadata"]["Cleanup"]["SkippedSteps"] == ["Make"]

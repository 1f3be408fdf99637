from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from trainyard.execution.cache import aws_key, difference, job_key, look_up
from trainyard.execution.request import Channel, Checkpoint, JobRequest, Output
from trainyard.execution.s3 import parse_uri
from trainyard.execution.targets import Target


def request(**changes) -> JobRequest:
    base = JobRequest(
        name="job-1", kind="Training", image="image", target=Target("venv", "/v"), command=("python", "a.py"),
        environment={"A": "1"}, config={"input/config/hyperparameters.json": {"depth": "3"}},
        channels=(Channel(name="data", container_path="/opt/ml/input/data/data", uri="s3://b/d/"),),
        outputs=(Output(name="model", container_path="/opt/ml/model", uri="s3://b/o/1/"),),
        checkpoint=Checkpoint(container_path="/opt/ml/checkpoints", uri="s3://b/c/1"),
    )  # fmt: skip
    return replace(base, **changes)


@pytest.fixture
def key(store):
    store.objects.put_bytes(b"x", parse_uri("s3://b/d/x"))
    return lambda **changes: job_key(request(**changes), store.objects, store.state, "digest")


def test_places_names_and_machines_do_not_matter(key) -> None:
    same = key(
        name="job-2",
        host_count=3,
        instance_type="ml.c5.9xlarge",
        outputs=(Output(name="model", container_path="/opt/ml/model", uri="s3://b/o/2/"),),
        checkpoint=Checkpoint(container_path="/opt/ml/checkpoints", uri="s3://b/c/2"),
    )
    assert same == key()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"command": ("python", "b.py")}, "arguments[1]"),
        ({"arguments_only": True}, "entry point"),
        ({"environment": {"A": "2"}}, "environment.A"),
        ({"environment": {}}, "environment.A"),
        ({"config": {"input/config/hyperparameters.json": {"depth": "4"}}}, "hyperparameters.depth"),
        ({"image": "other"}, "image"),
        ({"checkpoint": None}, "checkpoints, path"),
        ({"outputs": ()}, "output model"),
    ],
)
def test_each_field_that_matters_is_named(key, changes, field) -> None:
    assert difference(key(), key(**changes)).startswith(field)


def test_the_same_contents_elsewhere_are_the_same(store, key) -> None:
    before = key()
    store.objects.put_bytes(b"x", parse_uri("s3://b/e/x"))
    moved = (Channel(name="data", container_path="/opt/ml/input/data/data", uri="s3://b/e/"),)
    assert key(channels=moved) == before
    store.objects.put_bytes(b"y", parse_uri("s3://b/e/x"))
    assert "input data: '1 files, 1 bytes" in difference(before, key(channels=moved))


@pytest.mark.parametrize(("age_days", "hit"), [(1, True), (40, False)])
def test_expiry_is_honoured(store, key, age_days, hit) -> None:
    store.state.add_execution("e", "p", {}, {}, {})
    store.state.start_step("e", "S", "Training", cache_key=key())
    store.state.update_step("e", "S", status="Succeeded", ended=time.time() - age_days * 86_400, outputs={})
    found = look_up(store.state, store.objects, "p", "S", key(), timedelta(days=30))
    assert (found.hit is not None) == hit
    assert ("expired" in found.note) != hit
    assert look_up(store.state, store.objects, "p", "S", key(), None).hit is not None
    assert look_up(store.state, store.objects, "p", "T", key(), None).note == "no earlier run"


def test_many_changes_are_counted() -> None:
    assert difference({str(n): "a" for n in range(9)}, {}).endswith("and 6 more")


def test_an_older_run_stands_in_for_one_whose_outputs_are_gone(store, key) -> None:
    for number, name in enumerate(("old", "new")):
        uri = f"s3://b/made/{name}"
        marks = {uri: store.objects.mark(store.objects.put_bytes(b"x", parse_uri(uri)))}
        store.state.add_execution(name, "p", {}, {}, {})
        store.state.start_step(name, "S", "Training", cache_key=key())
        store.state.update_step(name, "S", status="Succeeded", ended=time.time() + number, outputs=marks)

    def hit() -> str:
        found = look_up(store.state, store.objects, "p", "S", key(), None)
        return found.hit["execution"] if found.hit else found.note

    assert hit() == "new"
    store.objects.delete(parse_uri("s3://b/made/new"))
    assert hit() == "old"
    store.objects.put_bytes(b"longer", parse_uri("s3://b/made/old"))
    assert hit() == "output s3://b/made/new of the earlier run is gone or has changed"


def aws(type_: str, **arguments) -> dict[str, str]:
    return aws_key(type_, arguments, {"FunctionArn": "f"})


def test_awss_key_has_the_listed_fields_to_the_letter() -> None:
    key = aws(
        "Training",
        HyperParameters={"depth": "3"},
        InputDataConfig=[{"DataSource": {"S3DataSource": {"S3Uri": "s3://b/code-2026/"}}}],
        OutputDataConfig={"S3OutputPath": "s3://b/o"},
        ResourceConfig={"InstanceCount": 2},
        RoleArn="role",
    )
    assert key == {
        "key": "request, as on AWS",
        "HyperParameters.depth": "3",
        "InputDataConfig[0].DataSource.S3DataSource.S3Uri": "s3://b/code-2026/",
    }


def test_awss_key_of_tuning_leaves_out_what_is_not_listed() -> None:
    one = {"StaticHyperParameters": {"a": "1"}, "RoleArn": "role"}
    key = aws(
        "Tuning", TrainingJobDefinition=one, TrainingJobDefinitions=[one], HyperParameterTuningJobConfig={}
    )
    assert set(key) == {
        "key", "TrainingJobDefinition.StaticHyperParameters.a", "TrainingJobDefinitions[0].StaticHyperParameters.a",
    }  # fmt: skip
    assert aws("Lambda", x=1) == {"key": "request, as on AWS", "x": "1", "FunctionArn": "f"}


def test_keys_of_the_two_kinds_are_not_compared(store, key) -> None:
    store.state.add_execution("e", "p", {}, {}, {})
    store.state.start_step("e", "S", "Training", cache_key=key())
    store.state.update_step("e", "S", status="Succeeded", ended=time.time(), outputs={})
    found = look_up(store.state, store.objects, "p", "S", aws("Training", Environment={"A": "1"}), None)
    assert (found.hit, found.note) == (None, "the earlier run was kept under another kind of key")

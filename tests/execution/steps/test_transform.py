"""Transform steps of a pipeline, with a real container."""

from __future__ import annotations

import pytest

from tests.execution.transform.conftest import SERVE
from trainyard.errors import UserError
from trainyard.execution.s3 import parse_uri
from trainyard.in_image.archives import write_archive


@pytest.fixture
def model(store, plain_venv, tmp_path):
    """Put a model archive whose answers end with a text."""
    serve = plain_venv / "bin" / "serve"
    serve.write_text(SERVE)
    serve.chmod(0o755)

    def put(ending: bytes) -> None:
        write_archive(tmp_path / "model.tar.gz", {"name": ending})
        store.objects.put(tmp_path / "model.tar.gz", parse_uri("s3://bucket/model.tar.gz"))

    yield put
    serve.unlink()


@pytest.fixture
def steps(definition):
    def make(prefix: str = "in", **more):
        container = {"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz"}
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/{prefix}/"}}
        return definition(
            {"Name": "Model", "Type": "Model", "Arguments": {"PrimaryContainer": container}},
            {
                "Name": "Transform",
                "Type": "Transform",
                "CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"},
                "Arguments": {
                    "ModelName": {"Get": "Steps.Model.ModelName"},
                    "TransformInput": {"DataSource": source, "ContentType": "text/plain"},
                    "TransformOutput": {"S3OutputPath": "s3://bucket/out"},
                    "TransformResources": {"InstanceCount": 1, "InstanceType": "ml.m5.large"},
                    **more,
                },
            },
        )

    return make


def test_a_step_transforms_and_is_cached_by_content(make_executor, steps, model, store) -> None:
    executor = make_executor()
    for prefix in ("in", "same"):
        store.objects.put_bytes(b"text", parse_uri(f"s3://bucket/{prefix}/x"))

    def run(**more) -> tuple[str, str]:
        finished = executor.start(steps(**more), "p", {})
        assert finished.status == "Succeeded", finished.reason
        row = store.state.step(finished.execution, "Transform")
        assert row["result"]["TransformOutput"]["S3OutputPath"] == "s3://bucket/out"
        return store.objects.read(parse_uri("s3://bucket/out/x.out")).decode(), row["cache_note"]

    model(b"!")
    assert run() == ("TEXT!", "no earlier run")
    assert run()[1].startswith("same as")  # though the model has another name
    assert run(prefix="same")[1].startswith("same as")
    model(b"?")
    text, note = run()
    assert (text, note.startswith("container 1, model: ")) == ("TEXT?", True)
    store.objects.put_bytes(b"more", parse_uri("s3://bucket/in/x"))
    assert run()[1].startswith("input: ")
    assert "environment.A is new: '1'" in run(Environment={"A": "1"})[1]


def test_a_failed_job_fails_its_step_and_is_a_resource(make_executor, steps, model, store) -> None:
    model(b"")
    store.objects.put_bytes(b"bad", parse_uri("s3://bucket/in/x"))
    finished = make_executor().start(steps(), "p", {})
    row = store.state.step(finished.execution, "Transform")
    assert (finished.status, row["status"]) == ("Failed", "Failed")
    assert row["failure"] == "ClientError: s3://bucket/in/x: the container answered 400: a bad record"
    [job] = store.resources.all("transform-job")
    assert (job["TransformJobStatus"], job["TransformJobArn"]) == (
        "Failed",
        row["metadata"]["TransformJob"]["Arn"],
    )


def test_what_no_rule_knows_is_refused_before_anything_runs(make_executor, steps, store) -> None:
    with pytest.raises(UserError, match="Spead"):
        make_executor().start(steps(Spead=1), "p", {})
    assert store.resources.all("model") == []


def test_a_bad_filter_fails_the_step_by_name(make_executor, steps, model, store) -> None:
    model(b"")
    finished = make_executor().start(steps(DataProcessing={"InputFilter": "$..x"}), "p", {})
    assert (
        "InputFilter: JSONPath '$..x' breaks" in store.state.step(finished.execution, "Transform")["failure"]
    )

from __future__ import annotations

from pathlib import Path

import pytest

from trainyard.errors import EndpointError, NotFound, Unsupported
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.s3 import parse_uri
from trainyard.execution.serving import containers_of, data_uri, find_model, model_server
from trainyard.execution.targets import Target, Targets
from trainyard.in_image.archives import write_archive


@pytest.fixture
def machine(store, environments, plain_venv, root) -> Machine:
    targets = Targets({"image": Target("venv", str(plain_venv))}, {}, root)
    return Machine(store=store, launcher=VenvLauncher(environments, {}), targets=targets)


def test_the_containers_of_a_model(store) -> None:
    one, two = {"Image": "one", "ModelDataUrl": "s3://b/1"}, {"Image": "two"}
    assert containers_of({"ModelName": "m", "PrimaryContainer": one}, store.registry) == [one]
    assert containers_of({"ModelName": "m", "Containers": [one, two]}, store.registry) == [one, two]
    request = {"InferenceSpecification": {"Containers": [{**one, "Environment": {"A": "1"}}, two]}}
    package = {"ModelPackageName": store.registry.register("g", request, {}), "Environment": {"B": "2"}}
    assert containers_of({"ModelName": "m", "Containers": [package]}, store.registry) == [
        {**one, "Environment": {"A": "1", "B": "2"}},
        {**two, "Environment": {"B": "2"}},
    ]
    with pytest.raises(EndpointError, match="model 'm' has no container"):
        containers_of({"ModelName": "m", "Containers": []}, store.registry)
    with pytest.raises(NotFound):
        containers_of(
            {"ModelName": "m", "PrimaryContainer": {"ModelPackageName": "arn:none"}}, store.registry
        )
    with pytest.raises(NotFound, match='Could not find model "arn:'):
        find_model(store, "m")


def test_where_the_data_is() -> None:
    assert data_uri({"ModelDataUrl": "s3://b/k"}) == "s3://b/k"
    assert data_uri({"ModelDataSource": {"S3DataSource": {"S3Uri": "s3://b/p/"}}}) == "s3://b/p/"
    assert data_uri({"Image": "i"}) == ""


@pytest.mark.parametrize(
    ("container", "kind", "fragment"),
    [
        (
            {"ModelDataUrl": "s3://b/none.tar.gz"},
            EndpointError,
            "model m: its model data .* is not in the store",
        ),
        ({"Mode": "MultiModel"}, EndpointError, "model m serves many models and names no prefix"),
        ({"Image": "other"}, Unsupported, "--map other=TARGET"),
        ({"AdditionalModelDataSources": [{}]}, Unsupported, "AdditionalModelDataSources cannot be honoured"),
    ],
)
def test_what_cannot_be_served(machine, tmp_path, container, kind, fragment) -> None:
    with pytest.raises(kind, match=fragment):
        model_server(machine, {"Image": "image", **container}, tmp_path / "f", "model m")


@pytest.mark.parametrize(
    ("container", "many"),
    [
        ({"Mode": "MultiModel", "ModelDataUrl": "s3://b/not-yet/"}, True),
        ({"Mode": "SingleModel", "ModelDataUrl": "s3://b/models/"}, False),
        ({"ModelDataUrl": "s3://b/models/"}, True),  # a package says no Mode
        ({"ModelDataUrl": "s3://b/models/a.tar.gz"}, False),
        ({}, False),  # the model is in the image
    ],
)
def test_one_model_or_many(machine, store, tmp_path: Path, container, many) -> None:
    write_archive(tmp_path / "a.tar.gz", {"weights": b"1"})
    store.objects.put(tmp_path / "a.tar.gz", parse_uri("s3://b/models/a.tar.gz"))
    server = model_server(machine, {"Image": "image", **container}, tmp_path / "f", "model m")
    assert server.multi_model == many
    laid_out = sorted(path.name for path in (tmp_path / "f").rglob("model/*"))
    assert laid_out == (
        []
        if many or not container
        else ["weights" if "a.tar.gz" in container["ModelDataUrl"] else "a.tar.gz"]
    )


@pytest.mark.parametrize(("uri", "many"), [("s3://b/models/", True), ("s3://b/models/a.tar.gz", False)])
def test_a_package_of_a_family_that_serves_many_may_be_of_one(
    store, environments, family, root, tmp_path: Path, uri, many
) -> None:
    assert family.serving.multi_model
    write_archive(tmp_path / "a.tar.gz", {"weights": b"1"})
    store.objects.put(tmp_path / "a.tar.gz", parse_uri("s3://b/models/a.tar.gz"))
    targets = Targets({"image": Target("family", family.name)}, {family.name: family}, root)
    launcher = VenvLauncher(environments, {family.name: family})
    machine = Machine(store=store, launcher=launcher, targets=targets)
    container = {"Image": "image", "ModelDataUrl": uri}
    assert model_server(machine, container, tmp_path / "f", "package p").multi_model == many
    with pytest.raises(EndpointError, match=r"none\.tar\.gz is not in the store any more"):
        container = {"Image": "image", "ModelDataUrl": "s3://b/models/none.tar.gz"}
        model_server(machine, container, tmp_path / "g", "package p")

"""Small images that break the contract or keep it, a family for them, and a picture of an image that never was."""

from __future__ import annotations

import secrets
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainyard.execution.request import JobRequest, Output
from trainyard.execution.s3 import parse_uri
from trainyard.execution.store import Store
from trainyard.families import Family, load
from trainyard.images.engine import Engine, LocalImage
from trainyard.preflight.archive import Entry, Layer
from trainyard.preflight.bench import Bench
from trainyard.preflight.checks import Check, perform
from trainyard.preflight.subject import Still

TOY = Path(__file__).parent / "toy"
GOOD_LABELS = {
    "trainyard.source-digest": "0",
    "org.opencontainers.image.revision": "0",
    "com.amazonaws.sagemaker.capabilities.accept-bind-to-port": "true",
    "com.amazonaws.sagemaker.capabilities.multi-models": "true",
}


@pytest.fixture(scope="session")
def toy_image(engine: Engine, base_image: str) -> Iterator[Callable[..., LocalImage]]:
    """Builds a target of toy/Dockerfile: fractions of a second, as nothing is installed."""
    made: dict[str, LocalImage] = {}
    name = f"trainyard-test-{secrets.token_hex(4)}"

    def build(target: str, *arguments: str) -> LocalImage:
        key = " ".join([target, *arguments])
        if key not in made:
            verb = ["buildx", "build", "--load"] if engine.builder == "buildx" else ["build"]
            reference = f"{name}:{len(made)}"
            engine.run(
                *verb, "-q", "--build-arg", f"BASE_IMAGE={base_image}", "--target", target, "-t", reference,
                *arguments, str(TOY), environment={"DOCKER_BUILDKIT": "1"},
            )  # fmt: skip
            image = engine.image(reference)
            assert image
            made[key] = image
        return made[key]

    yield build
    for image in made.values():
        engine.try_run("rmi", "--no-prune", image.reference)


@pytest.fixture
def multi_model(family: Family) -> Family:
    return replace(family, serving=replace(family.serving, multi_model=True))


@pytest.fixture
def still(multi_model: Family) -> Callable[..., Still]:
    """An image without a fault, but for what is given: fields of LocalImage, or files as path -> text or Entry."""

    def make(
        files: Mapping[str, str | Entry] | None = None,
        history: tuple[str, ...] = (),
        volumes: tuple[str, ...] = (),
        **fields: Any,
    ) -> Still:
        plain: dict[str, Any] = {
            "reference": "image:1", "id": "sha256:0", "size": 10**9, "architecture": "amd64", "labels": GOOD_LABELS,
            "environment": {"PATH": "/usr/bin:/bin"}, "entrypoint": (), "command": (), "user": "",
            "working_folder": "", "ports": (),
        }  # fmt: skip
        programs = {"bin/sh": "\x7fELF", "usr/bin/train": "#!/bin/sh\ntrue\n", "usr/bin/serve": "\x7fELF"}
        entries = {
            path: text if isinstance(text, Entry) else file(path, text)
            for path, text in {**programs, **(files or {})}.items()
        }
        image = LocalImage(**{**plain, **fields})
        return Still(multi_model, image, history, volumes, [Layer(entries=entries)])

    return make


MANIFEST = """
name = "toy"
owner = "@nobody/nothing"
description = "Counts words."
[image]
base = "scratch@sha256:{zeros}"
architectures = ["amd64", "arm64"]
[training]
instance = "ml.m5.large"
spot = true
checkpoint = "/opt/ml/checkpoints"
[[training.metrics]]
name = "steps:done"
regex = 'steps:done=(\\S+);'
[[training.metrics]]
name = "train:words"
regex = 'train:words=(\\S+);'
[training.hyperparameters.steps]
type = "integer"
default = 20
range = [1, 1000]
meaning = "How long it takes."
[serving]
server = "pooled"
content_types = ["application/json"]
accept = ["application/json"]
instance = "ml.m5.large"
multi_model = {many}
[example]
{target}
generate = "generate.py"
request = "request.json"
answer = "answer.json"
bad_requests = "bad_requests.json"
"""
FILES = {
    "generate.py": "import pathlib, sys\npathlib.Path(sys.argv[2], 'a.txt').write_text('one two three')\n",
    "request.json": '{"add": 4}',
    "answer.json": '{"words": 7}',
    "bad_requests.json": '[{"name": "no JSON", "content_type": "application/json", "body": "{", "status": 400}]',
}


@pytest.fixture(params=["one model"])
def toy_family(request: pytest.FixtureRequest, tmp_path: Path) -> Family:
    folder = tmp_path / "containers" / "toy"
    for each in (folder, tmp_path / "shared" / "docker", tmp_path / "shared" / "trainyard" / "in_image"):
        each.mkdir(parents=True)
    (tmp_path / "shared" / "trainyard" / "__init__.py").touch()
    many = request.param == "many models"
    target = 'target_model = "one.tar.gz"' if many else ""
    (folder / "family.toml").write_text(
        MANIFEST.format(zeros="0" * 64, many=str(many).lower(), target=target)
    )
    for name, content in FILES.items():
        (folder / name).write_text(content)
    return load(folder)


def definition(family: Family) -> dict[str, Any]:
    """A pipeline of one training step, as the SDK writes it."""
    source = {"S3DataType": "S3Prefix", "S3Uri": {"Get": "Parameters.InputDataUri"}}
    arguments = {
        "AlgorithmSpecification": {
            "TrainingImage": "trainyard/toy:local",
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": one.name, "Regex": one.regex} for one in family.training.metrics],
        },
        "CheckpointConfig": {"S3Uri": "s3://trainyard-local/toy/checkpoints/"},
        "Environment": {"TOY_MANY": "1"} if family.serving.multi_model else {},
        "HyperParameters": {"steps": "20"},
        "InputDataConfig": [{"ChannelName": "training", "DataSource": {"S3DataSource": source}}],
        "OutputDataConfig": {
            "S3OutputPath": "s3://trainyard-local/toy/models",
            "CompressionType": "NONE" if family.serving.multi_model else "GZIP",
        },
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
        "RoleArn": "arn:aws:iam::000000000000:role/none",
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }
    return {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "InputDataUri", "Type": "String"}],
        "Steps": [{"Name": "Train", "Type": "Training", "Arguments": arguments}],
    }


@pytest.fixture
def toy_bench(
    engine: Engine, toy_image: Any, toy_family: Family, store: Store
) -> Iterator[Callable[..., Bench]]:
    """A bench for the toy with a fault, or none; its example is not trained yet."""
    benches = []

    def make(fault: str = "") -> Bench:
        image = toy_image("faulty", "--build-arg", f"FAULT={fault}") if fault else toy_image("good")
        data = store.objects.put_bytes(b"one two three", parse_uri("s3://trainyard-local/toy/data/a.txt"))
        assert data.exists()
        bench = Bench(
            engine=engine, image=image, family=toy_family, root=toy_family.folder.parents[1], store=store,
            definition=definition(toy_family), parameters={"InputDataUri": "s3://trainyard-local/toy/data/"},
            grace=2.0, patience=3.0,
        )  # fmt: skip
        benches.append(bench)
        return bench

    yield make
    for bench in benches:
        bench.close()


def trained(bench: Bench) -> Bench:
    """The bench as it is when the example has been trained, without training it."""
    archive = bench.scratch() / "model.tar.gz"
    content = bench.scratch() / "model.json"
    content.write_text('{"words": 3}')
    with tarfile.open(archive, "w:gz") as to:
        to.add(content, "model.json")
    uri = "s3://trainyard-local/toy/models/x/"
    many = bench.family.serving.multi_model
    bench.store.objects.put(archive, parse_uri(f"{uri}{'one' if many else 'model'}.tar.gz"))
    output = Output(name="model", container_path="/opt/ml/model", uri=uri if many else f"{uri}model.tar.gz")
    bench.example = JobRequest(
        name="x", kind="Training", image="trainyard/toy:local", target=bench.target, outputs=(output,)
    )
    return bench


def rules(check: Callable[[Bench], Any], bench: Bench) -> set[str]:
    """What a check finds; UserError counts as "raised"."""
    [result] = perform([Check(name="raised", run=check)], bench)
    return {finding.rule for finding in result.findings}


def file(path: str, text: str, mode: int = 0o755) -> Entry:
    content = text.encode()
    return Entry(path, 0o100000 | mode, len(content), content[:4], content)


def link(path: str, target: str) -> Entry:
    return Entry(path, 0o120777, 0, target=target)

"""Every family, with every launcher that can run here: train its example, serve it, send its requests."""

from __future__ import annotations

import functools
import json
import math
import re
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines import compile as compiler
from tests.conftest import require_sources, without_docker
from trainyard.cli.reachable import reachable
from trainyard.definition import document as documents
from trainyard.errors import DockerError, ImageError, NotFound
from trainyard.execution.begun import Finished
from trainyard.execution.data import example_data, in_environment, in_image
from trainyard.execution.deployment import Deployment
from trainyard.execution.environments import Environments
from trainyard.execution.executor import Executor
from trainyard.execution.images import Images
from trainyard.execution.launchers.by_target import ByTarget
from trainyard.execution.launchers.docker import DockerLauncher
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.s3 import parse_uri
from trainyard.execution.serving import data_uri, packaged_containers
from trainyard.execution.store import Store, default_home
from trainyard.execution.targets import Targets
from trainyard.families import Family, find_families, repository_root
from trainyard.images.names import local_image
from trainyard.in_image.metrics import format_metric

ROOT = repository_root()
FAMILIES = find_families(ROOT)
# the second one is what happens where the kernel has no namespaces for us
LAUNCHERS = ("venv", "venv-without-namespaces", "docker")
TOLERANCE = 0.05


@dataclass(frozen=True)
class Here:
    """What cli.local.Local is to a command."""

    store: Store
    launcher: ByTarget
    targets: Targets
    executor: Executor

    def machine(self, endpoint_url: str = "") -> Machine:
        return Machine(
            store=self.store, launcher=self.launcher, targets=self.targets, endpoint_url=endpoint_url
        )


@dataclass(frozen=True)
class Trained:
    family: Family
    here: Here
    definition: dict[str, Any]
    parameters: dict[str, str]
    finished: Finished
    packages: list[dict[str, Any]]  # that the execution has registered in the family's group


@pytest.fixture(scope="session")
def train(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A function that runs a family's pipeline with a launcher, once."""

    @functools.cache
    def run(name: str, launcher: str) -> Trained:
        family, isolate = FAMILIES[name], launcher != "venv-without-namespaces"
        store = Store(tmp_path_factory.mktemp(f"{name}-{launcher}"))
        environments, images = Environments(default_home() / "venvs"), Images(ROOT)
        require_sources(family, environments)
        if launcher == "docker":
            request.getfixturevalue("engine")
            try:
                images.ensure(images.reference(family))
            except (DockerError, ImageError) as error:
                without_docker(str(error))
        targets = Targets({}, FAMILIES, ROOT, images, as_images=launcher == "docker")
        in_venvs = VenvLauncher(environments, FAMILIES, isolate=isolate)
        launcher = ByTarget({"family": in_venvs, "docker": DockerLauncher(images, store.home)})
        here = Here(store, launcher, targets, Executor(store, launcher, targets))
        definition = compiler.cached_definition(family, default_home() / "compiled")
        generate = in_environment(environments.python(family))
        if launcher == "docker":
            generate = in_image(here.launcher, targets.of(local_image(family), ""))
        data = example_data(store, family, generate)
        example = {key: str(value) for key, value in family.example.parameters.items()}
        parameters = {"InputDataUri": data, **example}
        with reachable(here, definition):
            finished = here.executor.start(definition, name, parameters)
        packages = registered(store, name)  # before another execution adds its own to this new store
        return Trained(family, here, definition, parameters, finished, packages)

    return run


@pytest.fixture(scope="module", params=[(name, launcher) for launcher in LAUNCHERS for name in FAMILIES],
                ids=lambda pair: f"{pair[0]}-{pair[1]}")  # fmt: skip
def trained(request: pytest.FixtureRequest, train) -> Trained:
    return train(*request.param)


def registered(store: Store, group: str) -> list[dict[str, Any]]:
    try:
        return [store.registry.describe(each["arn"]) for each in store.registry.versions(group)]
    except NotFound:
        return []


def test_the_pipeline_succeeds_and_registers_what_it_is_to(trained: Trained) -> None:
    assert trained.finished.status == "Succeeded", trained.finished.reason
    assert trained.packages
    parameters = {each["Name"]: each.get("DefaultValue") for each in trained.definition["Parameters"]}
    status = parameters.get("ModelApprovalStatus", "PendingManualApproval")
    for package in trained.packages:
        assert package["ModelApprovalStatus"] == status
        assert trained.here.store.registry.metrics(package["ModelPackageArn"])
    assert len({model_of(package) for package in trained.packages}) == len(trained.packages)
    rows = trained.here.store.state.steps(trained.finished.execution)
    steps = [row["result"]["ModelPackageArn"] for row in rows if row["kind"] == "RegisterModel"]
    if any(step.type == "RegisterModel" for step in documents.parse(trained.definition).all_steps()):
        assert steps == [package["ModelPackageArn"] for package in trained.packages] and len(steps) == 1
    else:  # a function does it: the archives of the models, but for one of all together
        assert steps == [] and len(trained.packages) >= len(archives(trained)) - 1


def model_of(package: dict[str, Any]) -> str:
    [container] = packaged_containers(package)
    return data_uri(container)


def archives(trained: Trained) -> list[str]:
    rows = trained.here.store.state.steps(trained.finished.execution)
    outputs = [uri for row in rows if row["kind"] == "Training" for uri in row["outputs"] or {}]
    return [uri for uri in outputs if "/output/model" in uri and uri.endswith(".tar.gz")]


def test_every_metric_of_the_manifest_is_in_the_log(trained: Trained) -> None:
    rows = trained.here.store.state.steps(trained.finished.execution)
    seen = {item["MetricName"] for row in rows if row["kind"] == "Training"
            for item in row["result"]["FinalMetricDataList"]}  # fmt: skip
    assert seen == {metric.name for metric in trained.family.training.metrics}


def test_a_second_run_takes_every_job_from_the_cache(trained: Trained) -> None:
    with reachable(trained.here, trained.definition):
        again = trained.here.executor.start(trained.definition, trained.family.name, trained.parameters)
    rows = trained.here.store.state.steps(again.execution)
    jobs = [row for row in rows if row["kind"] in {"Processing", "Training"}]
    assert {row["name"]: row["cache_note"] for row in jobs if not row["cache_source"]} == {}


@pytest.mark.parametrize("name", FAMILIES)
def test_an_image_gives_what_its_environment_gives(train, name: str) -> None:
    """To the last bit: the same locked packages on the same machine."""
    with_venv, with_docker = results(train(name, "venv")), results(train(name, "docker"))
    assert with_venv["Evaluation"] and with_venv["Model"]
    assert with_docker == with_venv


def results(trained: Trained) -> dict[str, Any]:
    """The property files that conditions judge by, and the files of the models."""
    rows = trained.here.store.state.steps(trained.finished.execution)
    outputs = {row["name"]: row["outputs"] or {} for row in rows}
    evaluation, models = {}, {}
    for step in documents.parse(trained.definition).all_steps():
        for uri in outputs.get(step.name, {}):
            path = trained.here.store.objects.path(parse_uri(uri))
            if uri.rpartition("/")[2] in {Path(file.file_path).name for file in step.property_files}:
                evaluation[step.name] = json.loads(path.read_text())
            elif step.type == "Training" and "/output/model" in uri:
                models |= contents(path) if path.name == "model.tar.gz" else {path.name: path.read_bytes()}
    return {"Evaluation": evaluation, "Model": models}


def contents(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        files = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read() for name, file in files.items() if file}


@dataclass(frozen=True)
class Served:
    url: str
    target: str | None


@pytest.fixture(scope="module")
def endpoints(trained: Trained) -> Iterator[list[Served]]:
    """Of the first package; and, where that is one of the archives that the family serves together, of those."""
    if not trained.packages:
        pytest.fail(f"nothing was registered: {trained.finished.reason}")
    package, target = trained.packages[0], trained.family.example.target_model
    prefix, _, archive = model_of(package).rpartition("/")
    served = [(package, target)]
    if target and archive:
        [container] = packaged_containers(package)
        together = {**container, "Mode": "MultiModel", "ModelDataUrl": f"{prefix}/"}
        assert archive == target
        served = [
            (package, None),
            (package | {"InferenceSpecification": {"Containers": [together]}}, target),
        ]
    with ExitStack() as stack:
        found = []
        for number, (of, target) in enumerate(served):
            deployment = Deployment(
                trained.here.machine(), of, name=f"{trained.family.name}-{number}", port=0
            )
            stack.callback(deployment.remove)
            stack.enter_context(deployment.endpoint)
            found.append(Served(deployment.endpoint.url, target))
        yield found


def send(url: str, body: bytes, content_type: str, target: str | None) -> tuple[int, bytes]:
    headers = {"Content-Type": content_type}
    if target:
        headers["X-Amzn-SageMaker-Target-Model"] = target
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"{url}/invocations", body, headers), timeout=60
        ) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_its_own_request_gets_its_own_answer(trained: Trained, endpoints: list[Served]) -> None:
    family, example = trained.family, trained.family.example
    body = (family.folder / example.request).read_bytes()
    expected = json.loads((family.folder / example.answer).read_text())
    for endpoint in endpoints:
        status, answer = send(endpoint.url, body, family.serving.content_types[0], endpoint.target)
        assert status == 200, answer
        assert_alike(json.loads(answer), expected)


def assert_alike(answer: Any, expected: Any, where: str = "answer") -> None:
    if isinstance(expected, dict):
        assert isinstance(answer, dict) and answer.keys() == expected.keys(), where
        for key in expected:
            assert_alike(answer[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, list):
        assert isinstance(answer, list) and len(answer) == len(expected), where
        for index, (ours, theirs) in enumerate(zip(answer, expected, strict=True)):
            assert_alike(ours, theirs, f"{where}[{index}]")
    elif isinstance(expected, float):
        assert math.isclose(answer, expected, rel_tol=TOLERANCE, abs_tol=1e-6), (
            f"{where}: {answer} {expected}"
        )
    else:
        assert answer == expected, where


def test_its_bad_requests_are_refused_with_a_message(trained: Trained, endpoints: list[Served]) -> None:
    cases = json.loads((trained.family.folder / trained.family.example.bad_requests).read_text())
    assert cases
    for endpoint in endpoints:
        for case in cases:
            if "target_model" in case and not endpoint.target:
                continue
            target = case.get("target_model", endpoint.target)
            status, answer = send(endpoint.url, case["body"].encode(), case["content_type"], target)
            assert status == case["status"], f"{case['name']}: {status} {answer!r}"
            assert json.loads(answer)["message"], case["name"]
            assert b"Traceback" not in answer


@pytest.mark.parametrize("name", FAMILIES)
def test_the_manifests_regular_expressions_match_what_is_printed(name: str) -> None:
    for metric in FAMILIES[name].training.metrics:
        found = re.search(metric.regex, f"before {format_metric(metric.name, 1.25e-7)} behind")
        assert found and float(found.group(1)) == 1.25e-7, metric


@pytest.mark.parametrize("name", FAMILIES)
def test_the_family_keeps_the_files_that_every_family_has(name: str) -> None:
    folder: Path = FAMILIES[name].folder
    names = {path.name for path in folder.iterdir()}
    assert {
        "requirements.txt",
        "train.py",
        "preprocess.py",
        "evaluate.py",
        "inference.py",
        "README.md",
    } <= names
    lock = (folder / "requirements.txt").read_text()
    assert "--hash=sha256:" in lock and "://" not in lock

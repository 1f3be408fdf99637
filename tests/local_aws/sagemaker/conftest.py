"""SageMaker's API on a store of its own, as boto3 sees it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_until
from trainyard.execution.environments import Environments
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.s3 import parse_uri
from trainyard.execution.store import Store
from trainyard.execution.targets import Target, Targets
from trainyard.local_aws.background import Background
from trainyard.local_aws.context import Context
from trainyard.local_aws.json_api import JsonApi
from trainyard.local_aws.sagemaker import executions, groups, packages, pipelines

ROLE = "arn:aws:iam::000000000000:role/local"


@pytest.fixture
def emitted() -> list[tuple[str, dict[str, Any]]]:
    """The events that were sent to EventBridge."""
    return []


@pytest.fixture
def context(
    store: Store, plain_venv: Path, environments: Environments, emitted: list[Any], root: Path
) -> Iterator[Context]:
    """An endpoint's context, in which the image ``image`` is the plain environment."""

    def new_machine() -> Machine:
        targets = Targets({"image": Target("venv", str(plain_venv))}, {}, root)
        return Machine(store=store, launcher=VenvLauncher(environments, {}, isolate=True), targets=targets)

    background = Background(store)
    yield Context(
        new_machine=new_machine,
        background=background,
        emit=lambda kind, detail: emitted.append((kind, dict(detail))),
    )
    background.close()


@pytest.fixture
def sagemaker(context: Context, serve: Callable[..., str], client: Callable[..., Any]) -> Any:
    """boto3's client of the operations on pipelines and the registry."""
    operations = {
        **pipelines.OPERATIONS,
        **executions.OPERATIONS,
        **packages.OPERATIONS,
        **groups.OPERATIONS,
    }
    return client("sagemaker", serve(JsonApi("sagemaker", operations, context)))


@pytest.fixture
def create_pipeline(sagemaker: Any) -> Callable[..., str]:
    """Create a pipeline of the given steps; the answer is its name."""

    def create(*steps: dict[str, Any], name: str = "Flow", **more: Any) -> str:
        parts = {"Parameters": more.pop("parameters", []), "Steps": steps, **more.pop("parts", {})}
        text = json.dumps({"Version": "2020-12-01", "Metadata": {}, **parts})
        sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn=ROLE, **more)
        return name

    return create


@pytest.fixture
def job(store: Store, namespaces: None) -> Callable[..., dict[str, Any]]:
    """A Processing step that runs a script."""

    def make(name: str, script: str, **more: Any) -> dict[str, Any]:
        store.objects.put_bytes(script.encode(), parse_uri(f"s3://bucket/code/{name}/main.py"))
        code = {"S3Uri": f"s3://bucket/code/{name}/", "LocalPath": "/opt/ml/processing/code"}
        arguments = {
            "AppSpecification": {
                "ImageUri": "image",
                "ContainerEntrypoint": ["python3", "/opt/ml/processing/code/main.py"],
            },
            "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large"}},
            "ProcessingInputs": [{"InputName": "code", "S3Input": code}],
        }
        return {"Name": name, "Type": "Processing", "Arguments": arguments, **more}

    return make


@pytest.fixture
def ended(sagemaker: Any) -> Callable[[str], dict[str, Any]]:
    """Wait for an execution's end; the answer is its description."""

    def wait(arn: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def over() -> bool:
            found.update(sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))
            return found["PipelineExecutionStatus"] not in ("Executing", "Stopping")

        wait_until(over)
        return found

    return wait

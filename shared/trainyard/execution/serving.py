"""From a model's document to the server that answers for it: its data laid out, its containers chosen."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainyard.errors import EndpointError, NotFound, Unsupported
from trainyard.execution.hosting import ModelServer
from trainyard.execution.machine import Machine
from trainyard.execution.model_data import ModelPrefix, place_model
from trainyard.execution.request import ARN
from trainyard.execution.resources import Document
from trainyard.execution.s3 import parse_uri
from trainyard.execution.store import Store
from trainyard.execution.targets import Target
from trainyard.families import Family
from trainyard.registry.packages import Registry

Container = Mapping[str, Any]
"""A ContainerDefinition of CreateModel, or of a model package's InferenceSpecification."""


def find_model(store: Store, name: str) -> Document:
    """DescribeModel's answer; raises NotFound in AWS's words."""
    model = store.resources.find("model", name)
    if model is None:
        raise NotFound(f'Could not find model "{ARN}:model/{name}".')
    return model


def containers_of(model: Mapping[str, Any], registry: Registry) -> list[dict[str, Any]]:
    """The containers of DescribeModel's answer, in order; for a model package, those that were registered.

    Raises NotFound for a package that is not there, EndpointError for a model without containers.
    """
    given = model.get("Containers") or [model[key] for key in ("PrimaryContainer",) if model.get(key)]
    if not given:
        raise EndpointError(
            f"model {model['ModelName']!r} has no container: no PrimaryContainer, no Containers"
        )
    found = []
    for container in given:
        if package := container.get("ModelPackageName"):
            described = registry.describe(package)
            for each in packaged_containers(described):
                own = {**each.get("Environment", {}), **container.get("Environment", {})}
                found.append({**each, "Environment": own})
        else:
            found.append(dict(container))
    return found


def packaged_containers(package: Mapping[str, Any]) -> list[Container]:
    """The containers of DescribeModelPackage's answer."""
    return list((package.get("InferenceSpecification") or {}).get("Containers") or [])


def data_uri(container: Container) -> str:
    """Where the model's data is, or "" for a model that is in its image."""
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    return str(source.get("S3Uri") or container.get("ModelDataUrl") or "")


def model_server(
    machine: Machine, container: Container, folder: Path, where: str, more: Mapping[str, str] | None = None
) -> ModelServer:
    """The server of one container, its model's data laid out below ``folder``, not yet started.

    ``more`` is what the platform sets beside the container's own Environment. Raises EndpointError, Unsupported or
    StoreError, naming ``where``, for what cannot be served.
    """
    if container.get("AdditionalModelDataSources"):
        raise Unsupported(
            f"{where}: AdditionalModelDataSources cannot be honoured here; put all into one model"
        )
    target = machine.targets.of(str(container.get("Image", "")), where)
    uri = data_uri(container)
    data = machine.store.objects.path(parse_uri(uri)) if uri else None
    many = _serves_many(machine, target, container, data)
    if data is not None and not many and not data.exists():
        raise EndpointError(f"{where}: its model data {data} is not in the store any more")
    environment = {
        **(_server(machine.targets.families[target.name]) if target.kind == "family" else {}),
        "SAGEMAKER_MULTI_MODEL": str(many).lower(),
        **(more or {}),
        **{key: str(value) for key, value in (container.get("Environment") or {}).items()},
    }
    process = machine.serving(target, folder, environment)
    if many:
        if data is None:
            raise EndpointError(f"{where} serves many models and names no prefix of them (ModelDataUrl)")
        return ModelServer(process, ModelPrefix(data, process.ml))
    if data is not None:
        place_model(data, process.ml)
    return ModelServer(process)


def _serves_many(machine: Machine, target: Target, container: Container, data: Path | None) -> bool:
    """As its Mode says; a package has none: an archive is one model, a prefix is judged by its family or its data."""
    if container.get("Mode"):
        return bool(container["Mode"] == "MultiModel")
    if data is not None and data.name.endswith(".tar.gz") and not data.is_dir():
        return False
    if target.kind == "family":
        return machine.targets.families[target.name].serving.multi_model
    return data is not None and data.is_dir() and any(data.glob("*.tar.gz"))


def _server(family: Family) -> dict[str, str]:
    """What a family's image would set, for the server that the family names.

    Raises Unsupported where that is multi-model-server and there is no Java for it.
    """
    variables = {"TRAINYARD_SERVER": family.serving.server}
    if family.serving.server == "multi-model-server":
        java = shutil.which("java")
        if java is None:
            raise Unsupported(
                f"family {family.name} is served by multi-model-server, which needs Java, and there is no java on "
                "PATH; install a Java runtime (version 8 to 17), or serve the family from its image"
            )
        variables["JAVA_HOME"] = str(Path(java).resolve().parents[1])
    return variables

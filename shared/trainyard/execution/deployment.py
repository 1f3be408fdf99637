"""From a registered model package to an endpoint on this machine, and from an endpoint's name to its address."""

from __future__ import annotations

import json
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainyard.errors import EndpointError, Unsupported
from trainyard.execution.endpoint import Endpoint
from trainyard.execution.hosting import ModelServer
from trainyard.execution.launchers.docker_serving import ServingContainer
from trainyard.execution.launchers.process import Sandboxes
from trainyard.execution.launchers.serving import ServingProcess
from trainyard.execution.model_data import ModelPrefix, place_model
from trainyard.execution.s3 import parse_uri
from trainyard.execution.store import Store
from trainyard.execution.targets import Targets
from trainyard.families import Family

# Endpoints are on this machine, whatever proxy the environment names for others.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Deployment:
    """One package served under a name; ``endpoint`` answers between its ``open`` and ``close``.

    Whoever deploys holds ``store.living(name, "endpoint")``: there is one of a name at a time.

    Raises EndpointError for a package that cannot be served and for a name that is being served.
    """

    def __init__(
        self,
        store: Store,
        sandboxes: Sandboxes,
        targets: Targets,
        package: Mapping[str, Any],
        *,
        name: str,
        port: int,
    ) -> None:
        running = address(store, name)
        if running:
            raise EndpointError(
                f"endpoint {name!r} is being served already at {running}; stop it, or choose another --name"
            )
        container, arn = _container(package), package["ModelPackageArn"]
        target = targets.of(container["Image"], f"model package {arn}")
        data = store.objects.path(parse_uri(_data_uri(container, arn)))
        if not data.exists():
            raise EndpointError(f"model package {arn}: its model data {data} is not in the store any more")
        server = _server(targets.families[target.name]) if target.kind == "family" else {}
        self._folder = store.home / "endpoints" / name
        shutil.rmtree(self._folder, ignore_errors=True)  # of one that was killed
        self._record = _record(store, name)
        if target.kind == "family":
            self.multi_model = targets.families[target.name].serving.multi_model
        else:
            self.multi_model = data.is_dir() and any(data.glob("*.tar.gz"))
        environment = {key: str(value) for key, value in container.get("Environment", {}).items()}
        environment = {"SAGEMAKER_MULTI_MODEL": str(self.multi_model).lower(), **environment}
        process: ServingProcess | ServingContainer
        if target.kind == "docker":
            targets.prepare([target])
            process = ServingContainer(targets.images.engine, store.home, target, self._folder, environment)
        else:
            process = ServingProcess(sandboxes, target, self._folder, {**server, **environment})
        self.server = ModelServer(process, ModelPrefix(data, process.ml) if self.multi_model else None)
        try:
            if not self.multi_model:
                place_model(data, process.ml)
            self.endpoint = Endpoint(self.server, name=name, port=port)
        except EndpointError:
            self.remove()
            raise

    def announce(self) -> None:
        """Record the address, for those who know only the name."""
        self._record.parent.mkdir(parents=True, exist_ok=True)
        self._record.write_text(json.dumps({"url": self.endpoint.url}))

    def remove(self) -> None:
        """Forget the address and delete the container's files."""
        self._record.unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)


def address(store: Store, name: str) -> str:
    """The URL of the endpoint with this name, or nothing when it does not answer."""
    with suppress(OSError, ValueError, KeyError, urllib.error.URLError):
        url = str(json.loads(_record(store, name).read_text())["url"])
        with LOCAL.open(f"{url}/ping", timeout=5):
            return url
    return ""


def check_name(name: str) -> str:
    """The name, if it is one for an endpoint; raises EndpointError."""
    if not re.fullmatch(r"[A-Za-z0-9](-?[A-Za-z0-9]){0,62}", name):
        raise EndpointError(f"endpoint name {name!r}: use up to 63 letters, digits and '-'")
    return name


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


def _record(store: Store, name: str) -> Path:
    return store.home / "endpoints" / f"{check_name(name)}.json"


def _container(package: Mapping[str, Any]) -> Mapping[str, Any]:
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    if len(containers) != 1:
        raise EndpointError(
            f"model package {package['ModelPackageArn']} has {len(containers)} containers; only one can be served"
        )
    container: Mapping[str, Any] = containers[0]
    return container


def _data_uri(container: Mapping[str, Any], arn: str) -> str:
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    uri = source.get("S3Uri") or container.get("ModelDataUrl")
    if not uri:
        raise EndpointError(f"model package {arn} names no model data (ModelDataUrl or ModelDataSource)")
    return str(uri)

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

from trainyard.errors import EndpointError, UserError
from trainyard.execution.endpoint import Endpoint
from trainyard.execution.machine import Machine
from trainyard.execution.serving import data_uri, model_server, packaged_containers
from trainyard.execution.store import Store

# Endpoints are on this machine, whatever proxy the environment names for others.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Deployment:
    """One package served under a name; ``endpoint`` answers between its ``open`` and ``close``.

    Whoever deploys holds ``store.living(name, "endpoint")``: there is one of a name at a time.

    Raises EndpointError for a package that cannot be served and for a name that is being served.
    """

    def __init__(self, machine: Machine, package: Mapping[str, Any], *, name: str, port: int) -> None:
        running = address(machine.store, name)
        if running:
            raise EndpointError(
                f"endpoint {name!r} is being served already at {running}; stop it, or choose another --name"
            )
        container, where = _container(package), f"model package {package['ModelPackageArn']}"
        self._folder = machine.store.home / "endpoints" / name
        shutil.rmtree(self._folder, ignore_errors=True)  # of one that was killed
        self._record = _record(machine.store, name)
        try:
            self.server = model_server(machine, container, self._folder, where)
            self.endpoint = Endpoint(self.server, name=name, port=port)
        except UserError:
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


def _record(store: Store, name: str) -> Path:
    return store.home / "endpoints" / f"{check_name(name)}.json"


def _container(package: Mapping[str, Any]) -> Mapping[str, Any]:
    containers, arn = packaged_containers(package), package["ModelPackageArn"]
    if len(containers) != 1:
        raise EndpointError(f"model package {arn} has {len(containers)} containers; only one can be served")
    if not data_uri(containers[0]):
        raise EndpointError(f"model package {arn} names no model data (ModelDataUrl or ModelDataSource)")
    return containers[0]

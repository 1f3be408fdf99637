"""What tests of endpoints share: an environment whose ``serve`` answers with its model's name, and endpoints of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainyard.execution.environments import Environments
from trainyard.execution.hosts import Hosts
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.s3 import parse_uri
from trainyard.execution.steps import endpoint_config
from trainyard.execution.store import Store
from trainyard.execution.targets import Target, Targets
from trainyard.families import repository_root
from trainyard.in_image.archives import write_archive

SERVE = """#!/usr/bin/env python3
import http.server, json, os, pathlib, sys, time
time.sleep(float(os.environ.get("SLOW_START", "0")))
if "FAIL_START" in os.environ:
    sys.exit(os.environ["FAIL_START"])
MODELS = {}
ROOM = 2

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, b"")

    def do_DELETE(self):
        del MODELS[self.path.split("/")[2]]
        self.answer(200, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = self.path.split("/")
        if parts[1:] == ["models"]:
            asked = json.loads(body)
            if len(MODELS) >= ROOM:
                return self.answer(507, b"no room")
            MODELS[asked["model_name"]] = pathlib.Path(asked["url"], "name.txt").read_text()
            return self.answer(200, b"")
        if parts[1] == "models":
            return self.answer(200, MODELS[parts[2]].encode())
        name = pathlib.Path("/opt/ml/model/name.txt").read_text()
        if body == b"die":
            os._exit(3)
        if body.startswith(b"fail"):
            return self.answer(int(body[4:]), b'{"message": "as asked"}')
        if body.startswith(b"stream"):
            return self.stream(name, breaks=body.endswith(b"breaks"))
        if body == b"env":
            return self.answer(200, json.dumps(dict(os.environ)).encode(), "application/json")
        time.sleep(float(os.environ.get("SLOW", "0")))
        self.answer(200, name.encode() + b":" + body, self.headers.get("Accept", "text/csv"))

    def answer(self, status, body, kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if attributes := self.headers.get("X-Amzn-SageMaker-Custom-Attributes"):
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", attributes + " answered")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, name, breaks):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (name, " one", " two"):
            self.wfile.write(b"%x\\r\\n%b\\r\\n" % (len(part), part.encode()))
            self.wfile.flush()
            time.sleep(0.2)
        if breaks:
            os._exit(4)
        self.wfile.write(b"0\\r\\n\\r\\n")

    def log_message(self, *args):
        pass

address = (os.environ["SAGEMAKER_BIND_ADDRESS"], int(os.environ["SAGEMAKER_BIND_TO_PORT"]))
print("serving", flush=True)
http.server.ThreadingHTTPServer(address, Handler).serve_forever()
"""


def serving_venv(folder: Path) -> Path:
    """An environment with nothing but Python and ``serve``."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    serve = folder / "venv" / "bin" / "serve"
    serve.write_text(SERVE)
    serve.chmod(0o755)
    return folder / "venv"


class Hosted:
    """A store, its hosts, and short ways to have models and endpoints in it; the image ``image`` is ``venv``."""

    def __init__(self, store: Store, environments: Environments, venv: Path) -> None:
        targets = Targets({"image": Target("venv", str(venv))}, {}, repository_root())
        self.store = store
        self.machine = Machine(store=store, launcher=VenvLauncher(environments, {}), targets=targets)
        self.hosts = Hosts(lambda: self.machine)

    def data(self, name: str, key: str = "") -> str:
        """The URI of a model archive whose ``name.txt`` says ``name``."""
        archive = self.store.home / f"{name}.tar.gz"
        write_archive(archive, {"name.txt": name.encode()})
        uri = f"s3://bucket/{key or f'models/{name}.tar.gz'}"
        self.store.objects.put(archive, parse_uri(uri), move=True)
        return uri

    def model(
        self, name: str, *more: str, environment: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        """A model resource; with ``more`` names it has a container for each of them."""
        containers = [
            {"Image": "image", "ModelDataUrl": self.data(each), "Environment": dict(environment or {})}
            for each in (name, *more)
        ]
        body = {"Containers": containers} if more else {"PrimaryContainer": containers[0]}
        self.store.resources.add("model", name, {"ModelName": name, **body, **members})

    def config(self, name: str, weights: Mapping[str, float], **more: Any) -> None:
        """An endpoint config with a variant for each model, named alike."""
        variants = [
            {
                "VariantName": model,
                "ModelName": model,
                "InitialVariantWeight": weight,
                "InitialInstanceCount": 1,
                "InstanceType": "ml.m5.large",
            }
            for model, weight in weights.items()
        ]
        endpoint_config.create(self.store, name, {"ProductionVariants": variants, **more})

    def deployed(self, name: str = "e", **environment: str) -> None:
        """An endpoint of the models ``a`` (weight 3) and ``b`` (weight 1), in service."""
        for model in "ab":
            self.model(model, environment=environment)
        self.config("config", {"a": 3, "b": 1})
        assert self.hosts.create(name, "config")() == ""

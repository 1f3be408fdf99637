"""A model whose container really serves, and transform jobs of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trainyard.execution.environments import Environments
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.s3 import parse_uri
from trainyard.execution.targets import Target, Targets
from trainyard.in_image.archives import write_archive

# Upper-cases what it gets. Paths, texts in the request and variables make it answer otherwise.
SERVE = """#!/usr/bin/env python3
import http.server, json, os, shutil, tempfile, threading, time
seen, lock, failures = [], threading.Lock(), {}
MODEL = open("/opt/ml/model/name").read()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/ping":
            return self.answer(200, b"")
        if self.path == "/execution-parameters" and "PARAMETERS" in os.environ:
            return self.answer(200, os.environ["PARAMETERS"].encode())
        self.answer(404, b"")

    def do_POST(self):
        if "Transfer-Encoding" in self.headers:
            return self.echo()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        said = f"request {len(body)} {self.headers['Content-Type']} {self.headers['Accept']}\\n"
        os.write(1, said.encode())  # whole: requests come at the same time
        if b"bad" in body:
            return self.answer(400, b'{"message": "a bad record"}')
        if b"slow" in body:
            time.sleep(60)
        if b"later" in body:
            time.sleep(0.2)
        with lock:
            failures[body] = failures.get(body, 0) + 1
            if b"flaky" in body and failures[body] < 3:
                return self.answer(500, b"try again")
        if b"environment" in body:
            body = json.dumps({k: v for k, v in os.environ.items() if k.startswith("SAGEMAKER_")}).encode()
            return self.answer(200, body)
        if os.environ.get("COUNT"):
            body = "\\n".join(str(len(line)) for line in body.decode().splitlines()).encode()
        if os.environ.get("LABEL"):
            body = "\\n".join(json.dumps({"label": json.loads(x)}) for x in body.decode().splitlines()).encode()
        self.answer(200, body.upper() + MODEL.encode())

    def echo(self):
        with tempfile.TemporaryFile() as content:
            while size := int(self.rfile.readline(), 16):
                content.write(self.rfile.read(size))
                self.rfile.readline()
            print("chunked", content.tell(), self.headers["Content-Type"], self.headers["Accept"], flush=True)
            content.seek(0)
            self.send_response(200)
            self.end_headers()
            shutil.copyfileobj(content, self.wfile)

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer((os.environ["SAGEMAKER_BIND_ADDRESS"], int(os.environ["SAGEMAKER_BIND_TO_PORT"])),
                                Handler).serve_forever()
"""


@pytest.fixture
def machine(store, plain_venv: Path, environments: Environments, namespaces: None) -> Iterator[Machine]:
    """A machine for which the image ``image`` serves ``SERVE``, and whose model ``m`` is made of it."""
    serve = plain_venv / "bin" / "serve"
    serve.write_text(SERVE)
    serve.chmod(0o755)
    targets = Targets({"image": Target("venv", str(plain_venv))}, {}, Path("/"))
    archive = store.home / "model.tar.gz"
    write_archive(archive, {"name": b""})
    store.objects.put(archive, parse_uri("s3://bucket/model.tar.gz"))
    container = {"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz"}
    store.resources.add("model", "m", {"ModelName": "m", "PrimaryContainer": container})
    yield Machine(store=store, launcher=VenvLauncher(environments, {}), targets=targets)
    serve.unlink()


@pytest.fixture
def arguments() -> Callable[..., dict[str, Any]]:
    """CreateTransformJob's request; members of TransformInput and TransformOutput may be given as they are."""

    def make(**more: Any) -> dict[str, Any]:
        given = {key: more.pop(key) for key in ("ContentType", "CompressionType", "SplitType") if key in more}
        output = {key: more.pop(key) for key in ("Accept", "AssembleWith") if key in more}
        source = {
            "S3DataType": more.pop("S3DataType", "S3Prefix"),
            "S3Uri": more.pop("S3Uri", "s3://bucket/in/"),
        }
        return {
            "ModelName": "m",
            "TransformInput": {"DataSource": {"S3DataSource": source}, **given},
            "TransformOutput": {"S3OutputPath": "s3://bucket/out", **output},
            "TransformResources": {"InstanceCount": more.pop("count", 1), "InstanceType": "ml.m5.large"},
            **more,
        }

    return make


@pytest.fixture
def put(store) -> Callable[..., None]:
    """Store inputs below ``s3://bucket/in/``."""

    def put(**contents: bytes) -> None:
        for name, content in contents.items():
            store.objects.put_bytes(content, parse_uri(f"s3://bucket/in/{name}"))

    return put


@pytest.fixture
def outputs(store) -> Callable[[], dict[str, bytes]]:
    """What lies below ``s3://bucket/out/``, by its name there."""

    def read() -> dict[str, bytes]:
        return {
            item.relative: item.path.read_bytes()
            for item in store.objects.list(parse_uri("s3://bucket/out/"))
        }

    return read


@pytest.fixture
def submit(machine, store) -> Callable[..., dict[str, Any]]:
    """Run a request as the API would; the answer is the job's Describe document."""
    from trainyard.execution.work import WORK

    def submit(
        arguments: dict[str, Any], name: str = "job", watch=lambda event: None, **model: Any
    ) -> dict[str, Any]:
        if model:
            container = {"Image": "image", "ModelDataUrl": "s3://bucket/model.tar.gz", **model}
            store.resources.update("model", "m", PrimaryContainer=container)
        prepared = WORK["Transform"].prepare(machine, name, arguments)
        with store.recorder.begin("transform-job", name, arguments) as recording:
            recording.finish(prepared(recording, watch))
        return dict(store.resources.get("transform-job", name))

    return submit

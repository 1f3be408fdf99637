from __future__ import annotations

import json
import shutil
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from trainyard import families
from trainyard.errors import EndpointError, Unsupported
from trainyard.execution.deployment import LOCAL, Deployment, address
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.s3 import parse_uri
from trainyard.execution.targets import Target, Targets
from trainyard.in_image.archives import write_archive

SERVE = """#!/usr/bin/env python3
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        names = sorted(path for _, _, files in os.walk("/opt/ml/models") for path in files)
        text = " ".join([os.environ["SAGEMAKER_MULTI_MODEL"], *os.listdir("/opt/ml/model"), *names])
        self.send_response(200); self.end_headers(); self.wfile.write(text.encode())
    do_GET = do_POST = answer
address = (os.environ["SAGEMAKER_BIND_ADDRESS"], int(os.environ["SAGEMAKER_BIND_TO_PORT"]))
http.server.ThreadingHTTPServer(address, Handler).serve_forever()
"""


@pytest.fixture
def deploy(store, plain_venv: Path, environments, root: Path, namespaces):
    serve = plain_venv / "bin" / "serve"
    serve.write_text(SERVE)
    serve.chmod(0o755)
    tinymms = families.load(root / "tests" / "fixtures" / "families" / "tinymms")
    mapped = {"image": Target("venv", str(plain_venv)), "tinymms": Target("family", "tinymms")}
    targets = Targets(mapped, {"tinymms": tinymms}, root)

    def make(container: dict, name: str = "e", port: int = 0) -> Deployment:
        package = {"ModelPackageArn": "arn:x/g/1", "InferenceSpecification": {"Containers": [container]}}
        launcher = VenvLauncher(environments, targets.families)
        machine = Machine(store=store, launcher=launcher, targets=targets)
        return Deployment(machine, package, name=name, port=port)

    yield make
    serve.unlink()


def post(url: str, target: str = "") -> str:
    headers = {"X-Amzn-SageMaker-Target-Model": target} if target else {}
    with LOCAL.open(urllib.request.Request(f"{url}/invocations", b"x", headers)) as answer:
        return answer.read().decode()


def test_one_model_from_its_archive(deploy, store, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # for others; endpoints are on this machine
    monkeypatch.setenv("no_proxy", "")
    write_archive(tmp_path / "m.tar.gz", {"weights.json": b"{}"})
    store.objects.put(tmp_path / "m.tar.gz", parse_uri("s3://b/job/model.tar.gz"))
    deployment = deploy({"Image": "image", "ModelDataUrl": "s3://b/job/model.tar.gz"})
    with deployment.endpoint:
        deployment.announce()
        assert address(store, "e") == deployment.endpoint.url
        assert post(deployment.endpoint.url) == "false weights.json"
        with pytest.raises(EndpointError, match="is being served already at"):
            deploy({"Image": "image", "ModelDataUrl": "s3://b/job/model.tar.gz"})
    deployment.remove()
    assert address(store, "e") == ""
    assert list((store.home / "endpoints").iterdir()) == []


def test_what_cannot_listen_leaves_nothing(deploy, store, tmp_path: Path) -> None:
    write_archive(tmp_path / "m.tar.gz", {"weights.json": b"{}"})
    store.objects.put(tmp_path / "m.tar.gz", parse_uri("s3://b/model.tar.gz"))
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(EndpointError, match="it is in use"):
        deploy({"Image": "image", "ModelDataUrl": "s3://b/model.tar.gz"}, port=taken.getsockname()[1])
    assert list((store.home / "endpoints").iterdir()) == []


def test_many_models_from_a_prefix(deploy, store, tmp_path: Path) -> None:
    write_archive(tmp_path / "m.tar.gz", {"a.json": b"{}"})
    store.objects.put(tmp_path / "m.tar.gz", parse_uri("s3://b/models/a.tar.gz"))
    source = {
        "S3DataSource": {"S3Uri": "s3://b/models/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    }
    deployment = deploy({"Image": "image", "ModelDataSource": source})
    with deployment.endpoint:
        assert post(deployment.endpoint.url, "a.tar.gz") == "true a.json"
    deployment.remove()


@pytest.mark.parametrize(
    ("container", "kind", "fragment"),
    [
        ({"Image": "image"}, EndpointError, "names no model data"),
        ({"Image": "image", "ModelDataUrl": "s3://b/none"}, EndpointError, "is not in the store any more"),
        ({"Image": "other", "ModelDataUrl": "s3://b/none"}, Unsupported, "--map other=TARGET"),
    ],
)
def test_what_cannot_be_served_says_why(deploy, store, container, kind, fragment) -> None:
    with pytest.raises(kind, match=fragment):
        deploy(container)


def test_names_cannot_leave_the_folder(store, deploy) -> None:
    with pytest.raises(EndpointError, match="use up to 63 letters, digits and '-'"):
        deploy({"Image": "image", "ModelDataUrl": "s3://b/x"}, name="../x")
    (store.home / "endpoints").mkdir()
    (store.home / "endpoints" / "e.json").write_text(json.dumps({"url": "http://127.0.0.1:1"}))
    assert address(store, "e") == ""


def test_a_family_is_served_by_the_server_that_it_names(deploy, store, tmp_path: Path) -> None:
    if not shutil.which("java"):
        pytest.skip("multi-model-server needs Java, and there is no java on PATH")
    write_archive(tmp_path / "m.tar.gz", {"model.json": b'{"mean": 5.0}'})
    store.objects.put(tmp_path / "m.tar.gz", parse_uri("s3://b/model.tar.gz"))
    deployment = deploy({"Image": "tinymms", "ModelDataUrl": "s3://b/model.tar.gz"})
    with deployment.endpoint as endpoint:
        request = urllib.request.Request(f"{endpoint.url}/invocations", b'{"above": 2}')
        request.add_header("Content-Type", "application/json")
        with LOCAL.open(request) as answer:
            assert json.load(answer) == {"prediction": 7.0}
        request.data = b"{}"
        with pytest.raises(urllib.error.HTTPError) as refused, LOCAL.open(request):
            pass
        assert refused.value.code == 400
    deployment.remove()


def test_multi_model_server_needs_java(deploy, store, tmp_path: Path, monkeypatch) -> None:
    write_archive(tmp_path / "m.tar.gz", {"model.json": b"{}"})
    store.objects.put(tmp_path / "m.tar.gz", parse_uri("s3://b/model.tar.gz"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unsupported, match="family tinymms is served by multi-model-server, which needs Java"):
        deploy({"Image": "tinymms", "ModelDataUrl": "s3://b/model.tar.gz"})

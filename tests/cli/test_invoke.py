from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trainyard.execution.s3 import parse_uri
from trainyard.execution.store import Store


@pytest.fixture
def served(home: Path, plain_venv: Path, tmp_path: Path, namespaces):
    """A package whose image stands for an environment with a `serve` of its own, served by the command line."""
    serve = plain_venv / "bin" / "serve"
    serve.write_text(
        "#!/usr/bin/env python3\nimport http.server, os\n"
        "class Handler(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n        self.send_response(200); self.end_headers()\n"
        "    def do_POST(self):\n"
        "        body = self.rfile.read(int(self.headers['Content-Length']))\n"
        "        self.send_response(415 if self.headers['Content-Type'] == 'text/csv' else 200)\n"
        "        self.end_headers(); self.wfile.write(body[::-1] + open('/opt/ml/model/name').read().encode())\n"
        "address = (os.environ['SAGEMAKER_BIND_ADDRESS'], int(os.environ['SAGEMAKER_BIND_TO_PORT']))\n"
        "http.server.ThreadingHTTPServer(address, Handler).serve_forever()\n"
    )
    serve.chmod(0o755)
    store = Store(home)
    store.objects.put_bytes(b"seven", parse_uri("s3://b/model/name"))
    containers = [{"Image": "image", "ModelDataSource": {"S3DataSource": {"S3Uri": "s3://b/model/"}}}]
    store.registry.register("g", {"InferenceSpecification": {"Containers": containers}}, {})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [
        sys.executable,
        "-c",
        "import sys; from trainyard.cli.main import main; sys.exit(main(sys.argv[1:]))",
    ]
    process = subprocess.Popen(
        [*command, "serve", "g", "--port", "0", "--map", f"image=venv:{plain_venv}", "--json"],
        stdout=subprocess.PIPE, env=environment,
    )  # fmt: skip
    yield json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    serve.unlink()
    assert [path for path in (home / "endpoints").iterdir() if path.is_dir()] == []


def test_invoke_sends_a_file_to_the_endpoint_of_that_name(cli, served, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text("abc")
    assert served["ModelPackageArn"].endswith("/g/1")
    assert cli("invoke", "g", request).out == "cbaseven"
    refused = cli("invoke", "g", request, "--content-type", "text/csv")
    assert (refused.code, "the endpoint answered 415" in refused.err) == (26, True)
    busy = cli("serve", "g")
    assert busy.code == 21 and "endpoint g is running in another process" in busy.err


def test_without_an_endpoint_it_says_how_to_start_one(cli, tmp_path: Path) -> None:
    result = cli("invoke", "g", "-")
    assert result.code == 26 and "start it with: trainyard serve g" in result.err


@pytest.mark.parametrize("name", ["🚀.tar.gz", "a\nb.tar.gz"])
def test_a_target_that_no_header_can_carry(cli, served, name: str) -> None:
    result = cli("invoke", "g", "-", "--target-model", name)
    assert "Traceback" not in result.err and "percent-encoded" in result.err

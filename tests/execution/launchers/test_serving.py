from __future__ import annotations

import http.client
import signal
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import wait_until
from trainyard.execution.launchers import serving
from trainyard.execution.launchers.process import Sandboxes
from trainyard.execution.launchers.serving import ServingProcess
from trainyard.execution.targets import Target

SERVE = """#!/usr/bin/env python3
import http.server, os, signal, sys
if os.environ.get("DEAF"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("deaf", flush=True)
if os.environ.get("BROKEN"):
    sys.exit("no model here")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(open("/opt/ml/model/name").read().encode())
http.server.HTTPServer((os.environ["SAGEMAKER_BIND_ADDRESS"], int(os.environ["SAGEMAKER_BIND_TO_PORT"])),
                       Handler).serve_forever()
"""


@pytest.fixture
def make(plain_venv: Path, environments, tmp_path: Path, namespaces):
    serve = plain_venv / "bin" / "serve"
    serve.write_text(SERVE)
    serve.chmod(0o755)

    def made(**environment: str) -> ServingProcess:
        return ServingProcess(
            Sandboxes(environments, {}), Target("venv", str(plain_venv)), tmp_path / "endpoint", environment
        )

    yield made
    serve.unlink()


def get(url: str) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    connection.request("GET", "/ping")
    return connection.getresponse().read()


def test_serves_what_lies_in_its_model_folder_until_it_is_stopped(make) -> None:
    container = make()
    container.ml.model.mkdir(parents=True)
    (container.ml.model / "name").write_text("seven")
    container.start()
    for _ in range(100):
        try:
            assert get(container.url) == b"seven"
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    else:
        pytest.fail(container.ended())
    assert container.ended() == ""
    container.stop()
    container.stop()
    with pytest.raises(ConnectionRefusedError):
        get(container.url)


def test_what_does_not_listen_is_killed_when_its_time_is_up(make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_GRACE_SECONDS", 0.2)
    container = make(DEAF="1")
    container.start()
    wait_until(lambda: "deaf" in container.log.read_text())
    container.stop()
    assert container.ended().startswith(f"exit code {128 + signal.SIGKILL}")


def test_a_failed_start_says_why(make) -> None:
    container = make(BROKEN="1")
    container.start()
    for _ in range(100):
        if container.ended():
            break
        time.sleep(0.05)
    assert container.ended() == "exit code 1: no model here"
    assert "no model here" in container.log.read_text()

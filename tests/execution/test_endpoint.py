"""An endpoint from its port being taken to its container being stopped; the real server is behind it.

Run as a script, this file serves until a signal, for the tests of signals.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trainyard.errors import EndpointError
from trainyard.execution.endpoint import Endpoint
from trainyard.execution.hosting import TARGET_MODEL, ModelServer
from trainyard.execution.model_data import ModelPrefix
from trainyard.in_image.archives import write_archive
from trainyard.in_image.opt_ml import OptMl

SHARED = Path(__file__).parents[2] / "shared"
HANDLER = """
import json, os, time

def model_fn(model_dir):
    with open(os.path.join(model_dir, "model.json")) as file:
        return json.load(file)

def predict_fn(data, model):
    time.sleep(data)
    return model
"""


class Process:
    """``serve`` as a process on a free port, which leaves its process id in ``/opt/ml/pid``."""

    def __init__(self, python: Path, base: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._python, self._base = python, base

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._python, "-m", "trainyard.in_image.serve"],
            env={
                "PYTHONPATH": str(SHARED),
                "SAGEMAKER_BASE_DIR": str(self._base),
                "SAGEMAKER_BIND_ADDRESS": "127.0.0.1",
                "SAGEMAKER_BIND_TO_PORT": str(self._port),
                "SAGEMAKER_MULTI_MODEL": "true",
                "SAGEMAKER_CONTAINER_LOG_LEVEL": "40",
            },
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        (self._base / "pid").write_text(str(self._process.pid))

    def ended(self) -> str:
        return "" if self._process.poll() is None else f"exit code {self._process.returncode}"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def make(python: Path, base: Path, port: int = 0) -> Endpoint:
    server = ModelServer(Process(python, base), ModelPrefix(base / "prefix", OptMl(base)))
    return Endpoint(server, name="prophet", port=port)


@pytest.fixture
def base(tmp_path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "prefix").mkdir()
    (tmp_path / "code" / "inference.py").write_text(HANDLER)
    write_archive(tmp_path / "prefix" / "a.tar.gz", {"model.json": b'"model a"'})
    return tmp_path


def ask(url: str, body: bytes = b"0") -> bytes:
    headers = {TARGET_MODEL: "a.tar.gz", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/invocations", body, headers)
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.read()


def is_running(base: Path) -> bool:
    try:
        os.kill(int((base / "pid").read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def test_an_endpoint_answers_while_it_is_open(family_python, base):
    with make(family_python, base) as endpoint:
        assert json.loads(ask(endpoint.url)) == "model a"
        assert is_running(base)
    assert not is_running(base)
    with pytest.raises(urllib.error.URLError):
        ask(endpoint.url)


def test_a_port_in_use_is_named_before_anything_starts(family_python, base):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = rf"port {port} of 127\.0\.0\.1: it is in use; .* another port \(0 picks a free one\)"
        with pytest.raises(EndpointError, match=message):
            make(family_python, base, port)
    assert not (base / "pid").exists()


def test_a_port_that_is_none(family_python, base):
    with pytest.raises(EndpointError, match="port 99999 of"):
        make(family_python, base, 99999)


def test_a_container_that_does_not_start_gives_the_port_back(family_python, base):
    (base / "code" / "inference.py").unlink()
    endpoint = make(family_python, base)
    with pytest.raises(EndpointError, match="ended before it answered /ping: exit code 1"):
        endpoint.open()
    with socket.create_server(("127.0.0.1", int(endpoint.url.rpartition(":")[2]))):
        pass
    endpoint.close()


@pytest.fixture
def serving(family_python, base):
    """This file as a script, serving: the process and its URL, once it is ready."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(family_python), str(base)],
        env={**os.environ, "PYTHONPATH": str(SHARED)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "opening\n"
    yield process
    process.terminate()
    process.communicate(timeout=20)


def url_of(process: subprocess.Popen) -> str:
    return re.fullmatch(r"ready (http://127\.0\.0\.1:\d+)\n", process.stdout.readline())[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_requests_answered(serving, base, number):
    url = url_of(serving)
    ask(url)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(ask, url, b"0.7")
        time.sleep(0.3)
        serving.send_signal(number)
        assert answer.result() == b'"model a"'
    _, errors = serving.communicate(timeout=20)
    assert (serving.returncode, errors) == (0, "")
    assert not is_running(base)


def test_a_signal_while_the_container_still_starts(serving, base):
    while not (base / "pid").exists():
        time.sleep(0.005)
    serving.send_signal(signal.SIGINT)
    _, errors = serving.communicate(timeout=20)
    assert (serving.returncode, errors) == (0, "")
    assert not is_running(base)


def test_a_container_that_dies_ends_the_endpoint(serving, base):
    url_of(serving)
    os.kill(int((base / "pid").read_text()), signal.SIGKILL)
    _, errors = serving.communicate(timeout=20)
    assert serving.returncode == 26
    assert errors == "the serving container of prophet ended: exit code -9\n"


def main(python: str, base: str) -> int:
    print("opening", flush=True)
    try:
        make(Path(python), Path(base)).serve(ready=lambda url: print("ready", url, flush=True))
    except EndpointError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))

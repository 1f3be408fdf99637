"""The platform's side, against the real server in the family's environment."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import wait_until
from trainyard.errors import EndpointError
from trainyard.execution.container import Invocation, Reply
from trainyard.execution.hosting import ModelServer
from trainyard.execution.model_data import ModelError, ModelPrefix
from trainyard.in_image.archives import write_archive
from trainyard.in_image.opt_ml import OptMl

SHARED = Path(__file__).parents[2] / "shared"
HANDLER = """
import json, os, time

def model_fn(model_dir):
    with open(os.path.join(model_dir, "model.json")) as file:
        model = json.load(file)
    time.sleep(0.1)
    with open(os.environ["LOADS"], "a") as file:
        file.write(str(model) + "\\n")
    return model

def predict_fn(data, model):
    time.sleep(data)
    return model
"""


class Process:
    """``serve`` as a process on a free port."""

    def __init__(self, python: Path, opt_ml: OptMl, **environment: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._python, self._base, self._environment = python, opt_ml.base, environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        variables = {
            "PYTHONPATH": str(SHARED),
            "SAGEMAKER_BASE_DIR": str(self._base),
            "SAGEMAKER_BIND_ADDRESS": "127.0.0.1",
            "SAGEMAKER_BIND_TO_PORT": str(self._port),
            "LOADS": str(self._base / "loads"),
        }
        with (self._base / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [self._python, "-m", "trainyard.in_image.serve"],
                env={**variables, **self._environment},
                stdout=log,
                stderr=log,
            )

    def ended(self) -> str:
        if self.process is None or self.process.poll() is None:
            return ""
        last = (self._base / "log").read_text().strip().splitlines()[-1:]
        return f"exit code {self.process.returncode}: {''.join(last)}"

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)


@pytest.fixture
def opt_ml(tmp_path) -> OptMl:
    (tmp_path / "ml" / "code").mkdir(parents=True)
    (tmp_path / "ml" / "code" / "inference.py").write_text(HANDLER)
    return OptMl(tmp_path / "ml")


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "prefix"
    folder.mkdir()
    for number in range(6):
        write_archive(folder / f"customer_{number}.tar.gz", {"model.json": str(number).encode()})
    return folder


@pytest.fixture
def start(family_python, opt_ml, folder):
    """A started multi-model server with the given variables, stopped after the test.

    It has one process: each would load a model for itself when it is first asked.
    """
    servers = []

    def start(**environment: str) -> ModelServer:
        many = {"SAGEMAKER_MULTI_MODEL": "true", "TRAINYARD_PROCESSES": "1"}
        container = Process(family_python, opt_ml, **many, **environment)
        server = ModelServer(container, ModelPrefix(folder, opt_ml))
        servers.append(server)
        server.start(timeout=60)
        return server

    yield start
    for server in servers:
        server.stop()


def ask(server: ModelServer, number: int | str, seconds: float = 0) -> Reply:
    name = number if isinstance(number, str) else f"customer_{number}.tar.gz"
    return server.invoke(Invocation(body=str(seconds).encode(), target_model=name))


def loads(opt_ml: OptMl) -> list[str]:
    return (opt_ml.base / "loads").read_text().split()


def refusal(server: ModelServer, name: str) -> ModelError:
    with pytest.raises(ModelError) as error:
        ask(server, name)
    return error.value


def test_a_model_is_loaded_when_it_is_asked_for(start, opt_ml):
    server = start()
    assert not any(one.loaded for one in server.models())
    for _ in range(2):
        reply = ask(server, 3)
        assert (reply.status, reply.body, reply.content_type) == (200, b"3", "application/json")
    assert loads(opt_ml) == ["3"]
    assert [one.name for one in server.models() if one.loaded] == ["customer_3.tar.gz"]
    assert len(server.models()) == 6


def test_first_requests_at_the_same_time_load_once(start, opt_ml):
    server = start()
    with ThreadPoolExecutor(16) as threads:
        replies = list(threads.map(lambda number: ask(server, number % 2), range(16)))
    assert [reply.body for reply in replies] == [b"0", b"1"] * 8
    assert sorted(loads(opt_ml)) == ["0", "1"]


def test_the_least_recently_used_model_makes_room(start, opt_ml):
    server = start(TRAINYARD_MAX_MODELS="2")
    for number in (0, 1, 0, 2, 0, 1):
        assert ask(server, number).body == str(number).encode()
    assert loads(opt_ml) == ["0", "1", "2", "1"]  # 2 made 1 go, not 0
    assert [one.name for one in server.models() if one.loaded] == ["customer_0.tar.gz", "customer_1.tar.gz"]


def test_room_for_one_and_many_who_ask(start):
    server = start(TRAINYARD_MAX_MODELS="1", SAGEMAKER_MODEL_SERVER_WORKERS="4")
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda number: ask(server, number % 4, 0.02), range(24)))
    assert [reply.body for reply in replies] == [str(number % 4).encode() for number in range(24)]


@pytest.mark.parametrize(
    ("name", "status"), [("customer_9.tar.gz", 404), ("../prefix/customer_0.tar.gz", 400), ("", 400)]
)
def test_names_that_are_no_models(start, name, status):
    server = start()
    error = refusal(server, name)
    assert error.status == status
    assert repr(name) in str(error) or not name


def test_a_truncated_archive_and_then_a_whole_one(start, folder, opt_ml):
    server = start()
    content = (folder / "customer_0.tar.gz").read_bytes()
    (folder / "customer_0.tar.gz").write_bytes(content[:-9])
    for _ in range(2):
        error = refusal(server, "customer_0.tar.gz")
        assert error.status == 500 and "'customer_0.tar.gz' cannot be unpacked" in str(error)
    assert list(opt_ml.models.iterdir()) == []
    (folder / "customer_0.tar.gz").write_bytes(content)
    assert ask(server, 0).body == b"0"


def test_a_model_that_the_handler_cannot_read(start, folder):
    server = start()
    write_archive(folder / "odd.tar.gz", {"other.json": b"{}"})
    error = refusal(server, "odd.tar.gz")
    assert error.status == 500
    assert "model 'odd.tar.gz' could not be loaded: model_fn failed: FileNotFoundError" in str(error)
    assert ask(server, 0).body == b"0"


def test_names_with_unicode_spaces_and_folders(start, folder):
    name = "north sea/gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n & 100%.tar.gz"
    (folder / "north sea").mkdir()
    write_archive(folder / name, {"model.json": b'"odd name"'})
    assert ask(start(), name).body == b'"odd name"'


def test_the_containers_own_refusals_are_replies(start):
    server = start()
    reply = server.invoke(Invocation(body=b"x", target_model="customer_0.tar.gz", content_type="image/png"))
    assert reply.status == 415 and b"'image/png' cannot be read" in reply.body


def test_a_container_that_dies_is_told_of(start):
    server = start()
    assert ask(server, 0).status == 200
    os.kill(server._container.process.pid, signal.SIGKILL)
    server._container.process.wait()
    wait_until(lambda: not server.healthy())  # its workers notice in a moment
    assert server.ended().startswith("exit code -9")
    error = refusal(server, "customer_0.tar.gz")
    assert error.status == 503 and "exit code -9" in str(error)


def test_one_model(family_python, opt_ml):
    opt_ml.model.mkdir()
    (opt_ml.model / "model.json").write_text(json.dumps("the model"))
    server = ModelServer(Process(family_python, opt_ml))
    server.start(timeout=60)
    try:
        assert server.invoke(Invocation(body=b"0", custom_attributes="a=1")).custom_attributes == "a=1"
        assert server.models() == []
        assert refusal(server, "customer_0.tar.gz").status == 400
    finally:
        server.stop()


def test_a_container_that_cannot_start(family_python, opt_ml):
    server = ModelServer(Process(family_python, opt_ml))
    with pytest.raises(
        EndpointError, match=r"ended before it answered /ping: exit code 1: serve: model_fn failed"
    ):
        server.start(timeout=60)


def test_a_container_that_never_answers_is_stopped(family_python, opt_ml):
    (opt_ml.code / "inference.py").write_text("import time\ntime.sleep(60)")
    container = Process(family_python, opt_ml)
    with pytest.raises(EndpointError, match=r"did not answer /ping within 0\.5 s"):
        ModelServer(container).start(timeout=0.5)
    assert container.process.returncode is not None


def test_a_model_in_use_is_not_unloaded(start):
    server = start(TRAINYARD_MAX_MODELS="1", SAGEMAKER_MODEL_SERVER_WORKERS="4")
    ask(server, 0)
    slow = []
    thread = threading.Thread(target=lambda: slow.append(ask(server, 0, 0.8)))
    thread.start()
    time.sleep(0.2)
    began = time.monotonic()
    assert ask(server, 1).body == b"1"
    assert time.monotonic() - began > 0.4
    thread.join()
    assert slow[0].body == b"0"

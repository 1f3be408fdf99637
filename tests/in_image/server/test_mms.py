"""multi-model-server as a process: how it begins, what it lets in, how it ends. Its answers: ../test_serve.py."""

from __future__ import annotations

import http.server
import json
import signal
import threading
import time
from pathlib import Path

import pytest

HANDLER = """
import os, pathlib, time

def model_fn(model_dir):
    return pathlib.Path(model_dir, "model.json").read_text()

def predict_fn(data, model):
    if data == "die":
        os._exit(3)
    if data == "sleep":
        time.sleep(5)
    return {"model": model}
"""
FAILS_THE_SECOND_TIME = """
import pathlib

def model_fn(model_dir):
    tried = pathlib.Path(model_dir, "tried")
    if tried.exists():
        raise ValueError("not twice")
    tried.touch()

def predict_fn(data, model):
    return data
"""
JSON = {"Content_Type": "application/json"}


def processes_of(base: Path) -> list[str]:
    """The commands of all processes whose /opt/ml this is."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"SAGEMAKER_BASE_DIR={base}\0".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def one(start_mms):
    limits = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1", "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "2"}
    return start_mms(HANDLER, {"model": "1"}, SAGEMAKER_MODEL_SERVER_VMARGS="-Xmx77m", **limits).wait()


@pytest.fixture(scope="module")
def many(start_mms):
    return start_mms(HANDLER, {"models/m/model": "1"}, SAGEMAKER_MULTI_MODEL="true").wait()


def test_a_worker_that_dies_or_takes_too_long_is_replaced(one):
    for body in ('"die"', '"sleep"'):
        began = time.monotonic()
        status, answer, _ = one.ask("POST", "/invocations", body, **JSON)
        assert (status, json.loads(answer)["message"]) == (500, "Worker died.")
        assert time.monotonic() - began < 4
        assert one.ask("POST", "/invocations", "1", **JSON)[0] == 200


def test_one_model_cannot_be_managed_from_outside(one):
    body = json.dumps({"model_name": "m", "url": "model"})
    asked = [
        one.ask("POST", "/models", body, **JSON),
        one.ask("GET", "/models"),
        one.ask("DELETE", "/models/model"),
    ]
    assert [status for status, _, _ in asked] == [404, 404, 404]


def test_options_of_java_are_those_of_sagemaker_inference(one):
    assert (
        "-Xmx77m" in next(command for command in processes_of(one.base) if "ModelServer" in command).split()
    )


@pytest.mark.parametrize("url", ["/etc", "/opt/ml/models", "/opt/ml/models/m/model/../..", "model", "/"])
def test_folders_that_are_no_models_of_the_platform(many, url):
    status, body, _ = many.ask("POST", "/models", json.dumps({"model_name": "x", "url": url}), **JSON)
    assert status in (404, 500), body
    assert many.ask("GET", "/models/x")[0] == 404


def test_nothing_is_fetched_from_a_network(many):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{elsewhere.server_port}/model.mar"
        status, body, _ = many.ask("POST", "/models", json.dumps({"model_name": "x", "url": url}), **JSON)
        elsewhere.shutdown()
    assert (status, asked) == (400, []), body


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_all_its_processes(start_mms, number):
    server = start_mms(HANDLER, {"model": "1"}).wait()
    assert server.ask("POST", "/invocations", "1", **JSON)[0] == 200
    assert len(processes_of(server.base)) >= 4  # this one, Java, and two or more of Python
    server.process.send_signal(number)
    assert server.process.wait(timeout=30) == 0
    assert processes_of(server.base) == []


def test_a_signal_ends_it_while_the_handler_is_tried(start_mms):
    server = start_mms("import time\ntime.sleep(60)", {"model": "1"})
    while not any("--check" in command for command in processes_of(server.base)):
        time.sleep(0.05)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=10) == 0
    assert processes_of(server.base) == []


def test_it_ends_when_a_worker_cannot_load_the_model(start_mms):
    server = start_mms(FAILS_THE_SECOND_TIME, {"model": "1"})
    assert server.process.wait(timeout=30) == 1
    assert server.log.read_text().splitlines()[-1] == "serve: model_fn failed: ValueError: not twice"
    assert processes_of(server.base) == []


def test_it_ends_when_java_does(start_mms):
    server = start_mms(HANDLER, {"model": "1"}, SAGEMAKER_MODEL_SERVER_VMARGS="-Xmx1k")
    assert server.process.wait(timeout=30) == 1
    assert server.log.read_text().splitlines()[-1] == "serve: multi-model-server has ended with exit code 1"


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"PATH": "/nowhere"}, "serve: multi-model-server needs Java, and there is none on PATH; "),
        (
            {"JAVA_HOME": "/nowhere"},
            "serve: multi-model-server needs Java, and there is none in JAVA_HOME=/nowhere; ",
        ),
        (
            {"SAGEMAKER_BIND_TO_PORT": "32767"},
            "serve: SAGEMAKER_BIND_TO_PORT is 32767; multi-model-server takes ",
        ),
        ({"TRAINYARD_MAX_MODELS": "2"}, "serve: TRAINYARD_MAX_MODELS is for the pooled server; "),
    ],
)
def test_what_it_cannot_do_is_said(start_mms, environment, line):
    server = start_mms(HANDLER, {"model": "1"}, **environment)
    assert server.process.wait(timeout=30) == 1
    assert server.log.read_text().startswith(line)


def test_an_environment_without_it(start_server, mms_python):
    server = start_server(HANDLER, {"model": "1"}, TRAINYARD_SERVER="multi-model-server")
    assert server.process.wait(timeout=30) == 1
    assert "serve: multi-model-server is not installed; " in server.log.read_text()


def test_its_files_are_removed_and_their_folder_may_have_any_name(start_mms, tmp_path):
    folder = tmp_path / ("n" * 120)  # too long for the names of sockets
    folder.mkdir()
    server = start_mms(HANDLER, {"model": "1"}, TMPDIR=str(folder)).wait()
    assert server.ask("POST", "/invocations", "1", **JSON)[0] == 200
    before = {path.name for path in Path("/tmp").glob("mms-*")}
    assert server.stop() == 0
    assert list(folder.iterdir()) == []
    assert len(before - {path.name for path in Path("/tmp").glob("mms-*")}) == 1

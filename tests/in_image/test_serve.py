"""``serve`` as SageMaker sees it: a process that answers HTTP, or ends with one line saying why not."""

from __future__ import annotations

import json
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

HANDLER = """
import json, os, threading, time

from trainyard.in_image.handler_errors import BadRequest

def model_fn(model_dir):
    with open(os.path.join(model_dir, "model.json")) as file:
        model = json.load(file)
    if model == "no memory":
        raise MemoryError
    return model

def predict_fn(data, model):
    if data == "bad":
        raise BadRequest("no such thing as bad")
    if data == "bug":
        raise KeyError("of a bug")
    if data == "exit":
        raise SystemExit(3)
    if data == "slow":
        time.sleep(0.5)
    return {"model": model, "data": data}
"""


@pytest.fixture(scope="module")
def one(start_server):
    return start_server(HANDLER, {"model": '"the model"'}, SAGEMAKER_MODEL_SERVER_WORKERS="8").wait()


def test_one_model_is_ready_before_it_answers(one):
    assert one.ask("GET", "/ping")[:2] == (200, b"")
    status, body, headers = one.ask("POST", "/invocations", "[1, 2]", Content_Type="application/json")
    assert (status, json.loads(body)) == (200, {"model": "the model", "data": [1, 2]})
    assert headers["Content-Type"] == "application/json"


def test_custom_attributes_come_back(one):
    name = "X-Amzn-SageMaker-Custom-Attributes"
    assert one.ask("POST", "/invocations", "1", **{name: "trace=7"})[2][name] == "trace=7"
    assert name not in one.ask("POST", "/invocations", "1")[2]


@pytest.mark.parametrize(
    ("body", "headers", "status", "message"),
    [
        ('"bad"', {}, 400, "no such thing as bad"),
        ('"bug"', {}, 500, "predict_fn failed: KeyError: 'of a bug'"),
        ('"exit"', {}, 500, "predict_fn failed: SystemExit: 3"),
        ("{", {}, 400, "the body is not JSON"),
        ("x", {"Content_Type": "image/png"}, 415, "'image/png' cannot be read"),
        ("1", {"Accept": "image/png"}, 406, "no answer as 'image/png'"),
        (bytes(6 * 2**20 + 1), {}, 413, "more than 6291456 bytes"),
    ],
)
def test_what_goes_wrong_has_a_status_and_one_line(one, body, headers, status, message):
    answered, text, _ = one.ask("POST", "/invocations", body, **headers)
    error = json.loads(text)
    assert (answered, error["code"]) == (status, status)
    assert message in error["message"] and "\n" not in error["message"]
    assert one.ask("GET", "/ping")[0] == 200


def test_the_traceback_of_a_bug_is_in_the_log_and_not_in_the_answer(one):
    _, body, _ = one.ask("POST", "/invocations", '"bug"')
    assert b"Traceback" not in body
    log = one.log.read_text()
    assert "Traceback" in log and "inference.py" in log


def test_the_largest_body_is_taken(one):
    body = json.dumps("x" * (6 * 2**20 - 2))
    assert one.ask("POST", "/invocations", body)[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/invocations", 405), ("POST", "/ping", 405), ("GET", "/models", 404)],
)
def test_other_paths_and_methods(one, method, path, status):
    assert one.ask(method, path)[0] == status


def test_requests_are_answered_at_the_same_time(one):
    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: one.ask("POST", "/invocations", '"slow"')[0], range(8)))
    assert answers == [200] * 8
    assert time.monotonic() - began < 2.5  # 4 s one after the other


def test_batch_transform_is_told_what_to_send(one):
    assert json.loads(one.ask("GET", "/execution-parameters")[1]) == {
        "MaxConcurrentTransforms": 8,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }


def test_a_full_queue_refuses_and_recovers(start_server):
    limits = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1", "TRAINYARD_MAX_QUEUE": "1"}
    server = start_server(HANDLER, {"model": "1"}, **limits).wait()
    with ThreadPoolExecutor(6) as threads:
        statuses = list(threads.map(lambda _: server.ask("POST", "/invocations", '"slow"')[0], range(6)))
    assert sorted(set(statuses)) == [200, 503]
    assert server.ask("POST", "/invocations", "1")[0] == 200


def test_sigterm_lets_requests_end_and_exits_with_0(start_server):
    server = start_server(HANDLER, {"model": "1"}).wait()
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(server.ask, "POST", "/invocations", '"slow"')
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        assert answer.result()[0] == 200
    assert server.process.wait(timeout=10) == 0


@pytest.mark.parametrize(
    ("handler", "model", "environment", "line"),
    [
        (None, "1", {}, "serve: no inference.py in "),
        ("def model_fn(d): pass", "1", {}, "serve: inference.py has no predict_fn(data, model)"),
        ("import nothing_like_it", "1", {}, "ModuleNotFoundError: No module named 'nothing_like_it'"),
        (HANDLER, "{", {}, "serve: model_fn failed: JSONDecodeError"),
        (HANDLER, "1", {"SAGEMAKER_PROGRAM": "other.py"}, "serve: no other.py in "),
        (
            HANDLER,
            "1",
            {"SAGEMAKER_BIND_TO_PORT": "80x"},
            "serve: SAGEMAKER_BIND_TO_PORT is '80x'; it must be",
        ),
        (HANDLER, '"no memory"', {}, "serve: MemoryError"),
    ],
)
def test_what_cannot_start_says_why_in_its_last_line(start_server, handler, model, environment, line):
    server = start_server(handler, {"model": model}, **environment)
    assert server.process.wait(timeout=30) == 1
    assert line in server.log.read_text().splitlines()[-1]


def test_a_port_in_use(start_server, one):
    server = start_server(HANDLER, {"model": "1"}, SAGEMAKER_BIND_TO_PORT=str(one.port))
    assert server.process.wait(timeout=30) == 1
    last = server.log.read_text().splitlines()[-1]
    assert last.startswith(f"serve: cannot listen on 127.0.0.1:{one.port}: Address already in use; ")


def test_many_models_loaded_and_unloaded_by_many_clients(start_server):
    folders = {f"models/m{number}/model": str(number) for number in range(20)}
    server = start_server(HANDLER, folders, SAGEMAKER_MULTI_MODEL="true").wait()
    wrong = []

    def use(number: int) -> None:
        url = f"/opt/ml/models/m{number}/model"
        for _ in range(5):
            load = server.ask("POST", "/models", json.dumps({"model_name": f"m{number}", "url": url}))
            status, body, _ = server.ask("POST", f"/models/m{number}/invoke", "0")
            unload = server.ask("DELETE", f"/models/m{number}")
            if (load[0], status, unload[0], json.loads(body)["model"]) != (200, 200, 200, number):
                wrong.append((number, load, status, body, unload))

    threads = [threading.Thread(target=use, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert json.loads(server.ask("GET", "/models")[1]) == {"models": []}

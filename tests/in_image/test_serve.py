"""``serve`` as SageMaker sees it: a process that answers HTTP, or ends with one line saying why not.

What both servers must do is asserted of both; ``start_server`` alone is the pooled one.
"""

from __future__ import annotations

import http.client
import json
import pickle
import signal
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

JSON = {"Content_Type": "application/json"}
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
    if data == "panic":
        raise BaseException("of a library")
    if data == "slow":
        time.sleep(0.5)
    return {"model": model, "data": data}
"""


@pytest.fixture(scope="module", params=["start_server", "start_mms"], ids=["pooled", "multi-model-server"])
def start(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def one(start):
    return start(HANDLER, {"model": '"the model"'}, SAGEMAKER_MODEL_SERVER_WORKERS="4").wait()


def test_one_model_is_ready_before_it_answers(one):
    assert one.ask("GET", "/ping")[0] == 200
    status, body, headers = one.ask("POST", "/invocations", "[1, 2]", **JSON)
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
        ('"panic"', {}, 500, "predict_fn failed: BaseException: of a library"),
        ("{", {}, 400, "the body is not JSON"),
        ("x", {"Content_Type": "image/png"}, 415, "'image/png' cannot be read"),
        ("1", {"Accept": "image/png"}, 406, "no answer as 'image/png'"),
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


def test_the_largest_body_is_taken_and_no_larger_one(one):
    body = json.dumps("x" * (6 * 2**20 - 2))
    assert one.ask("POST", "/invocations", body)[0] == 200
    assert one.ask("POST", "/invocations", body + " ")[0] == 413


def test_arrays_are_read_but_nothing_is_unpickled(one):
    header = "{{'descr': '{}', 'fortran_order': False, 'shape': (1,), }}"
    headers = {"Content_Type": "application/x-npy", "Accept": "text/csv"}
    plain = npy(header.format("|u1"), b"\x07")
    assert one.ask("POST", "/invocations", plain, **headers)[0] == 200
    pickled = npy(header.format("|O"), pickle.dumps([Path.touch, one.base / "unpickled"]))
    status, body, _ = one.ask("POST", "/invocations", pickled, **headers)
    assert (status, json.loads(body)["code"]) == (400, 400)
    assert "not a plain .npy array" in json.loads(body)["message"]


def npy(header: str, content: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + content


@pytest.fixture(scope="module")
def pooled(start_server):
    return start_server(HANDLER, {"model": "1"}, SAGEMAKER_MODEL_SERVER_WORKERS="8").wait()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/invocations", 405), ("POST", "/ping", 405), ("GET", "/models", 404)],
)
def test_other_paths_and_methods(pooled, method, path, status):
    assert pooled.ask(method, path)[0] == status


def test_requests_are_answered_at_the_same_time(one):
    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: one.ask("POST", "/invocations", '"slow"')[0], range(8)))
    assert answers == [200] * 8
    assert time.monotonic() - began < 2.5  # 4 s one after the other


def test_answers_on_a_connection_that_stays_do_not_wait_for_acknowledgements(pooled):
    connection, spent = http.client.HTTPConnection("127.0.0.1", pooled.port, timeout=20), []
    for _ in range(15):
        began = time.monotonic()
        connection.request("POST", "/invocations", "1", {"Content-Type": "application/json"})
        assert connection.getresponse().read()
        spent.append(time.monotonic() - began)
    connection.close()
    assert statistics.median(spent) < 0.03  # 44 ms where the kernel waits


def test_batch_transform_is_told_what_to_send(pooled):
    assert json.loads(pooled.ask("GET", "/execution-parameters")[1]) == {
        "MaxConcurrentTransforms": 8,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }


def test_a_full_queue_refuses_and_recovers(start):
    limits = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1", "TRAINYARD_MAX_QUEUE": "1"}
    server = start(HANDLER, {"model": "1"}, **limits).wait()
    with ThreadPoolExecutor(6) as threads:
        statuses = list(threads.map(lambda _: server.ask("POST", "/invocations", '"slow"')[0], range(6)))
    assert sorted(set(statuses)) == [200, 503]
    assert server.ask("POST", "/invocations", "1")[0] == 200


def test_sigterm_lets_requests_end_and_exits_with_0(start_server):
    server = start_server(HANDLER, {"model": "1"}).wait()
    assert server.ask("GET", "/ping")[0] == 200
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(server.ask, "POST", "/invocations", '"slow"')
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        assert answer.result()[0] == 200
    assert server.process.wait(timeout=10) == 0


def test_sigterm_as_soon_as_it_listens(start):
    server = start(HANDLER, {"model": "1"}).wait()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=30) == 0


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
        (
            HANDLER,
            "1",
            {"TRAINYARD_SERVER": "x"},
            "serve: TRAINYARD_SERVER is 'x'; it must be pooled or multi-model-server",
        ),
    ],
)
def test_what_cannot_start_says_why_in_its_last_line(start, handler, model, environment, line):
    server = start(handler, {"model": model}, **environment)
    assert server.process.wait(timeout=30) == 1
    assert line in server.log.read_text().splitlines()[-1]


def test_a_port_in_use(start, one):
    server = start(HANDLER, {"model": "1"}, SAGEMAKER_BIND_TO_PORT=str(one.port))
    assert server.process.wait(timeout=30) == 1
    last = server.log.read_text().splitlines()[-1]
    assert last.startswith(f"serve: cannot listen on 127.0.0.1:{one.port}: Address already in use; ")


def test_a_check_says_whether_it_could_begin(start):
    for handler, code, last in ((HANDLER, 0, []), ("import nothing", 1, ["serve: "])):
        server = start(handler, {"model": "1"}, arguments=["--check"])
        assert server.process.wait(timeout=30) == code
        assert [line[:7] for line in server.log.read_text().splitlines()[-1:]] == last


def test_threads_that_workers_lack_are_warned_of(start_server):
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    for handler, warnings in ((HANDLER, 0), (thread + HANDLER, 1)):
        server = start_server(handler, {"model": "1"}).wait()
        assert server.log.read_text().count("inference.py starts threads when it is imported") == warnings


def test_many_models(start):
    folders = {"models/a/model": "1", "models/broken/model": "{", "models/large/model": '"no memory"'}
    server = start(HANDLER, folders, SAGEMAKER_MULTI_MODEL="true").wait()

    def load(name: str) -> int:
        body = json.dumps({"model_name": name, "url": f"/opt/ml/models/{name}/model"})
        return server.ask("POST", "/models", body, **JSON)[0]

    assert server.ask("GET", "/ping")[0] == 200
    assert [load(name) for name in ("a", "a", "broken", "large", "large")] == [200, 409, 500, 507, 507]
    entry = {"modelName": "a", "modelUrl": "/opt/ml/models/a/model"}
    assert json.loads(server.ask("GET", "/models")[1]) == {"models": [entry]}
    status, body, _ = server.ask("GET", "/models/a")
    assert (status, json.loads(body) | entry) == (200, json.loads(body))
    status, body, _ = server.ask("POST", "/models/a/invoke", "[2]", **JSON)
    assert (status, json.loads(body)) == (200, {"model": 1, "data": [2]})
    status, body, _ = server.ask("POST", "/models/a/invoke", '"bad"', **JSON)
    assert (status, json.loads(body)) == (400, {"code": 400, "message": "no such thing as bad"})
    absent = [("GET", "/models/b"), ("DELETE", "/models/b"), ("POST", "/models/b/invoke")]
    assert [server.ask(*request)[0] for request in absent] == [404, 404, 404]
    assert server.ask("DELETE", "/models/a")[0] == 200
    assert json.loads(server.ask("GET", "/models")[1]) == {"models": []}


@pytest.mark.parametrize(
    ("fixture", "count", "times"), [("start_server", 20, 5), ("start_mms", 4, 2)]
)  # a model is two processes of multi-model-server
def test_many_models_loaded_and_unloaded_by_many_clients(request, fixture, count, times):
    start = request.getfixturevalue(fixture)
    folders = {f"models/m{number}/model": str(number) for number in range(count)}
    server = start(HANDLER, folders, SAGEMAKER_MULTI_MODEL="true").wait()
    wrong = []

    def use(number: int) -> None:
        url = f"/opt/ml/models/m{number}/model"
        for _ in range(times):
            load = server.ask("POST", "/models", json.dumps({"model_name": f"m{number}", "url": url}), **JSON)
            status, body, _ = server.ask("POST", f"/models/m{number}/invoke", "0")
            unload = server.ask("DELETE", f"/models/m{number}")
            if (load[0], status, unload[0], json.loads(body)["model"]) != (200, 200, 200, number):
                wrong.append((number, load, status, body, unload))

    threads = [threading.Thread(target=use, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert json.loads(server.ask("GET", "/models")[1]) == {"models": []}

"""Workers as processes: the models of one are those of all, whatever becomes of the others."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import wait_until

HANDLER = """
import json, os, time

def model_fn(model_dir):
    with open(os.path.join(model_dir, "model.json")) as file:
        model = json.load(file)
    if model == "large":
        model = [os.urandom(1000) for _ in range(60_000)]
    return model

def predict_fn(data, model):
    if data == "die":
        os.kill(os.getpid(), 9)
    if data == "hang":
        time.sleep(60)
    if data == "slow":
        time.sleep(2.2)
    return {"model": model if isinstance(model, int) else len(model), "pid": os.getpid()}

def predict_batch_fn(data, model):
    if "bad" in data:
        raise ValueError
    return [{"batch": len(data)}] * len(data)
"""
MANY = {"SAGEMAKER_MULTI_MODEL": "true", "TRAINYARD_PROCESSES": "3"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(start_server):
    folders = {f"models/m{number}/model": str(number) for number in range(30)}
    folders |= {"models/large/model": '"large"'}
    return start_server(HANDLER, folders, **MANY).wait()


class Workers:
    """A connection to each of the workers, by its pid."""

    def __init__(self, server, count: int = 3) -> None:
        self.by_pid: dict[int, http.client.HTTPConnection] = {}
        load(server, "who", "m0")
        deadline = time.monotonic() + 30
        while len(self.by_pid) < count:
            assert time.monotonic() < deadline, "connections do not reach all workers"
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            pid = json.loads(ask(connection, "POST", "/models/who/invoke", "0")[1])["pid"]
            if self.by_pid.setdefault(pid, connection) is not connection:
                connection.close()
        server.ask("DELETE", "/models/who")

    def ask(self, *request: str) -> list[int]:
        return [ask(connection, *request)[0] for connection in self.by_pid.values()]


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None):
    connection.request(method, path, body, JSON)
    response = connection.getresponse()
    return response.status, response.read()


def load(server, name: str, folder: str) -> int:
    body = json.dumps({"model_name": name, "url": f"/opt/ml/models/{folder}/model"})
    return server.ask("POST", "/models", body)[0]


def test_what_one_worker_loads_or_unloads_all_know_when_it_has_answered(server):
    workers = Workers(server)
    assert workers.ask("GET", "/models/m1") == [404] * 3
    for number in range(30):
        assert load(server, f"m{number}", f"m{number}") == 200
        assert workers.ask("POST", f"/models/m{number}/invoke", "0") == [200] * 3
    pages = [ask(connection, "GET", "/models?limit=1000")[1] for connection in workers.by_pid.values()]
    assert len(set(pages)) == 1 and len(json.loads(pages[0])["models"]) == 30
    for number in range(30):
        assert server.ask("DELETE", f"/models/m{number}")[0] == 200
        assert workers.ask("POST", f"/models/m{number}/invoke", "0") == [404] * 3


def test_a_worker_that_dies_takes_only_its_own_requests_with_it(server):
    workers = Workers(server)
    load(server, "m7", "m7")
    victim = next(iter(workers.by_pid))
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(workers.by_pid.pop(victim), "POST", "/models/m7/invoke", '"die"')
    assert workers.ask("POST", "/models/m7/invoke", "0") == [200] * 2
    again = Workers(server)
    assert victim not in again.by_pid and set(workers.by_pid) < set(again.by_pid)
    assert again.ask("POST", "/models/m7/invoke", "0") == [200] * 3
    assert server.ask("DELETE", "/models/m7")[0] == 200
    assert f"worker {victim} was ended by signal 9; another one takes its place" in server.log.read_text()


def test_memory_is_given_back_before_unloading_is_answered(server):
    def used() -> int:
        found = [Path(f"/proc/{pid}/statm").read_text() for pid in workers.by_pid]
        return sum(int(text.split()[1]) for text in found) * 4096

    workers = Workers(server)
    before = used()
    assert load(server, "large", "large") == 200
    assert workers.ask("POST", "/models/large/invoke", "0") == [200] * 3
    assert used() - before > 150 * 2**20
    assert server.ask("DELETE", "/models/large")[0] == 200
    assert used() - before < 30 * 2**20


@pytest.fixture
def small_group():
    """A control group of the kernel with 200 MB, below that of the tests."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    place = next((line.split(":")[2] for line in lines if line.split(":")[1] == "memory"), None)
    base, limit = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
    if place is None:
        base, limit, place = Path("/sys/fs/cgroup"), "memory.max", lines[-1].split(":")[2]
    group = base / place.strip("/") / f"trainyard-{os.getpid()}"
    try:
        group.mkdir()
        (group / limit).write_text(str(200 * 2**20))
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    yield group
    wait_until(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


def test_a_container_without_room_answers_507_until_a_model_is_unloaded(start_server, small_group):
    folders = {f"models/{name}/model": '"large"' for name in "abcd"} | {"models/m0/model": "0"}
    server = start_server(HANDLER, folders, SAGEMAKER_MULTI_MODEL="true", TRAINYARD_PROCESSES="1").wait()
    (small_group / "cgroup.procs").write_text(str(server.process.pid))
    [first] = Workers(server, 1).by_pid
    os.kill(first, signal.SIGKILL)  # the next one is born in the group
    wait_until(lambda: "another one takes its place" in server.log.read_text())
    statuses = [load(server, name, name) for name in "abcd"]
    assert statuses[:2] == [200, 200] and statuses[-1] == 507
    assert json.loads(server.ask("GET", "/models")[1])["models"][-1]["modelName"] != "d"
    assert server.ask("DELETE", "/models/a")[0] == 200
    assert load(server, "d", "d") == 200
    assert server.ask("POST", "/models/d/invoke", "0")[0] == 200
    assert "Traceback" not in server.log.read_text()
    assert server.stop() == 0


def test_a_request_that_hangs_is_given_up_and_its_worker_replaced(start_server):
    limits = {"TRAINYARD_PROCESSES": "2", "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "1"}
    server = start_server(HANDLER, {"model": "5"}, **limits).wait()
    status, body, _ = server.ask("POST", "/invocations", '"hang"', Content_Type="application/json")
    assert (status, json.loads(body)["message"]) == (504, "no answer within 1 s")
    wait_until(lambda: "another one takes its place" in server.log.read_text())
    for _ in range(10):
        assert server.ask("POST", "/invocations", "0", Content_Type="application/json")[0] == 200


def test_what_is_asked_at_once_is_predicted_in_one_call(start_server):
    limits = {
        "SAGEMAKER_MODEL_SERVER_WORKERS": "8",
        "TRAINYARD_MAX_BATCH": "8",
        "TRAINYARD_BATCH_WAIT_MS": "200",
    }
    server = start_server(HANDLER, {"model": "5"}, **limits).wait()

    def invoke(body: str) -> dict[str, int]:
        return json.loads(server.ask("POST", "/invocations", body, Content_Type="application/json")[1])

    with ThreadPoolExecutor(8) as threads:
        sizes = [answer["batch"] for answer in threads.map(invoke, ["0"] * 8)]
        mixed = list(threads.map(invoke, ["0", '"bad"'] * 4))
    assert max(sizes) > 1
    assert any("model" in answer for answer in mixed)  # each for itself, after the batch had failed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_the_first_process(start_server, number):
    server = start_server(HANDLER, {f"models/m{number}/model": "0" for number in range(1)}, **MANY).wait()
    pids = list(Workers(server).by_pid)
    server.process.send_signal(number)
    assert server.process.wait(timeout=30) == (0 if number == signal.SIGTERM else -number)
    wait_until(lambda: not any(alive(pid) for pid in pids))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"


def test_workers_that_cannot_begin_end_the_server(start_server):
    server = start_server(HANDLER, {"model": "{"}, TRAINYARD_PROCESSES="2")
    assert server.process.wait(timeout=30) == 1
    assert server.log.read_text().splitlines()[-1].startswith("serve: model_fn failed: JSONDecodeError")


@pytest.mark.parametrize("number", [1, 2])
def test_sigterm_while_a_worker_is_forked_reaches_it(start_server, number):
    signals = f"""
import signal

def signal_at_fork(seen=[]):
    seen.append(1)
    if len(seen) == {number}:
        os.kill(os.getpid(), signal.SIGTERM)

os.register_at_fork(after_in_parent=signal_at_fork)
"""
    server = start_server(HANDLER + signals, {"model": "5"}, TRAINYARD_PROCESSES="2")
    assert server.process.wait(timeout=15) == 0


def test_sigterm_while_a_model_is_loaded_ends_at_once_and_blames_nobody(start_server):
    slow = "import time\ndef model_fn(d):\n  print('begun', flush=True)\n  time.sleep(60)\ndef predict_fn(d, m): pass"
    server = start_server(slow, {"model": "5"}, TRAINYARD_PROCESSES="1")
    wait_until(lambda: "begun" in server.log.read_text())
    assert server.stop() == 0
    assert server.log.read_text() == "begun\n"


def test_what_a_worker_that_is_replaced_cannot_finish_is_refused(start_server):
    limits = {
        "TRAINYARD_PROCESSES": "1",
        "SAGEMAKER_MODEL_SERVER_WORKERS": "2",
        "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "2",
    }
    server = start_server(HANDLER, {"model": "5"}, **limits).wait()

    def invoke(body: str) -> int:
        return server.ask("POST", "/invocations", body, Content_Type="application/json")[0]

    with ThreadPoolExecutor(2) as threads:
        hangs = threads.submit(invoke, '"hang"')
        time.sleep(1.5)
        assert (invoke('"slow"'), hangs.result()) == (503, 504)
    assert "Traceback" not in server.log.read_text()


def test_unloading_waits_until_a_model_is_unused_and_takes_no_thread_for_that(start_server):
    folders = {"models/m0/model": "0", "models/m1/model": "1"}
    limits = {"TRAINYARD_PROCESSES": "1", "SAGEMAKER_MODEL_SERVER_WORKERS": "2"}
    server = start_server(HANDLER, folders, **MANY | limits).wait()
    assert [load(server, name, name) for name in ("m0", "m1")] == [200, 200]
    with ThreadPoolExecutor(2) as threads:
        used = threads.submit(server.ask, "POST", "/models/m0/invoke", '"slow"')
        time.sleep(0.3)
        unloading = threads.submit(server.ask, "DELETE", "/models/m0")
        time.sleep(0.3)
        assert server.ask("POST", "/models/m1/invoke", "0")[0] == 200
        assert not unloading.done() and not used.done()
        assert (used.result()[0], unloading.result()[0]) == (200, 200)


def test_a_worker_that_hangs_is_ended_and_holds_up_no_unloading_for_ever(start_server):
    impatient = "from trainyard.in_image.server import supervisor\nsupervisor._ROUND = 1\n"
    server = start_server(impatient + HANDLER, {"models/m0/model": "0"}, **MANY).wait()
    workers = Workers(server)
    assert load(server, "m0", "m0") == 200
    time.sleep(2.5)
    assert workers.ask("GET", "/models/m0") == [200] * 3  # those that answer live on
    stopped, others = next(iter(workers.by_pid)), list(workers.by_pid.values())[1:]
    os.kill(stopped, signal.SIGSTOP)
    assert ask(others[0], "DELETE", "/models/m0")[0] == 200
    assert f"worker {stopped} has been silent for 1 s and is ended" in server.log.read_text()
    assert workers.by_pid.pop(stopped) and workers.ask("GET", "/models/m0") == [404] * 2


def test_as_many_inputs_are_waited_for_as_there_are_threads(start_server):
    limits = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1", "TRAINYARD_MAX_BATCH": "8"}
    server = start_server(HANDLER, {"model": "5"}, TRAINYARD_BATCH_WAIT_MS="5000", **limits).wait()
    began = time.monotonic()
    assert server.ask("POST", "/invocations", "0", Content_Type="application/json")[0] == 200
    assert time.monotonic() - began < 2

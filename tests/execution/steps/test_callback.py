from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading

import boto3
import pytest

from tests.conftest import free_port, wait_until
from trainyard.execution import callbacks
from trainyard.execution.executor import Executor

QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/q"


def step(queue=QUEUE, **more):
    outputs = [{"OutputName": "n", "OutputType": "Integer"}]
    return {
        "Name": "Ask", "Type": "Callback", "SqsQueueUrl": queue, "OutputParameters": outputs,
        "Arguments": {"question": "why"}, **more,
    }  # fmt: skip


@pytest.fixture
def start(definition):
    """Start an execution in a thread; what it ends as is in the list after the thread's end."""
    threads = []

    def begin(executor, *steps):
        ended = []
        begun = executor.begin(definition(*(steps or (step(),))), "p", {})
        thread = threading.Thread(target=lambda: ended.append(begun.run()))
        thread.start()
        threads.append((executor, thread))
        return begun, thread, ended

    yield begin
    for executor, thread in threads:
        executor.stop.request()
        thread.join(20)


def waiting(store) -> str:
    wait_until(lambda: bool(list((store.home / "callbacks").glob("*.json"))))
    (file,) = (store.home / "callbacks").glob("*.json")
    message = json.loads(file.read_text())
    assert message["token"] == file.stem
    assert message["arguments"] == {"question": "why"}
    assert message["status"] == "Executing"
    return file.stem


def test_another_process_answers(store, make_executor, start) -> None:
    notes = []
    begun, thread, ended = start(make_executor(notes.append))
    token = waiting(store)
    assert any(f"trainyard callback {token} --output n=VALUE" in str(note) for note in notes)
    row = store.state.step(begun.execution, "Ask")
    assert row["metadata"]["Callback"]["CallbackToken"] == token
    answer = subprocess.run(
        [sys.executable, "-m", "trainyard.cli", "callback", token, "--output", "n=7"],
        env={**os.environ, "TRAINYARD_HOME": str(store.home)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stdout == "step Ask: Succeeded\n"
    thread.join(20)
    assert ended[0].status == "Succeeded"
    row = store.state.step(begun.execution, "Ask")
    assert row["result"] == {"OutputParameters": {"n": 7}}
    assert row["metadata"]["Callback"]["OutputParameters"] == [{"Name": "n", "Value": "7"}]
    assert list((store.home / "callbacks").iterdir()) == []


def test_a_failure_fails_the_execution(store, make_executor, start) -> None:
    _, thread, ended = start(make_executor())
    callbacks.fail(store, waiting(store), "the answer is no")
    thread.join(20)
    assert (ended[0].status, ended[0].reason) == ("Failed", "step Ask: the answer is no")


def test_a_stop_ends_the_wait_where_there_is_no_queue(store, make_executor, start) -> None:
    executor = make_executor()
    _, thread, ended = start(executor)
    token = waiting(store)
    executor.stop.request()
    thread.join(20)
    assert ended[0].status == "Stopped"
    assert callbacks.find(store, token)["Status"] == "Stopped"


@pytest.fixture(scope="module")
def sqs():
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    client = boto3.client(
        "sqs", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )

    def up() -> bool:
        try:
            return bool(client.list_queues())
        except Exception:
            return False

    try:
        wait_until(up)
        yield url, client
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def asked(store, make_executor, start, sqs):
    """Start an execution whose step has asked a queue; what to read the queue with, and the message's body."""
    url, client = sqs
    queue = client.create_queue(QueueName=f"q{secrets.token_hex(4)}")["QueueUrl"]
    there = make_executor()
    executor = Executor(store, there._machine.launcher, there._machine.targets, endpoint_url=url)
    begun, thread, ended = start(executor, step(queue))

    def read():
        (message,) = client.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
        return json.loads(message["Body"])

    def stop():
        store.state.mark_stopping(begun.execution)
        executor.stop.request()

    def end():
        thread.join(20)
        return ended[0].status

    return read, stop, end, lambda: client.delete_queue(QueueUrl=queue)


@pytest.mark.parametrize("answer", [lambda *a: callbacks.succeed(*a, {"n": "1"}), callbacks.fail])
def test_a_stop_waits_for_whoever_reads_the_queue(store, asked, answer) -> None:
    read, stop, end, _ = asked
    body = read()
    stop()
    assert read() == {**body, "status": "Stopping"}
    answer(store, body["token"])
    assert end() == "Stopped"
    assert callbacks.find(store, body["token"])["Status"] in ("Succeeded", "Failed")


def test_a_second_stop_waits_for_nobody(store, asked) -> None:
    read, stop, end, _ = asked
    token = read()["token"]
    stop()
    assert read()["status"] == "Stopping"
    stop()
    assert end() == "Stopped"
    assert callbacks.find(store, token)["Status"] == "Stopped"


def test_a_stop_waits_for_no_queue_that_is_gone(store, asked) -> None:
    read, stop, end, delete = asked
    token = read()["token"]
    delete()
    stop()
    assert end() == "Stopped"
    assert callbacks.find(store, token)["Status"] == "Stopped"


def test_with_an_endpoint_the_message_goes_to_the_queue(store, make_executor, start, sqs) -> None:
    url, client = sqs
    queue = client.create_queue(QueueName="q")["QueueUrl"]
    there = make_executor()
    executor = Executor(store, there._machine.launcher, there._machine.targets, endpoint_url=url)
    begun, thread, ended = start(executor, step(queue))
    (message,) = client.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    body = json.loads(message["Body"])
    assert body["pipelineExecutionArn"].endswith(f"/execution/{begun.execution}")
    assert (body["arguments"], body["status"]) == ({"question": "why"}, "Executing")
    callbacks.succeed(store, body["token"], {"n": "1"})
    thread.join(20)
    assert ended[0].status == "Succeeded"
    _, thread, ended = start(executor, step(f"{url}/000000000000/nothing"))
    thread.join(20)
    assert ended[0].status == "Failed"
    assert "could not be sent" in ended[0].reason

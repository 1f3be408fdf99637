"""The front's two faces: plain HTTP for curl, SageMaker Runtime's answers for boto3."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from types import SimpleNamespace

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from trainyard.execution.container import Invocation, Reply
from trainyard.execution.front import Front
from trainyard.execution.hosting import ModelState
from trainyard.execution.model_data import ModelError

NAME = "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n.tar.gz"


def answer(invocation: Invocation) -> Reply:
    """What the stand-in for a model server says to a body."""
    if invocation.body == b"absent":
        raise ModelError(404, "no model 'absent'")
    if invocation.body == b"slow":
        time.sleep(0.5)
    refused = {b"bad": (400, b'{"message": "no such interval"}'), b"bug": (500, b"it broke")}
    status, body = refused.get(invocation.body, (200, repr(invocation).encode()))
    return Reply(
        status=status, body=body, content_type="text/x", custom_attributes=invocation.custom_attributes
    )


@pytest.fixture(scope="module")
def front():
    states = [ModelState(name="a.tar.gz", loaded=True), ModelState(name="b.tar.gz", loaded=False)]
    models = SimpleNamespace(invoke=answer, healthy=lambda: True, models=lambda: states)
    front = Front(("127.0.0.1", 0), models, "prophet")
    thread = threading.Thread(target=front.serve_forever, args=(0.01,))
    thread.start()
    yield front
    front.shutdown()
    thread.join()
    front.server_close()


@pytest.fixture
def ask(front):
    connection = http.client.HTTPConnection(*front.server_address, timeout=20)

    def ask(method: str, path: str, body: bytes | None = None, **headers: str | bytes):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read(), response.headers

    yield ask
    connection.close()


@pytest.fixture(scope="module")
def runtime(front):
    return boto3.client(
        "sagemaker-runtime",
        endpoint_url=f"http://127.0.0.1:{front.server_address[1]}",
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_the_invocation_is_what_was_sent(ask):
    status, body, headers = ask(
        "POST",
        "/invocations",
        b"x",
        Content_Type="text/csv",
        Accept="text/x",
        X_Amzn_SageMaker_Target_Model=NAME.encode(),
        X_Amzn_SageMaker_Custom_Attributes="a=1",
    )
    expected = Invocation(
        body=b"x", content_type="text/csv", accept="text/x", custom_attributes="a=1", target_model=NAME
    )
    assert (status, body.decode()) == (200, repr(expected))
    assert (headers["Content-Type"], headers["X-Amzn-SageMaker-Custom-Attributes"]) == ("text/x", "a=1")


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        (b"bad", 400, b'{"message": "no such interval"}'),
        (b"bug", 500, b"it broke"),
        (b"absent", 404, b'{"message": "no model \'absent\'"}\n'),
    ],
)
def test_plain_refusals_keep_their_status(ask, body, status, answer):
    assert ask("POST", "/invocations", body)[:2] == (status, answer)


def test_boto3_gets_what_sagemaker_would_answer(runtime):
    response = runtime.invoke_endpoint(
        EndpointName="prophet",
        Body=b"x",
        ContentType="text/csv",
        TargetModel="north/a.tar.gz",
        CustomAttributes="a=1",
    )
    assert (response["ContentType"], response["CustomAttributes"]) == ("text/x", "a=1")
    assert response["InvokedProductionVariant"] == "AllTraffic"
    assert "target_model='north/a.tar.gz'" in response["Body"].read().decode()


@pytest.mark.parametrize(
    ("body", "status", "message", "kind"),
    [(b"bad", 400, "no such interval", "client"), (b"bug", 500, "it broke", "server")],
)
def test_boto3_raises_model_error_for_what_the_container_refuses(runtime, body, status, message, kind):
    with pytest.raises(runtime.exceptions.ModelError) as error:
        runtime.invoke_endpoint(EndpointName="prophet", Body=body)
    response = error.value.response
    assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (status, message)
    assert response["Error"]["Message"].startswith(
        f"Received {kind} error ({status}) from primary with message"
    )


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("prophet", b"absent", "no model 'absent'"),
        ("other", b"x", "Endpoint other not found; the one here is"),
    ],
)
def test_boto3_raises_validation_error_for_what_the_platform_refuses(runtime, name, body, message):
    with pytest.raises(ClientError, match=message) as error:
        runtime.invoke_endpoint(EndpointName=name, Body=body)
    assert error.value.response["Error"]["Code"] == "ValidationError"


def test_ping_and_models(ask):
    assert ask("GET", "/ping")[:2] == (200, b"")
    assert json.loads(ask("GET", "/models")[1]) == {
        "models": [{"modelName": "a.tar.gz", "loaded": True}, {"modelName": "b.tar.gz", "loaded": False}]
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/invocations", 404),
        ("POST", "/endpoints/a/b/invocations", 404),
        ("PUT", "/", 501),
    ],
)
def test_other_paths(ask, method, path, status):
    answered, body, _ = ask(method, path, b"x" if method == "POST" else None)
    assert answered == status and json.loads(body)["message"]


def test_a_body_that_is_too_long(ask):
    assert ask("POST", "/invocations", bytes(25 * 2**20))[0] == 200
    status, body, headers = ask("POST", "/invocations", bytes(25 * 2**20 + 1))
    assert (status, headers["Connection"]) == (413, "close")
    assert json.loads(body)["message"] == "the body has 26214401 bytes; at most 26214400 are taken"
    assert ask("POST", "/invocations", b"x")[0] == 200


@pytest.mark.parametrize(
    "header", ["Transfer-Encoding: chunked", "Content-Length: many", "Content-Length: -1"]
)
def test_a_body_of_unknown_length(front, header):
    with socket.create_connection(front.server_address) as client:
        client.sendall(f"POST /invocations HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 411 ")


def test_a_client_that_goes_away_in_the_middle_is_not_answered_for(front, capfd):
    with socket.create_connection(front.server_address) as client:
        client.sendall(b"POST /invocations HTTP/1.1\r\nContent-Length: 9\r\n\r\nabs")
    front.wait_until_idle(5)
    time.sleep(0.1)
    assert capfd.readouterr().err == ""

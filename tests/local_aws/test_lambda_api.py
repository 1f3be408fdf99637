from __future__ import annotations

import base64
import io
import json
import urllib.error
import urllib.request
import zipfile

import pytest
from botocore.exceptions import ClientError

from trainyard.errors import DiskFull
from trainyard.execution import functions
from trainyard.local_aws.background import Background
from trainyard.local_aws.context import Context
from trainyard.local_aws.lambda_api import LambdaApi

ROLE = "arn:aws:iam::000000000000:role/r"


def zipped(source: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("main.py", source)
    return content.getvalue()


def code_of(raised) -> tuple[str, int]:
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def url(store, serve):
    background = Background(store)
    context = Context(new_machine=lambda: None, background=background)
    holder = {}
    holder["url"] = serve(lambda request: LambdaApi(context, holder["url"])(request))
    yield holder["url"]
    background.close()


@pytest.fixture
def client_here(url, client):
    return client("lambda", url)


@pytest.fixture
def make(client_here):
    def create(source: str, name: str = "f", **more):
        settings = {"Runtime": "python3.11", "Role": ROLE, "Handler": "main.handler", **more}
        return client_here.create_function(FunctionName=name, Code={"ZipFile": zipped(source)}, **settings)

    return create


def test_invoke_gives_the_answer_and_the_tail_of_the_log(make, client_here, url) -> None:
    made = make("import os\ndef handler(e, c):\n print('hello')\n return [e, os.environ['AWS_ENDPOINT_URL']]")
    answer = client_here.invoke(FunctionName=made["FunctionArn"], Payload=b'{"a": 1}', LogType="Tail")
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer
    assert json.loads(answer["Payload"].read()) == [{"a": 1}, url]
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "hello\nEND RequestId: " in log
    assert client_here.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204


def test_the_zip_can_be_fetched_again(make, client_here) -> None:
    make("x = 1", Publish=True)
    client_here.update_function_code(FunctionName="f", ZipFile=zipped("x = 2"))
    assert fetched(client_here.get_function(FunctionName="f")) == b"x = 2"
    assert fetched(client_here.get_function(FunctionName="f", Qualifier="1")) == b"x = 1"


def test_a_full_disk_is_the_services_trouble(client_here, monkeypatch) -> None:
    def full(*given):
        raise DiskFull("no space left")

    monkeypatch.setattr(functions, "describe", full)
    with pytest.raises(ClientError, match="no space left") as raised:
        client_here.get_function(FunctionName="f")
    assert code_of(raised) == ("ServiceException", 500)


def fetched(found) -> bytes:
    with urllib.request.urlopen(found["Code"]["Location"], timeout=10) as answer:
        content = io.BytesIO(answer.read())
    with zipfile.ZipFile(content) as archive:
        return archive.read("main.py")


def test_a_function_is_active_at_once(make, client_here) -> None:
    make("x = 1")
    found = client_here.get_function(FunctionName="f")
    assert found["Configuration"]["State"] == "Active"
    client_here.get_waiter("function_active_v2").wait(FunctionName="f")


def test_a_function_that_fails_is_an_answer(make, client_here) -> None:
    make("def handler(e, c): raise ValueError('no')")
    answer = client_here.invoke(FunctionName="f")
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    error = json.loads(answer["Payload"].read())
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no")


def test_an_event_is_answered_before_it_has_run(make, client_here, tmp_path) -> None:
    from tests.conftest import wait_until

    done = tmp_path / "done"
    make(f"import time\ndef handler(e, c):\n time.sleep(0.5)\n open({str(done)!r}, 'w').write(str(e))")
    answer = client_here.invoke(FunctionName="f", InvocationType="Event", Payload=b"[7]")
    assert answer["StatusCode"] == 202
    assert not done.exists()
    wait_until(lambda: done.exists() and done.read_text() == "[7]")


def test_refusals_have_awss_codes(make, client_here) -> None:
    with pytest.raises(ClientError, match=r"Function not found: arn:aws:lambda:.*:nothing") as raised:
        client_here.invoke(FunctionName="nothing")
    assert code_of(raised) == ("ResourceNotFoundException", 404)
    make("def handler(e, c): return 1")
    with pytest.raises(ClientError, match="Function already exist: f") as raised:
        make("def handler(e, c): return 1")
    assert code_of(raised) == ("ResourceConflictException", 409)
    with pytest.raises(ClientError, match="Could not parse request body into json") as raised:
        client_here.invoke(FunctionName="f", Payload=b"{")
    assert code_of(raised) == ("InvalidRequestContentException", 400)
    with pytest.raises(ClientError, match="7000002 byte payload is too large") as raised:
        client_here.invoke(FunctionName="f", Payload=json.dumps("x" * 7_000_000))
    assert code_of(raised) == ("RequestTooLargeException", 413)
    with pytest.raises(ClientError, match="1 validation error detected: Value '9999' at 'timeout'") as raised:
        client_here.update_function_configuration(FunctionName="f", Timeout=9999)
    assert code_of(raised) == ("ValidationException", 400)
    with pytest.raises(ClientError, match="ListAliases is not supported by the local endpoint"):
        client_here.list_aliases(FunctionName="f")


def test_a_malformed_request_is_no_bug(url, capfd) -> None:
    for method, path, body in [
        ("POST", "/2015-03-31/functions", b"[1"),
        ("POST", "/2015-03-31/functions", b'{"Code": 3}'),
        ("POST", "/2015-03-31/functions/..%2F..%2Fx/invocations", b"{}"),
        ("GET", "/2015-03-31/functions/?MaxItems=x", None),
        ("GET", "/2015-03-31/functions?Marker=-1", None),
        ("GET", "/2015-03-31/functions/..%2Fx/code", None),
        ("PATCH", "/2015-03-31/nothing", None),
    ]:
        request = urllib.request.Request(url + path, data=body, method=method)
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request, timeout=10)
        assert 400 <= raised.value.code < 500, path
        assert raised.value.headers["x-amzn-ErrorType"]
    assert "Traceback" not in capfd.readouterr().err


def test_the_sdk_makes_and_updates_functions(url, client, client_here, tmp_path) -> None:
    lambda_helper = pytest.importorskip("sagemaker.core.lambda_helper")

    class Session:
        lambda_client = client_here

    def helper(source):
        (tmp_path / "main.py").write_text(source)
        return lambda_helper.Lambda(
            function_name="sdk", execution_role_arn=ROLE, script=str(tmp_path / "main.py"),
            handler="main.handler", session=Session(),
        )  # fmt: skip

    made = helper("def handler(e, c): return 1").upsert()
    assert (made["Timeout"], made["MemorySize"], made["Runtime"]) == (120, 128, "python3.8")
    updated = helper("def handler(e, c): return 2").upsert()
    assert updated["FunctionArn"] == made["FunctionArn"]
    assert json.loads(helper("").invoke()["Payload"].read()) == 2
    helper("").delete()
    assert "sdk" not in [each["FunctionName"] for each in client_here.list_functions()["Functions"]]

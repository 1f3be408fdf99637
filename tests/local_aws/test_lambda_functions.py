from __future__ import annotations

import io
import zipfile

import pytest

from trainyard.errors import AlreadyExists, DataError, NotFound
from trainyard.execution import found_functions
from trainyard.execution.s3 import parse_uri
from trainyard.local_aws.lambda_functions import OPERATIONS, download
from trainyard.local_aws.messages import AwsError

ROLE = "arn:aws:iam::000000000000:role/r"


def zipped(source: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("main.py", source)
    return content.getvalue()


@pytest.fixture
def call(store):
    return lambda operation, **given: OPERATIONS[operation](store, given)


@pytest.fixture
def make(call):
    def create(name="f", source="", **more):
        settings = {"Runtime": "python3.11", "Role": ROLE, "Handler": "main.handler", **more}
        code = {"ZipFile": zipped(source)}
        return call("CreateFunction", **{"FunctionName": name, "Code": code, **settings})

    return create


def test_code_comes_from_the_request_or_from_s3(store, call, make) -> None:
    store.objects.put_bytes(zipped("x = 1"), parse_uri("s3://bucket/lambda/f/code"))
    make(Code={"S3Bucket": "bucket", "S3Key": "lambda/f/code"})
    assert download(store, "f") == zipped("x = 1")
    changed = call("UpdateFunctionCode", FunctionName="f", ZipFile=zipped("x = 2"), Publish=True)
    assert changed["Version"] == "1"
    assert download(store, "f") == zipped("x = 2")
    for key in ("gone", "../../state.sqlite3"):
        with pytest.raises(DataError, match=r"Error occurred while GetObject\. S3 Error Code: NoSuchKey"):
            call("UpdateFunctionCode", FunctionName="f", S3Bucket="bucket", S3Key=key)
    with pytest.raises(DataError, match="Please provide a source for function code"):
        call("UpdateFunctionCode", FunctionName="f")
    with pytest.raises(DataError, match="container images cannot run here"):
        make("image", PackageType="Image", Code={"ImageUri": "x"})


def test_the_list_has_pages(call, make) -> None:
    for name in ("a", "b", "c"):
        make(name)
    first = call("ListFunctions", MaxItems=2)
    assert [each["FunctionName"] for each in first["Functions"]] == ["a", "b"]
    rest = call("ListFunctions", Marker=first["NextMarker"])
    assert rest["Functions"][0]["FunctionName"] == "c"  # those of pipelines/lambdas follow
    assert rest["NextMarker"] is None
    with pytest.raises(DataError, match="Invalid Marker: 'x'"):
        call("ListFunctions", Marker="x")


def test_versions_are_listed_after_the_latest(call, make) -> None:
    make(source="x = 1")
    call("PublishVersion", FunctionName="f")
    versions = call("ListVersionsByFunction", FunctionName="f")["Versions"]
    assert [each["Version"] for each in versions] == ["$LATEST", "1"]
    assert versions[0]["FunctionArn"].endswith(":f:$LATEST")
    assert call("GetFunction", FunctionName="f", Qualifier="1")["Configuration"]["Version"] == "1"


def test_settings_are_changed_where_nobody_else_has_changed_them(call, make) -> None:
    made = make(Environment={"Variables": {"A": "1"}}, VpcConfig={})
    changed = call(
        "UpdateFunctionConfiguration", FunctionName="f", MemorySize=256, RevisionId=made["RevisionId"]
    )
    assert (changed["MemorySize"], changed["Environment"]) == (256, {"Variables": {"A": "1"}})
    with pytest.raises(AwsError, match="Revision Id provided does not match") as raised:
        call("UpdateFunctionConfiguration", FunctionName="f", RevisionId=made["RevisionId"])
    assert raised.value.status == 412


def test_permissions_are_kept_and_shown(call, make) -> None:
    make()
    given = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    with pytest.raises(NotFound):
        call("GetPolicy", FunctionName="f")
    assert '"Sid": "s"' in call("AddPermission", FunctionName="f", **given)["Statement"]
    with pytest.raises(AlreadyExists, match=r"statement id \(s\)"):
        call("AddPermission", FunctionName="f", **given)
    assert "events.amazonaws.com" in call("GetPolicy", FunctionName="f")["Policy"]
    call("RemovePermission", FunctionName="f", StatementId="s")
    with pytest.raises(NotFound, match="Statement s is not found"):
        call("RemovePermission", FunctionName="f", StatementId="s")


def test_tags_come_and_go(call, make) -> None:
    arn = make(Tags={"a": "1"})["FunctionArn"]
    call("TagResource", Resource=arn, Tags={"b": "2"})
    call("UntagResource", Resource=arn, TagKeys=["a"])
    assert call("ListTags", Resource=arn)["Tags"] == {"b": "2"}


def test_a_function_of_the_repository_is_changed_in_its_file(store, call, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(found_functions, "repository_root", lambda: tmp_path)
    (tmp_path / "pipelines" / "lambdas").mkdir(parents=True)
    (tmp_path / "pipelines" / "lambdas" / "here.py").write_text("x = 1")
    assert call("GetFunction", FunctionName="here")["Configuration"]["Handler"] == "here.lambda_handler"
    with pytest.raises(DataError, match=r"here found at pipelines/lambdas/here.py; change it there"):
        call("UpdateFunctionCode", FunctionName="here", ZipFile=zipped(""))
    with zipfile.ZipFile(io.BytesIO(download(store, "here"))) as archive:
        assert archive.read("here.py") == b"x = 1"

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from trainyard.errors import StoreError
from trainyard.local_aws.journal import Journal, action
from trainyard.local_aws.messages import Request


def request(body: bytes = b"", target: str = "", query: str = "") -> Request:
    headers = {"x-amz-target": target, "authorization": "a", "x-secret": "s"} if target else {}
    return Request(
        method="POST", path="/", query=query, headers=headers, stream=BytesIO(body), length=len(body)
    )


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (request(target="AWSEvents.PutRule"), "PutRule"),
        (request(b"Action=CreateRole&RoleName=r"), "CreateRole"),
        (request(query="Action=CreateTopic"), "CreateTopic"),
        (request(b"\xff\x00"), ""),
    ],
)
def test_the_operation_of_a_request(asked: Request, name: str) -> None:
    assert action(asked, asked.body()) == name


def test_a_database_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "db")
    for file in tmp_path.iterdir():
        file.unlink()
    (tmp_path / "db").write_text("this is no database, not at all, whatever its name may say about it")
    for use in (lambda: journal.take(request(target="A.PutRule"), b""), lambda: list(journal.requests())):
        with pytest.raises(StoreError, match="db cannot be used"):
            use()


def test_configuration_is_kept_in_order_and_messages_are_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "db")
    for target in (
        "A.CreateQueue",
        "A.SendMessage",
        "A.PutEvents",
        "A.PutMetricData",
        "A.PutRecord",
        "A.PutRecordBatch",
        "A.PutRecords",
        "A.ListQueues",
        "A.DeleteMessage",
        "A.DeleteQueue",
    ):
        journal.take(request(target=target), b"{}")
    again = list(Journal(tmp_path / "db").requests())
    assert [one.headers["x-amz-target"] for one in again] == ["A.CreateQueue", "A.DeleteQueue"]
    assert "x-secret" not in again[0].headers and again[0].body() == b"{}"

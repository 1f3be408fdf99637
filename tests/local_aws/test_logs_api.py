from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request as Asked
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError

from trainyard.execution.request import client_environment
from trainyard.local_aws.log_streams import Stream, Streams
from trainyard.local_aws.logs_api import LogsApi
from trainyard.local_aws.messages import Response
from trainyard.local_aws.moto_child import Moto

GROUP = "/aws/sagemaker/TrainingJobs"


def nobody(request):
    return Response(status=200, body=b'{"logGroups": []}')


def record(store, name: str, text: str, created: float = 1_000.0) -> Path:
    store.resources.add("training-job", name, {"TrainingJobName": name, "CreationTime": created})
    folder = store.job_folder(name)
    folder.mkdir(parents=True)
    (folder / "algo-1.log").write_text(text)
    return folder / "algo-1.log"


@pytest.fixture
def url(store, serve) -> str:
    return serve(LogsApi(Streams(store), nobody))


@pytest.fixture
def logs(url, client):
    return client("logs", url)


def test_the_sdks_way_of_following_a_job(logs, store) -> None:
    log = record(store, "j", "one\ntwo\n")
    found = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="j/", orderBy="LogStreamName")
    [stream] = [one["logStreamName"] for one in found["logStreams"]]
    asked = {"logGroupName": GROUP, "logStreamName": stream, "startFromHead": True}
    answer = logs.get_log_events(**asked)
    assert [event["message"] for event in answer["events"]] == ["one", "two"]
    token = answer["nextForwardToken"]
    answer = logs.get_log_events(**asked, nextToken=token)
    assert (answer["events"], answer["nextForwardToken"]) == ([], token)
    with log.open("a") as file:
        file.write("three\nhalf")
    answer = logs.get_log_events(**asked, nextToken=token)
    assert [event["message"] for event in answer["events"]] == ["three"]
    assert logs.get_log_events(**asked, nextToken=answer["nextForwardToken"])["events"] == []


def test_reading_backwards_from_the_end(logs, store) -> None:
    record(store, "j", "".join(f"line {number}\n" for number in range(10)))
    asked = {"logGroupName": GROUP, "logStreamName": "j/algo-1-1000", "limit": 4}
    seen, token = [], None
    while True:
        answer = logs.get_log_events(**asked, **({"nextToken": token} if token else {}))
        if answer["nextBackwardToken"] == token:
            break
        seen = [event["message"] for event in answer["events"]] + seen
        token = answer["nextBackwardToken"]
    assert seen == [f"line {number}" for number in range(10)]


def test_events_of_all_streams_are_filtered_and_paged(logs, store) -> None:
    for name in ("a", "b"):
        record(store, name, "loss 1\nother\nloss 2\n")
    found = logs.filter_log_events(logGroupName=GROUP, filterPattern="loss", logStreamNamePrefix="a")
    assert [event["message"] for event in found["events"]] == ["loss 1", "loss 2"]
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=GROUP, PaginationConfig={"PageSize": 2}
    )
    assert sum(len(page["events"]) for page in pages) == 6
    assert logs.filter_log_events(logGroupName=GROUP, endTime=5)["events"] == []


def test_logs_that_were_over_before_the_time_asked_for_are_not_read(logs, store, monkeypatch) -> None:
    now = time.time()
    for name, age in (("old", 7200.0), ("late", 5.0), ("new", 0.0)):
        os.utime(record(store, name, f"{name}\n"), (now - age,) * 2)
    read: list[str] = []
    real = Stream.lines
    monkeypatch.setattr(Stream, "lines", lambda self: read.append(self.name.partition("/")[0]) or real(self))
    found = logs.filter_log_events(logGroupName=GROUP, startTime=int(now * 1000))
    assert [event["message"] for event in found["events"]] == ["new"]
    assert read == ["late", "new"]


def test_streams_come_in_pages_and_in_either_order(logs, store) -> None:
    for number in range(60):
        record(store, f"j-{number:02}", "x\n")
    pages = list(logs.get_paginator("describe_log_streams").paginate(logGroupName=GROUP))
    names = [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
    assert (len(pages), len(names), names[0]) == (2, 60, "j-00/algo-1-1000")
    last = logs.describe_log_streams(logGroupName=GROUP, descending=True, limit=1)["logStreams"]
    assert last[0]["logStreamName"] == "j-59/algo-1-1000"


def test_what_is_not_there_and_what_is_not_possible(logs, store) -> None:
    with pytest.raises(ClientError, match="log group does not exist"):
        logs.describe_log_streams(logGroupName=GROUP)
    record(store, "j", "x\n")
    with pytest.raises(ClientError, match="log stream does not exist"):
        logs.get_log_events(logGroupName=GROUP, logStreamName="j/algo-7")
    with pytest.raises(ClientError, match="nextToken is invalid"):
        logs.get_log_events(logGroupName=GROUP, logStreamName="j/algo-1-1000", nextToken="x/y")
    with pytest.raises(ClientError, match="DeleteLogGroup is not possible"):
        logs.delete_log_group(logGroupName=GROUP)


def test_what_the_model_does_not_allow_is_refused_in_the_services_words(url, client, store) -> None:
    logs = client("logs", url, parameter_validation=False)
    record(store, "j", "x\n")
    asked = {"logGroupName": GROUP, "logStreamName": "j/algo-1-1000"}
    for call, wrong in (
        (logs.get_log_events, {**asked, "limit": 0}),
        (logs.get_log_events, {**asked, "limit": 10_001}),
        (logs.get_log_events, {**asked, "logStreamName": None}),
        (logs.filter_log_events, {"logGroupName": GROUP, "startTime": -1}),
        (logs.describe_log_streams, {"logGroupName": GROUP, "orderBy": "Size"}),
        (logs.describe_log_streams, {"logGroupName": GROUP, "nextToken": "x"}),
        (logs.describe_log_groups, {"limit": 51}),
        (logs.describe_log_groups, {"logGroupNamePrefix": "no group"}),
        (logs.describe_log_groups, {"nextToken": "x"}),
    ):
        with pytest.raises(ClientError) as refused:
            call(**wrong)
        assert refused.value.response["Error"]["Code"] == "InvalidParameterException"


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"limit": NaN}', b'{"limit": "x"}', b"[" * 100_000])
def test_what_is_no_request_is_said_to_be_none(url, body) -> None:
    headers = {"X-Amz-Target": "Logs_20140328.DescribeLogGroups"}
    with pytest.raises(HTTPError) as refused:
        urlopen(Asked(url, data=body, headers=headers, method="POST"))
    assert (refused.value.code, json.load(refused.value)["__type"]) == (400, "SerializationException")


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    folder = tmp_path_factory.mktemp("moto")
    made = Moto(folder / "db", folder / "log")
    made.start()
    yield made
    made.close()


def test_groups_of_others_are_beside_ours_and_the_aws_cli_shows_both(store, serve, client, moto) -> None:
    url = serve(LogsApi(Streams(store), moto))
    record(store, "j", "said so\n")
    client("logs", url).create_log_group(logGroupName="mine")
    environment = {**os.environ, **client_environment(url)}
    aws = ["aws", "--output", "json", "logs"]
    shown = subprocess.run([*aws, "describe-log-groups"], env=environment, capture_output=True, check=True)
    names = [group["logGroupName"] for group in json.loads(shown.stdout)["logGroups"]]
    assert {GROUP, "mine"} <= set(names) and names == sorted(names)
    command = [*aws, "filter-log-events", "--log-group-name", GROUP]
    shown = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert json.loads(shown.stdout)["events"][0]["message"] == "said so"


def test_groups_come_in_pages_whoever_made_them(store, serve, client, moto) -> None:
    logs = client("logs", serve(LogsApi(Streams(store), moto)))
    record(store, "j", "x\n")
    theirs = [f"/aws/{letter}/{number:02}" for letter in "az" for number in range(30)]
    for name in theirs:
        logs.create_log_group(logGroupName=name)
    pages = list(logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/aws/"))
    assert [len(page["logGroups"]) for page in pages] == [50, 11]
    names = [group["logGroupName"] for page in pages for group in page["logGroups"]]
    assert names == sorted([*theirs, GROUP])
    few = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix="/aws/sage", PaginationConfig={"PageSize": 1}
    )
    assert [[group["logGroupName"] for group in page["logGroups"]] for page in few] == [[GROUP]]

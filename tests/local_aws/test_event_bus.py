from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from tests.conftest import wait_until
from trainyard.errors import UserError
from trainyard.local_aws.event_bus import EventBus
from trainyard.local_aws.moto_child import Moto
from trainyard.local_aws.targets import deliverer

PIPELINE = "arn:aws:sagemaker:us-east-1:000000000000:pipeline/retrain"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    folder = tmp_path_factory.mktemp("moto")
    made = Moto(folder / "db", folder / "log")
    made.start()
    yield made
    made.close()


@pytest.fixture
def bus(moto: Moto, serve, client) -> Iterator[tuple[EventBus, Clock, list[Any], Callable[[str], Any]]]:
    started: list[Any] = []
    clock = Clock()
    deliver = deliverer(
        moto, lambda arn, values: started.append((arn, values)), lambda *args: started.append(args)
    )
    made = EventBus(moto, deliver, clock)
    events, others = serve(made), serve(moto)
    make = lambda service: client(service, events if service == "events" else others)  # noqa: E731
    yield made, clock, started, make
    urlopen(Request(f"{others}/moto-api/reset", method="POST")).close()


def test_an_approved_package_starts_a_pipeline_with_parameters_of_the_event(bus) -> None:
    made, _, started, make = bus
    pattern = {"source": ["aws.sagemaker"], "detail": {"ModelApprovalStatus": ["Approved"]}}
    make("events").put_rule(Name="approved", EventPattern=json.dumps(pattern))
    values = [{"Name": "Package", "Value": "$.detail.ModelPackageArn"}]
    target = {"Id": "1", "Arn": PIPELINE, "SageMakerPipelineParameters": {"PipelineParameterList": values}}
    make("events").put_targets(Rule="approved", Targets=[target])
    made.emit(
        "SageMaker Model Package State Change", {"ModelApprovalStatus": "Rejected", "ModelPackageArn": "a"}
    )
    made.emit(
        "SageMaker Model Package State Change", {"ModelApprovalStatus": "Approved", "ModelPackageArn": "b"}
    )
    wait_until(lambda: started == [(PIPELINE, {"Package": "b"})])
    make("events").disable_rule(Name="approved")
    made.emit(
        "SageMaker Model Package State Change", {"ModelApprovalStatus": "Approved", "ModelPackageArn": "c"}
    )
    made.emit("x", {})
    assert len(started) == 1


def test_a_schedule_fires_when_its_time_has_come_and_again_later(bus) -> None:
    made, clock, started, make = bus
    make("events").put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    make("events").put_targets(Rule="hourly", Targets=[{"Id": "1", "Arn": PIPELINE}])
    made.tick()
    for minutes, fired in ((59, 0), (2, 1), (30, 1), (31, 2)):
        clock.now += timedelta(minutes=minutes)
        made.tick()
        assert len(started) == fired


def test_the_time_of_a_rule_that_was_away_begins_anew(bus) -> None:
    made, clock, started, make = bus
    make("events").put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    make("events").put_targets(Rule="hourly", Targets=[{"Id": "1", "Arn": PIPELINE}])
    made.tick()
    make("events").disable_rule(Name="hourly")
    made.tick()
    clock.now += timedelta(hours=5)
    make("events").enable_rule(Name="hourly")
    made.tick()
    assert not started
    clock.now += timedelta(hours=1)
    made.tick()
    assert len(started) == 1


def test_events_of_users_reach_functions_queues_and_topics(bus) -> None:
    _, _, started, make = bus
    queue, other = (make("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("direct", "by-topic"))
    arns = ["arn:aws:sqs:us-east-1:000000000000:direct", "arn:aws:sqs:us-east-1:000000000000:by-topic"]
    topic = make("sns").create_topic(Name="t")["TopicArn"]
    make("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arns[1])
    function = "arn:aws:lambda:us-east-1:000000000000:function:f"
    make("events").put_rule(Name="mine", EventPattern='{"source": ["me"]}')
    ends = [arns[0], topic, function, "arn:aws:sqs:us-east-1:000000000000:nobody"]
    make("events").put_targets(
        Rule="mine", Targets=[{"Id": str(i), "Arn": arn} for i, arn in enumerate(ends)]
    )
    entries = [
        {"Source": "me", "DetailType": "t", "Detail": '{"a": 1}'},
        {"Source": "me", "DetailType": "t", "Detail": "["},
    ]
    answer = make("events").put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 1 and "EventId" in answer["Entries"][0]

    def first(url: str) -> Any:
        messages = make("sqs").receive_message(QueueUrl=url).get("Messages", [])
        return json.loads(messages[0]["Body"]) if messages else None

    wait_until(lambda: bool(started) and json.loads(started[0][1])["detail"] == {"a": 1})
    received: dict[str, Any] = {}
    wait_until(lambda: received.setdefault("q", first(queue)) is not None or received.pop("q"))
    wait_until(lambda: received.setdefault("t", first(other)) is not None or received.pop("t"))
    assert received["q"]["detail"] == {"a": 1} and json.loads(received["t"]["Message"])["source"] == "me"


@pytest.mark.parametrize("detail", ["[1]", "3", "null", "", '"text"', "[" * 100_000])
def test_a_detail_is_an_object_and_the_other_entries_go_their_way(bus, detail: str) -> None:
    events = bus[3]("events")
    entries = [{"Source": "me", "DetailType": "t", "Detail": each} for each in (detail, "{}")]
    answer = events.put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == "MalformedDetail"
    assert "EventId" in answer["Entries"][1]


def test_rules_beyond_the_first_page_are_known(bus, moto: Moto) -> None:
    _, _, started, make = bus
    names = [f"rule-{number:03}" for number in range(101)]
    for name in names:
        pattern = json.dumps({"source": ["me" if name == names[-1] else "nobody"]})
        moto.call_json("events", "AWSEvents.PutRule", {"Name": name, "EventPattern": pattern})
    target = {"Rule": names[-1], "Targets": [{"Id": "1", "Arn": PIPELINE}]}
    moto.call_json("events", "AWSEvents.PutTargets", target)
    make("events").put_events(Entries=[{"Source": "me", "DetailType": "t", "Detail": "{}"}])
    wait_until(lambda: len(started) == 1)


def test_a_second_that_fails_is_not_the_end_of_schedules(
    bus, monkeypatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made, clock, started, make = bus
    make("events").put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    make("events").put_targets(Rule="hourly", Targets=[{"Id": "1", "Arn": PIPELINE}])
    made.tick()
    clock.now += timedelta(hours=2)
    moments = iter([ZeroDivisionError("no time"), UserError("no rules")])

    def now() -> datetime:
        for failure in moments:
            raise failure
        return clock()

    monkeypatch.setattr(made, "_now", now)
    real = made._stopped.wait
    monkeypatch.setattr(made._stopped, "wait", lambda seconds: real(0.01))
    thread = threading.Thread(target=made.run)
    thread.start()
    wait_until(lambda: len(started) == 1)
    made.close()
    thread.join()
    assert capfd.readouterr().err == "events: no time\nevents: no rules\n"


def test_rules_that_could_never_be_honoured_are_refused(bus) -> None:
    make = bus[3]
    with pytest.raises(ClientError, match="ScheduleExpression is not valid"):
        make("events").put_rule(Name="bad", ScheduleExpression="rate(1 fortnight)")
    with pytest.raises(ClientError, match="Event pattern is not valid"):
        make("events").put_rule(Name="bad", EventPattern='{"source": "me"}')
    with pytest.raises(ClientError, match="not JSON"):
        make("events").put_rule(Name="bad", EventPattern="{")
    with pytest.raises(ClientError, match="not JSON"):
        make("events").put_rule(Name="bad", EventPattern="[" * 4000)
    assert make("events").list_rules()["Rules"] == []


def test_a_log_of_what_went_wrong_names_rule_and_target(
    bus, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made, _, _, make = bus
    make("events").put_rule(Name="bad-target", EventPattern='{"source": ["aws.sagemaker"]}')
    make("events").put_targets(
        Rule="bad-target", Targets=[{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:0:nobody"}]
    )
    made.emit("t", {})
    seen: list[str] = []

    def said() -> bool:
        seen.append(capfd.readouterr().err)
        return "rule bad-target, target arn:aws:sqs" in "".join(seen)

    wait_until(said)


def test_what_would_get_no_events_is_refused(bus) -> None:
    _, _, _, make = bus
    events = make("events")
    events.put_rule(Name="other", ScheduleExpression="rate(1 day)")
    job = {"Id": "1", "Arn": "arn:aws:batch:us-east-1:000000000000:job-queue/q"}
    with pytest.raises(ClientError, match="would get no events here; possible: pipelines of SageMaker"):
        events.put_targets(Rule="other", Targets=[job])
    events.put_targets(Rule="other", Targets=[{"Id": "2", "Arn": PIPELINE}])
    assert [target["Id"] for target in events.list_targets_by_rule(Rule="other")["Targets"]] == ["2"]
    with pytest.raises(ClientError, match="possible: default, the only bus here"):
        events.put_rule(Name="elsewhere", EventBusName="own", ScheduleExpression="rate(1 day)")
    entry = {"Source": "a", "DetailType": "b", "Detail": "{}"}
    sent = [{**entry, "EventBusName": name} for name in ("own", "default")]
    assert events.put_events(Entries=sent)["FailedEntryCount"] == 1

"""EventBridge: rules that start pipelines, Lambda functions and messages, on a schedule or when an event matches.

The rules themselves are kept by moto, as everything that is only configuration.

Source: Amazon EventBridge User Guide, "Events", "Targets"; SageMaker Developer Guide, "Amazon SageMaker AI events".
"""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from trainyard.errors import UserError
from trainyard.execution.request import REGION
from trainyard.local_aws import event_patterns, wire
from trainyard.local_aws.messages import AwsError, Request, Response
from trainyard.local_aws.moto_child import Moto
from trainyard.local_aws.schedules import Schedule
from trainyard.local_aws.targets import Deliver, check, shaped

_ACCOUNT = "0" * 12
_MOST_ENTRIES = 10
# members of SageMaker's events that name what they are about
_ABOUT = {
    "TrainingJobArn", "ProcessingJobArn", "TransformJobArn", "HyperParameterTuningJobArn", "EndpointArn",
    "ModelPackageArn", "pipelineArn", "pipelineExecutionArn",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One enabled rule; ``schedule`` and ``pattern`` as they were put, either may be absent."""

    name: str
    arn: str
    schedule: str
    pattern: Mapping[str, Any] | None
    targets: tuple[Mapping[str, Any], ...]


class EventBus:
    """A Service for the Events API; ``emit`` takes SageMaker's own events.

    ``deliver`` brings what a rule sends to one of its targets; what it raises is written to the endpoint's log.
    """

    def __init__(self, moto: Moto, deliver: Deliver, now: Callable[[], datetime] | None = None) -> None:
        self._moto = moto
        self._deliver = deliver
        self._now = now or (lambda: datetime.now(UTC))
        self._rules: list[Rule] | None = None
        self._due: dict[str, tuple[str, datetime | None]] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def __call__(self, request: Request) -> Response:
        body = request.body()
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        content = wire.load(body)
        if operation == "PutEvents":
            return self._put_events(content)
        if operation in ("PutRule", "PutTargets"):
            _check_bus(content)
            check(content)
        if operation == "PutRule":
            if content.get("ScheduleExpression"):
                Schedule(content["ScheduleExpression"])
            if content.get("EventPattern"):
                event_patterns.check(_pattern(content["EventPattern"]))
        response = self._moto(
            Request(
                method=request.method, path=request.path, query=request.query, headers=request.headers,
                stream=BytesIO(body), length=len(body),
            )
        )  # fmt: skip
        if not operation.startswith(("List", "Describe", "Test")):
            with self._lock:  # whoever reads the rules at this moment has read those of before
                self._rules = None
        return response

    def emit(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        """An event of source ``aws.sagemaker``, matched in a thread of its own: whoever emits does not wait."""
        event = _event("aws.sagemaker", detail_type, detail, self._now())
        threading.Thread(target=self._dispatch, args=(event,), name="event", daemon=True).start()

    def run(self) -> None:
        """Fire the scheduled rules until ``close``."""
        while not self._stopped.wait(1.0):
            try:
                self.tick()
            except Exception as error:  # one second's trouble must not be the end of all schedules
                print(f"events: {error}", file=sys.stderr, flush=True)

    def close(self) -> None:
        self._stopped.set()

    def tick(self) -> None:
        """Fire what is due; a rule's time begins when it is seen first, or changes, or comes back."""
        now = self._now()
        rules = [rule for rule in self._known_rules() if rule.schedule]
        self._due = {rule.arn: self._due.get(rule.arn, ("", None)) for rule in rules}
        for rule in rules:
            schedule = Schedule(rule.schedule)
            expression, due = self._due[rule.arn]
            if expression != rule.schedule:
                self._due[rule.arn] = (rule.schedule, schedule.next(now))
            elif due is not None and now >= due:
                self._due[rule.arn] = (rule.schedule, schedule.next(now))
                self._fire(
                    rule, {**_event("aws.events", "Scheduled Event", {}, now), "resources": [rule.arn]}
                )

    def _put_events(self, content: Mapping[str, Any]) -> Response:
        entries = content.get("Entries")
        if not isinstance(entries, list) or not 1 <= len(entries) <= _MOST_ENTRIES:
            raise AwsError(
                "ValidationException",
                f"1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have "
                f"length between 1 and {_MOST_ENTRIES}",
            )
        answers, failed = [], 0
        for entry in entries:
            try:
                _check_bus(entry)
                detail = wire.load(entry["Detail"] or "null")
                event = _event(entry["Source"], entry["DetailType"], detail, self._now())
            except (AwsError, AttributeError, KeyError, TypeError):
                failed += 1
                answers.append(
                    {
                        "ErrorCode": "MalformedDetail",
                        "ErrorMessage": "Source, DetailType and Detail (a JSON object) are needed, for the default bus",
                    }
                )
                continue
            event["resources"] = entry.get("Resources", [])
            threading.Thread(target=self._dispatch, args=(event,), name="event", daemon=True).start()
            answers.append({"EventId": event["id"]})
        body = json.dumps({"FailedEntryCount": failed, "Entries": answers}).encode()
        return Response(status=200, body=body, headers=(("Content-Type", "application/x-amz-json-1.1"),))

    def _dispatch(self, event: Mapping[str, Any]) -> None:
        try:
            rules = self._known_rules()
        except UserError as error:
            print(f"events: {error}", file=sys.stderr, flush=True)
            return
        for rule in rules:
            if rule.pattern is not None and event_patterns.matches(rule.pattern, event):
                self._fire(rule, event)

    def _fire(self, rule: Rule, event: Mapping[str, Any]) -> None:
        for target in rule.targets:
            try:
                self._deliver(target, shaped(target, event), event)
            except Exception as error:  # a target that fails must not keep the others from their event
                print(
                    f"events: rule {rule.name}, target {target.get('Arn')}: {error}",
                    file=sys.stderr,
                    flush=True,
                )

    def _known_rules(self) -> list[Rule]:
        with self._lock:
            if self._rules is None:
                rules = [raw for raw in self._listed() if raw.get("State", "ENABLED") != "DISABLED"]
                self._rules = [self._rule(raw) for raw in rules]
            return self._rules

    def _listed(self) -> Iterator[Mapping[str, Any]]:
        token: dict[str, str] = {}
        while True:
            answer = self._moto.call_json("events", "AWSEvents.ListRules", token)
            yield from answer["Rules"]
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def _rule(self, raw: Mapping[str, Any]) -> Rule:
        listed = self._moto.call_json("events", "AWSEvents.ListTargetsByRule", {"Rule": raw["Name"]})
        return Rule(
            name=raw["Name"],
            arn=raw["Arn"],
            schedule=raw.get("ScheduleExpression", ""),
            pattern=_pattern(raw["EventPattern"]) if raw.get("EventPattern") else None,
            targets=tuple(listed["Targets"]),
        )


def _event(source: str, detail_type: str, detail: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": _ACCOUNT,
        "time": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": [value for key, value in detail.items() if key in _ABOUT],
        "detail": _as_events_have_it(detail),
    }


def _as_events_have_it(value: Any) -> Any:
    """Times in events are milliseconds since 1970, where ours are seconds."""
    if isinstance(value, Mapping):
        return {
            key: int(item * 1000)
            if key.endswith("Time") and isinstance(item, float)
            else _as_events_have_it(item)
            for key, item in value.items()
        }
    return [_as_events_have_it(item) for item in value] if isinstance(value, list) else value


def _check_bus(content: Mapping[str, Any]) -> None:
    """Raises AwsError for another bus than the default one, by name or ARN."""
    bus = content.get("EventBusName") or "default"
    if str(bus).rpartition("/")[2] != "default":
        raise AwsError("ValidationException", f"EventBusName {bus!r}: possible: default, the only bus here")


def _pattern(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise AwsError(
            "InvalidEventPatternException", f"Event pattern is not valid. Reason: it is not JSON: {error}"
        ) from error

"""CloudWatch Logs: what jobs, endpoints and functions have written, under the names that AWS gives it.

Groups that others make are moto's.

Source: CloudWatch Logs API reference (DescribeLogStreams, GetLogEvents, FilterLogEvents); SageMaker Developer
Guide, "Log groups and streams that Amazon SageMaker AI sends to Amazon CloudWatch Logs".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any

from trainyard.local_aws import wire
from trainyard.local_aws.json_api import service_model
from trainyard.local_aws.log_streams import Line, Stream, Streams
from trainyard.local_aws.messages import AwsError, Request, Response, Service

_PAGE = 50
_MOST_EVENTS = 10_000
_MOST_BYTES = 1 << 20
_LATE = (
    60_000  # milliseconds after a log was written for the last time, within which its lines got their times
)


class LogsApi:
    """A Service: groups of ours are answered from the store, all else is passed on to ``others``."""

    def __init__(self, streams: Streams, others: Service) -> None:
        self._streams = streams
        self._others = others
        self._operations: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "DescribeLogStreams": self._describe_streams,
            "GetLogEvents": self._get_events,
            "FilterLogEvents": self._filter_events,
        }

    def __call__(self, request: Request) -> Response:
        body = request.body()
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        asked = wire.load(body)
        group = (
            asked.get("logGroupName") or str(asked.get("logGroupIdentifier", "")).rpartition("log-group:")[2]
        )
        passed_on = replace(request, stream=BytesIO(body), length=len(body))
        if operation == "DescribeLogGroups":
            return self._describe_groups(asked, passed_on)
        if not self._streams.is_ours(str(group)):
            return self._others(passed_on)
        if operation not in self._operations:
            raise AwsError(
                "InvalidOperationException",
                f"{operation} is not possible on {group}: it holds the logs of the local endpoint",
            )
        return _json(self._operations[operation](_validated(operation, {**asked, "logGroupName": group})))

    def _describe_groups(self, given: Mapping[str, Any], request: Request) -> Response:
        """Theirs and ours in one order, in pages of our own."""
        asked = _validated("DescribeLogGroups", given)
        theirs: list[dict[str, Any]] = []
        place: dict[str, Any] = {}
        while True:
            body = json.dumps({**given, "nextToken": None, "limit": _PAGE, **place}).encode()
            response = self._others(replace(request, stream=BytesIO(body), length=len(body)))
            if response.status != 200 or not isinstance(response.body, bytes):
                return response
            answer = json.loads(response.body)
            theirs += answer["logGroups"]
            if not answer.get("nextToken"):
                break
            place = {"nextToken": answer["nextToken"]}
        prefix, part = str(asked.get("logGroupNamePrefix") or ""), str(asked.get("logGroupNamePattern") or "")
        ours = [
            {
                "logGroupName": name,
                "arn": f"{self._streams.arn(name)}:*",
                "creationTime": created,
                "metricFilterCount": 0,
                "storedBytes": 0,
            }
            for name, created in self._streams.groups()
            if name.startswith(prefix) and part.lower() in name.lower()
        ]
        groups = sorted([*theirs, *ours], key=lambda group: str(group["logGroupName"]))
        start, most = _number(asked.get("nextToken"), "nextToken"), asked.get("limit", _PAGE)
        more = {"nextToken": str(start + most)} if start + most < len(groups) else {}
        return _json({"logGroups": groups[start : start + most], **more})

    def _describe_streams(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        found = self._found(asked, str(asked.get("logStreamNamePrefix") or ""))
        if asked.get("orderBy") == "LastEventTime":
            found.sort(key=lambda stream: stream.last())
        if asked.get("descending"):
            found.reverse()
        start, size = _number(asked.get("nextToken"), "nextToken"), int(asked.get("limit") or _PAGE)
        page = found[start : start + min(size, _PAGE)]
        answer: dict[str, Any] = {"logStreams": [self._shown(asked["logGroupName"], one) for one in page]}
        if start + len(page) < len(found):
            answer["nextToken"] = str(start + len(page))
        return answer

    def _shown(self, group: str, stream: Stream) -> dict[str, Any]:
        times = {"firstEventTimestamp": stream.created, "lastEventTimestamp": stream.last()}
        return {
            "logStreamName": stream.name,
            "arn": f"{self._streams.arn(group)}:log-stream:{stream.name}",
            "creationTime": stream.created,
            "lastIngestionTime": stream.last(),
            "uploadSequenceToken": "1",
            "storedBytes": 0,
            **(times if stream.size() else {}),
        }

    def _get_events(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Tokens are ``f/`` or ``b/`` and a place in the log; the same one comes back when there is no more."""
        name = str(asked.get("logStreamName") or "")
        stream = next((one for one in self._found(asked, name) if one.name == name), None)
        if stream is None:
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        token, most = (
            str(asked.get("nextToken") or ""),
            min(int(asked.get("limit") or _MOST_EVENTS), _MOST_EVENTS),
        )
        direction, _, place = token.partition("/")
        if token and (direction not in ("f", "b") or not place.isdecimal()):
            raise AwsError("InvalidParameterException", f"The specified nextToken is invalid: {token!r}")
        if direction == "b" or not (token or asked.get("startFromHead")):
            lines = stream.lines(0, int(place) if token else None)[-most:]
        else:
            lines = stream.lines(int(place or 0))
        within = [line for line in lines if _within(line.time, asked)]
        taken: list[Line] = []
        size = 0
        for line in within[:most]:
            size += len(line.text)
            if taken and size > _MOST_BYTES:
                break
            taken.append(line)
        here = int(place or 0) if direction != "b" else int(place)
        first = taken[0].begin if taken else here
        last = taken[-1].end if taken else (lines[-1].end if lines else here)
        return {
            "events": [
                {"timestamp": line.time, "message": line.text, "ingestionTime": line.time} for line in taken
            ],
            "nextForwardToken": f"f/{last}",
            "nextBackwardToken": f"b/{first}",
        }

    def _filter_events(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        names = asked.get("logStreamNames")
        streams = self._found(asked, str(asked.get("logStreamNamePrefix") or ""))
        terms = [term.strip('"') for term in str(asked.get("filterPattern") or "").split()]
        events: list[dict[str, Any]] = [
            {
                "logStreamName": stream.name,
                "timestamp": line.time,
                "message": line.text,
                "ingestionTime": line.time,
                "eventId": f"{index:04d}{line.begin:016d}",
            }
            for index, stream in enumerate(streams)
            if (not names or stream.name in names) and stream.last() + _LATE >= (asked.get("startTime") or 0)
            for line in stream.lines()
            if _within(line.time, asked) and all(term in line.text for term in terms)
        ]
        events.sort(key=lambda event: event["timestamp"])
        start = _number(asked.get("nextToken"), "nextToken")
        page = events[start : start + min(int(asked.get("limit") or _MOST_EVENTS), _MOST_EVENTS)]
        answer: dict[str, Any] = {"events": page, "searchedLogStreams": []}
        if start + len(page) < len(events):
            answer["nextToken"] = str(start + len(page))
        return answer

    def _found(self, asked: Mapping[str, Any], prefix: str) -> list[Stream]:
        """The streams of the group by name; raises ResourceNotFoundException as AWS does before the first one."""
        group = asked["logGroupName"]
        streams = sorted(self._streams.of(group, prefix), key=lambda stream: stream.name)
        if not streams and group not in dict(self._streams.groups()):
            raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
        return streams


def _within(time: int, asked: Mapping[str, Any]) -> bool:
    return int(asked.get("startTime") or 0) <= time < int(asked.get("endTime") or 1 << 62)


def _validated(operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """As the model has it. Raises AwsError, of the code that this service has for what it refuses."""
    shape = service_model("logs").operation_model(operation).input_shape
    try:
        members: dict[str, Any] = wire.parse(shape, dict(asked))
    except AwsError as error:
        if error.code == "ValidationException":
            raise AwsError("InvalidParameterException", str(error)) from error
        raise
    return members


def _number(token: Any, name: str) -> int:
    if token is not None and not (isinstance(token, str) and token.isdecimal()):
        raise AwsError("InvalidParameterException", f"The specified {name} is invalid: {token!r}")
    return int(token or 0)


def _json(content: Mapping[str, Any]) -> Response:
    headers = (("Content-Type", "application/x-amz-json-1.1"),)
    return Response(status=200, body=json.dumps(content).encode(), headers=headers)

"""Lambda's API: the REST protocol of botocore's model, and invocations.

Source: AWS Lambda API reference; the paths, members, limits and status codes are the model's.
"""

from __future__ import annotations

import base64
import json
import re
import traceback
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from trainyard.errors import AlreadyExists, Conflict, DiskFull, NotFound, StoreBusy, UserError
from trainyard.execution import functions
from trainyard.execution.invocation import Invocation
from trainyard.execution.request import StopSignal
from trainyard.local_aws import wire
from trainyard.local_aws.context import Context
from trainyard.local_aws.json_api import service_model
from trainyard.local_aws.lambda_functions import OPERATIONS, download
from trainyard.local_aws.messages import AwsError, Request, Response

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

_MAX_PAYLOAD = {"RequestResponse": 6_291_456, "Event": 1_048_576, "DryRun": 6_291_456}
_TAIL = 4096
_CODES = {
    NotFound: "ResourceNotFoundException",
    AlreadyExists: "ResourceConflictException",
    Conflict: "ResourceConflictException",
    DiskFull: "ServiceException",
    StoreBusy: "ServiceException",
}
_PLACEHOLDER = re.compile(r"\\\{(\w+)(\\\+)?\\\}")


class LambdaApi:
    """A Service. Functions run with ``endpoint_url`` as their AWS, and end when ``context.background`` closes."""

    def __init__(self, context: Context, endpoint_url: str) -> None:
        self._context = context
        self._endpoint_url = endpoint_url

    def __call__(self, request: Request) -> Response:
        try:
            if request.method == "GET" and (
                zipped := re.fullmatch(r".*/functions/([^/]+)/code", request.path)
            ):
                return self._zip(unquote(zipped[1]))
            return self._run(request)
        except AwsError as error:
            return _error(error.code, str(error), error.status)
        except UserError as error:
            code = _CODES.get(type(error), "InvalidParameterValueException")
            return _error(code, str(error), _status(code))
        except Exception:
            traceback.print_exc()
            return _error("ServiceException", "the local endpoint has a bug; its log shows where", 500)

    def _run(self, request: Request) -> Response:
        operation, labels = _find(request.method, request.path)
        name = operation.name
        if name == "Invoke":
            return self._invoke(_given(operation, labels, request, {}), request.body())
        if name not in OPERATIONS:
            raise AwsError("UnsupportedOperation", f"{name} is not supported by the local endpoint")
        given = _given(operation, labels, request, wire.load(request.body()))
        answer = OPERATIONS[name](self._context.store, given)
        if name == "GetFunction":
            arn = answer["Configuration"]["FunctionArn"]
            location = f"{self._endpoint_url}/2015-03-31/functions/{arn}/code"
            answer = {**answer, "Code": {"RepositoryType": "S3", "Location": location}}
        content = wire.serialize(operation.output_shape, answer) if operation.output_shape else None
        body = b"" if content is None else json.dumps(content).encode()
        return Response(
            status=operation.http["responseCode"], body=body, headers=(("Content-Type", "application/json"),)
        )

    def _invoke(self, given: Mapping[str, Any], payload: bytes) -> Response:
        kind = given.get("InvocationType", "RequestResponse")
        if len(payload) > _MAX_PAYLOAD[kind]:
            message = (
                f"{len(payload)} byte payload is too large for the {kind} invocation type "
                f"(limit {_MAX_PAYLOAD[kind]} bytes)"
            )
            raise AwsError("RequestTooLargeException", message, 413)
        try:
            json.loads(payload or b"{}")
        except (ValueError, RecursionError) as error:
            message = f"Could not parse request body into json: {error}"
            raise AwsError("InvalidRequestContentException", message) from error
        name, qualifier = given["FunctionName"], given.get("Qualifier", "")
        document = functions.describe(self._context.store, functions.read_reference(name, qualifier))
        version = ("X-Amz-Executed-Version", document["Version"])
        if kind == "DryRun":
            return Response(status=204)

        def invoke(stop: StopSignal = self._context.background.stop) -> Invocation:
            return functions.invoke(
                self._context.store,
                name,
                payload,
                qualifier=qualifier,
                endpoint_url=self._endpoint_url,
                stop=stop,
                client_context=given.get("ClientContext", ""),
            )

        if kind == "Event":
            self._context.background.start(f"function {document['FunctionName']}", invoke)
            return Response(status=202, headers=(version,))
        ended = invoke()
        headers = [version, ("Content-Type", "application/json"), ("x-amzn-RequestId", ended.request_id)]
        if ended.error:
            headers.append(("X-Amz-Function-Error", ended.error))
        if given.get("LogType") == "Tail":
            headers.append(("X-Amz-Log-Result", base64.b64encode(ended.log[-_TAIL:]).decode()))
        return Response(status=200, body=ended.payload, headers=tuple(headers))

    def _zip(self, function: str) -> Response:
        content = download(self._context.store, function)
        return Response(status=200, body=content, headers=(("Content-Type", "application/zip"),))


@cache
def _routes() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    model = service_model("lambda")
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = re.escape(http["requestUri"].partition("?")[0].rstrip("/"))
        pattern = _PLACEHOLDER.sub(lambda match: f"(?P<{match[1]}>[^/]+)", path)
        found.append((http["method"], re.compile(pattern), name))
    return tuple(found)


def _find(method: str, path: str) -> tuple[OperationModel, dict[str, str]]:
    """The operation, and what its path says."""
    for of_operation, pattern, name in _routes():
        if method == of_operation and (match := pattern.fullmatch(path.rstrip("/"))):
            labels = {label: unquote(value) for label, value in match.groupdict().items()}
            return service_model("lambda").operation_model(name), labels
    raise AwsError("UnknownOperationException", f"{method} {path} is no operation of Lambda", 404)


def _given(
    operation: OperationModel, labels: Mapping[str, str], request: Request, body: dict[str, Any]
) -> dict[str, Any]:
    """The operation's validated members, wherever in the request they are."""
    query = parse_qs(request.query, keep_blank_values=True)
    given = dict(body)
    for name, shape in operation.input_shape.members.items():
        place, key = shape.serialization.get("location"), shape.serialization.get("name", name)
        if place is None:
            continue
        given.pop(name, None)
        text = {
            "uri": labels.get(key),
            "querystring": query.get(key, [None])[0],
            "header": request.headers.get(key.lower()),
        }.get(place)
        if text is not None:
            given[name] = query[key] if shape.type_name == "list" else _scalar(shape, text)
    if payload := operation.input_shape.serialization.get("payload"):
        given.pop(payload, None)
    parsed: dict[str, Any] = wire.parse(operation.input_shape, given)
    return parsed


def _scalar(shape: Shape, text: str) -> Any:
    try:
        return json.loads(text) if shape.type_name in ("integer", "long", "boolean") else text
    except ValueError:
        return text  # which the model then refuses


def _status(code: str) -> int:
    shape = service_model("lambda").shape_for(code)
    return int(shape.metadata.get("error", {}).get("httpStatusCode", 400))


def _error(code: str, message: str, status: int) -> Response:
    kind = "User" if status < 500 else "Service"
    headers = (("Content-Type", "application/json"), ("x-amzn-ErrorType", code))
    return Response(
        status=status, body=json.dumps({"Type": kind, "Message": message}).encode(), headers=headers
    )

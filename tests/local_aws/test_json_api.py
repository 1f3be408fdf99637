from __future__ import annotations

import io
import json
import random
import signal
import string
from typing import Any

import pytest
from botocore.model import Shape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainyard.errors import AlreadyExists, Conflict, DiskFull, NotFound, StoreBusy, UsageError
from trainyard.execution.environments import Environments
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.targets import Targets
from trainyard.local_aws import endpoint, wire
from trainyard.local_aws.background import Background
from trainyard.local_aws.context import Context
from trainyard.local_aws.json_api import JsonApi, declared, service_model
from trainyard.local_aws.messages import AwsError, Request, Response

MODEL = service_model("sagemaker")
OPERATIONS = sorted(MODEL.operation_names)
ARN = "arn:aws:sagemaker:us-east-1:000000000000:"
PLAUSIBLE = [
    "a",
    "name-1",
    "x" * 32,
    "s3://bucket/key/",
    "s3://b/../../etc",
    "ml.m5.large",
    "image",
    "AAAA",
    "1",
]
PLAUSIBLE += ["arn:aws:iam::000000000000:role/any", "2020-01-01", "$", "sm:\\w+", ".*", "/opt/ml/code"]
PLAUSIBLE += [f"{ARN}pipeline/a/execution/abcdefghijkl", f"{ARN}training-job/a", f"{ARN}model-package/a/1"]
PLAUSIBLE += ['{"Version": "2020-12-01", "Steps": []}', "{}", '{"Steps": [{"Name": "a", "Type": "Fail"}]}']
PARTS = 'a0-_/.:{}[]"\\$\0 \n\U0001f600\u00e9'


@pytest.fixture
def context(store) -> Context:
    launcher = VenvLauncher(Environments(store.home / "venvs"), {})
    machine = Machine(store=store, launcher=launcher, targets=Targets({}, {}, store.home))
    return Context(new_machine=lambda: machine, background=Background(store))


def call(api: JsonApi, operation: str, body: bytes | dict[str, Any] = b"") -> tuple[Response, Any]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(
        method="POST",
        path="/",
        headers={"x-amz-target": f"SageMaker.{operation}"},
        stream=io.BytesIO(content),
        length=len(content),
    )
    response = api(request)
    assert isinstance(response.body, bytes)
    return response, json.loads(response.body)


def raising(error: Exception):
    def handler(context, given):
        raise error

    return handler


def test_an_operation_gets_what_was_validated_and_answers_in_its_shape(context):
    seen = []

    def describe(context, given):
        seen.append((context, given))
        return {"ModelName": given["ModelName"], "CreationTime": "1970-01-01T00:00:01Z", "Ours": 1}

    api = JsonApi("sagemaker", {"DescribeModel": describe}, context)
    response, content = call(api, "DescribeModel", {"ModelName": "m", "Stranger": 1})
    assert seen == [(context, {"ModelName": "m"})]
    assert (response.status, content) == (200, {"ModelName": "m", "CreationTime": 1.0})
    assert dict(response.headers)["Content-Type"] == "application/x-amz-json-1.1"


def test_invalid_input_never_reaches_the_operation(context):
    api = JsonApi("sagemaker", {"DescribeModel": raising(AssertionError())}, context)
    response, content = call(api, "DescribeModel", {"ModelName": "-"})
    assert (response.status, content["__type"]) == (400, "ValidationException")
    assert content["message"].startswith("1 validation error detected: Value '-' at 'modelName'")


def test_what_is_not_here_is_refused_by_name(context):
    api = JsonApi("sagemaker", {}, context)
    response, content = call(api, "CreateNotebookInstance")
    assert response.status == 400
    assert content["message"] == "CreateNotebookInstance is not supported by the local endpoint"
    assert call(api, "MakeCoffee")[1]["__type"] == "UnknownOperationException"
    feature_store = api(Request(method="GET", path="/FeatureGroup/a", stream=io.BytesIO(), length=0))
    said = json.loads(bytes(feature_store.body))["message"]
    assert said == "GET /FeatureGroup/a is not supported by the local endpoint"


@pytest.mark.parametrize(
    ("error", "operation", "code"),
    [
        (NotFound("gone"), "DescribeTrainingJob", "ResourceNotFound"),
        (NotFound("gone"), "DescribeModel", "ValidationException"),
        (AlreadyExists("taken"), "CreateTrainingJob", "ResourceInUse"),
        (AlreadyExists("taken"), "CreateModel", "ValidationException"),
        (Conflict("busy"), "UpdatePipelineExecution", "ConflictException"),
        (UsageError("wrong"), "DescribeTrainingJob", "ValidationException"),
        (AwsError("ResourceLimitExceeded", "too many"), "DescribeTrainingJob", "ResourceLimitExceeded"),
    ],
)
def test_errors_have_the_code_that_the_model_declares(context, error, operation, code):
    members = {
        "DescribeTrainingJob": {"TrainingJobName": "x"},
        "DescribeModel": {"ModelName": "x"},
        "CreateTrainingJob": {
            "TrainingJobName": "x",
            "RoleArn": "arn:aws:iam::000000000000:role/any",
            "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
        },
        "CreateModel": {"ModelName": "x"},
        "UpdatePipelineExecution": {
            "PipelineExecutionArn": "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abcdefghijkl"
        },
    }[operation]
    api = JsonApi("sagemaker", {operation: raising(error)}, context)
    response, content = call(api, operation, members)
    assert (response.status, content["__type"]) == (400, code)
    assert str(error) in content.values()


@pytest.mark.parametrize(
    ("error", "operation", "status", "code"),
    [
        (DiskFull("no space left"), "DescribeModel", 507, "ServiceException"),
        (DiskFull("no space left"), "CreateModel", 400, "ResourceLimitExceeded"),
        (StoreBusy("in use by others"), "CreateModel", 503, "ServiceUnavailable"),
    ],
)
def test_what_the_request_is_not_to_blame_for_is_said_so(context, error, operation, status, code):
    api = JsonApi("sagemaker", {operation: raising(error)}, context)
    response, content = call(api, operation, {"ModelName": "x"})
    assert (response.status, content["__type"]) == (status, code)
    assert str(error) in content.values()


def test_a_bug_is_an_internal_failure_and_in_the_log(context, capsys):
    api = JsonApi("sagemaker", {"DescribeModel": raising(ZeroDivisionError("secret"))}, context)
    response, content = call(api, "DescribeModel", {"ModelName": "m"})
    assert (response.status, content["__type"]) == (500, "InternalFailure")
    assert "secret" not in str(content)
    assert "ZeroDivisionError: secret" in capsys.readouterr().err


def test_the_model_says_which_errors_an_operation_declares():
    assert declared(MODEL.operation_model("DescribeTrainingJob")) == {"ResourceNotFound"}


def a_value(shape: Shape, rng: random.Random, depth: int, junk: float) -> Any:
    """What the shape asks for, and with the likelihood ``junk`` anything at all."""
    if rng.random() < junk:
        odd = [None, "", -1, 1e308, True, [], {}, "x" * 3000, [None], {"": None}, "../..", {"a": [1]}]
        return rng.choice(odd)
    match shape.type_name:
        case "structure":
            more = rng.choice([0, 0.1, 0.4]) if depth < 4 else 0
            chosen = [name for name in shape.members if name in shape.required_members or rng.random() < more]
            return {name: a_value(shape.members[name], rng, depth + 1, junk) for name in chosen}
        case "list":
            least = int(shape.metadata.get("min", 0))
            return [a_value(shape.member, rng, depth + 1, junk) for _ in range(rng.randint(least, least + 1))]
        case "map":
            keys = [a_text(shape.key, rng, junk) for _ in range(rng.randint(0, 2))]
            return {key: a_value(shape.value, rng, depth + 1, junk) for key in keys}
        case "string":
            return a_text(shape, rng, junk)
        case "boolean":
            return rng.random() < 0.5
    number = rng.randint(int(shape.metadata.get("min", -2)), int(shape.metadata.get("max", 2**31)))
    return {"float": number / 3, "double": number / 7, "timestamp": abs(number)}.get(shape.type_name, number)


def a_text(shape: Shape, rng: random.Random, junk: float) -> str:
    """One that the shape allows, as far as one is at hand; names come again, so that there is something to find."""
    if rng.random() < junk:
        return "".join(rng.choices(PARTS + string.ascii_letters, k=rng.randint(0, 40)))
    if allowed := shape.metadata.get("enum"):
        return rng.choice(allowed)
    fitting = [text for text in PLAUSIBLE if is_allowed(shape, text)]
    return rng.choice(fitting or ["a"])


def is_allowed(shape: Shape, text: str) -> bool:
    try:
        return wire.parse(shape, text) == text
    except AwsError:
        return False


@pytest.fixture
def api(context, namespaces) -> JsonApi:
    yield JsonApi("sagemaker", endpoint.sagemaker_operations(), context)
    context.background.close(grace=0)


@settings(
    max_examples=3000,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**64), raw=st.one_of(*[st.none()] * 9, st.binary(max_size=40)))
def test_no_request_can_break_the_operations_there_are(api, seed, raw):
    rng = random.Random(seed)
    here = sorted(api.operations)
    name = rng.choice(here if here and rng.random() < 0.9 else OPERATIONS)
    junk = rng.choice([0, 0, 0, 0.02, 0.1])
    body = raw if raw is not None else a_value(MODEL.operation_model(name).input_shape, rng, 0, junk)
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    signal.setitimer(signal.ITIMER_REAL, 10)  # whose signal ends a hang, and the test
    try:
        response, content = call(api, name, body)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert response.status in (200, 400, 404, 409), (name, body, content)
    assert response.status == 200 or content["__type"], (name, body)

"""What an EventBridge rule sends to a target, and how it gets there.

Source: Amazon EventBridge API reference, "Target" (Input, InputPath, InputTransformer, SageMakerPipelineParameters).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.moto_child import Moto

Deliver = Callable[[Mapping[str, Any], Any, Mapping[str, Any]], None]
"""Takes the target, what it gets, and the event."""

_SERVICES = ("sagemaker", "lambda", "sqs", "sns")
_PLACEHOLDER = re.compile(r"<([\w.-]+)>")


def shaped(target: Mapping[str, Any], event: Mapping[str, Any]) -> Any:
    """What the target gets of an event: all of it, a part, a text of its own, or a template filled in."""
    if target.get("Input"):
        return json.loads(target["Input"])
    if target.get("InputPath"):
        return at(event, target["InputPath"])
    transformer = target.get("InputTransformer")
    if not transformer:
        return event
    values = {name: at(event, path) for name, path in transformer.get("InputPathsMap", {}).items()}
    template = transformer["InputTemplate"]

    def fill(match: re.Match[str]) -> str:
        value = values.get(match[1])
        inside_text = template[: match.start()].replace('\\"', "").count('"') % 2 == 1
        if not inside_text:
            return json.dumps(value)
        return json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1]

    text = _PLACEHOLDER.sub(fill, template)
    try:
        return json.loads(text)
    except ValueError:
        return text


def at(event: Any, path: str) -> Any:
    """The value at ``$.detail.name`` or ``$.list[0]``; None where there is none."""
    value = event
    for key, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", path.removeprefix("$")):
        if index:
            value = value[int(index)] if isinstance(value, list) and int(index) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, Mapping) else None
    return value


def service_of(arn: str) -> str:
    """Which of AWS's services a target belongs to, as its ARN says."""
    return arn.split(":")[2] if arn.count(":") >= 5 else ""


def check(request: Mapping[str, Any]) -> None:
    """Raises AwsError for targets of PutTargets that ``deliverer`` brings nothing to."""
    targets = request.get("Targets")
    for target in targets if isinstance(targets, list) else ():
        arn = target.get("Arn") if isinstance(target, dict) else None
        if isinstance(arn, str) and service_of(arn) not in _SERVICES:
            raise AwsError(
                "ValidationException",
                f"target {arn!r} would get no events here; possible: pipelines of SageMaker, Lambda functions, "
                "SQS queues, SNS topics",
            )


def deliverer(
    moto: Moto,
    start_pipeline: Callable[[str, dict[str, str]], None],
    invoke_function: Callable[[str, bytes], None],
) -> Deliver:
    """Deliver to pipelines and functions by ARN, and to queues and topics through moto."""

    def deliver(target: Mapping[str, Any], content: Any, event: Mapping[str, Any]) -> None:
        arn = str(target["Arn"])
        text = content if isinstance(content, str) else json.dumps(content)
        match service_of(arn):
            case "sagemaker":
                start_pipeline(arn, parameters(target, event))
            case "lambda":
                invoke_function(arn, json.dumps(content).encode())
            case "sqs":
                queue = arn.rpartition(":")[2]
                found = moto.call_json("sqs", "AmazonSQS.GetQueueUrl", {"QueueName": queue})
                message = {"QueueUrl": found["QueueUrl"], "MessageBody": text}
                moto.call_json("sqs", "AmazonSQS.SendMessage", message)
            case "sns":
                moto.call_query("sns", Action="Publish", Version="2010-03-31", TopicArn=arn, Message=text)
            case _:
                raise AwsError("ValidationException", "targets of this kind get no events here")

    return deliver


def parameters(target: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, str]:
    """SageMakerPipelineParameters; a value such as ``$.detail.ModelPackageArn`` is taken from the event."""
    listed = target.get("SageMakerPipelineParameters", {}).get("PipelineParameterList", [])
    found = {}
    for one in listed:
        value = at(event, one["Value"]) if str(one["Value"]).startswith("$.") else one["Value"]
        found[str(one["Name"])] = value if isinstance(value, str) else json.dumps(value)
    return found

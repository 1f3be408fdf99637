"""Models: the containers and artifacts that endpoints and transform jobs serve."""

from __future__ import annotations

from typing import Any

from trainyard.definition.runnable import check_arguments
from trainyard.errors import AlreadyExists, NotFound
from trainyard.execution.request import ARN
from trainyard.execution.steps import model
from trainyard.local_aws.context import Context, Handler
from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.sagemaker import tags
from trainyard.local_aws.sagemaker.listing import page

_KIND = "model"


def create(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    name = request["ModelName"]
    arn = f"{ARN}:{_KIND}/{name}"
    tags.check(request)
    if bool(request.get("PrimaryContainer")) == bool(request.get("Containers")):
        raise AwsError("ValidationException", "Exactly one of PrimaryContainer and Containers must be given.")
    model.check_data(context.store, request)
    arguments = {member: value for member, value in request.items() if member != "Tags"}
    check_arguments(name, arguments, model.RULES)
    try:
        context.store.resources.add(_KIND, name, model.describe(arguments, name))
    except AlreadyExists as error:
        raise AwsError("ValidationException", f'Cannot create already existing model "{arn}".') from error
    tags.keep(context.store, arn, request)
    return {"ModelArn": arn}


def describe(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return context.store.resources.get(_KIND, request["ModelName"])
    except NotFound as error:
        raise _missing(request["ModelName"]) from error


def delete(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    try:
        context.store.resources.remove(_KIND, request["ModelName"])
    except NotFound as error:
        raise _missing(request["ModelName"]) from error
    tags.forget(context.store, f"{ARN}:{_KIND}/{request['ModelName']}")
    return {}


def list_all(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    return page(
        request,
        context.store.resources.all(_KIND),
        summary=lambda document: document,
        sort_keys={"Name": "ModelName", "CreationTime": "CreationTime"},
        default_sort="CreationTime",
        name="ModelName",
        key="Models",
        order="Descending",
    )


def _missing(name: str) -> AwsError:
    return AwsError("ValidationException", f'Could not find model "{ARN}:{_KIND}/{name}".')


OPERATIONS: dict[str, Handler] = {
    "CreateModel": create,
    "DescribeModel": describe,
    "DeleteModel": delete,
    "ListModels": list_all,
}

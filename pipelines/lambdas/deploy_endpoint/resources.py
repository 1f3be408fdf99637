"""Models, configurations and endpoints of SageMaker: looked up, made where they are not there, and cleaned up."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError
from wanted import Wanted

MOST_DELETED = 20  # configurations, and models, in one call
UNUSED_SECONDS = 3600.0  # another function may just have made it, or be about to use it again


@cache
def client() -> Any:
    return boto3.client("sagemaker")


def describe(endpoint: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client().describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if "could not find" in str(error).lower():
            return None
        raise
    return found


def describe_config(name: str) -> dict[str, Any]:
    """Empty where it has been deleted: endpoints that have been made of it go on."""
    try:
        found: dict[str, Any] = client().describe_endpoint_config(EndpointConfigName=name)
    except ClientError as error:
        if "could not find" in str(error).lower():
            return {}
        raise
    return found


def config_of(found: Mapping[str, Any]) -> str:
    """The name of the configuration that an endpoint has, or is to get when what is under way is done."""
    return str(found.get("PendingDeploymentSummary", found)["EndpointConfigName"])


def shares(found: Mapping[str, Any]) -> dict[str, float]:
    """The part of the requests that each variant gets, or is to get when what is under way is done."""
    if pending := found.get("PendingDeploymentSummary"):
        variants = describe_config(pending["EndpointConfigName"]).get("ProductionVariants", [])
        weights = {each["VariantName"]: each["InitialVariantWeight"] for each in variants}
    else:
        variants = found.get("ProductionVariants", [])
        weights = {each["VariantName"]: each.get("DesiredWeight", each["CurrentWeight"]) for each in variants}
    whole = sum(weights.values()) or 1.0
    return {name: weight / whole for name, weight in weights.items()}


def is_there(wanted: Wanted, now: Mapping[str, float]) -> bool:
    """Alone it has all traffic, whatever its share was to be."""
    name = wanted.variant["VariantName"]
    return name in now and (len(now) == 1 or (wanted.traffic < 1 and abs(now[name] - wanted.traffic) < 1e-3))


def keep_config(wanted: Wanted, kept: Mapping[str, Any], variants: list[dict[str, Any]]) -> str:
    """The name of the configuration that says this, made, with the wanted model, where it is not there."""
    request = {**kept, "ProductionVariants": variants}
    name = wanted.own_name(json.dumps(request, sort_keys=True))
    container = {"ModelPackageName": wanted.package}
    made(
        client().create_model,
        ModelName=wanted.model,
        PrimaryContainer=container,
        ExecutionRoleArn=wanted.role,
        Tags=wanted.tags,
    )
    made(client().create_endpoint_config, EndpointConfigName=name, **request, Tags=wanted.tags)
    return name


def made(make: Any, **request: Any) -> None:
    try:
        make(**request)
    except ClientError as error:
        if "already exist" not in str(error):
            raise


def is_own(wanted: Wanted, arn: str) -> bool:
    return any(tag in wanted.tags for tag in client().list_tags(ResourceArn=arn)["Tags"])


def clean_up(wanted: Wanted, *used: str) -> None:
    """Delete what this function made for the endpoint and nothing uses, the oldest first."""
    sagemaker, young = client(), time.time() - UNUSED_SECONDS
    asked = {
        "NameContains": wanted.prefix,
        "SortBy": "CreationTime",
        "SortOrder": "Ascending",
        "MaxResults": 100,
    }
    own = re.compile(rf"{re.escape(wanted.prefix)}[0-9a-f]{{12}}")

    def unused(listed: list[dict[str, Any]], kind: str, known: set[str]) -> list[str]:
        names = [
            each[f"{kind}Name"]
            for each in listed
            if each["CreationTime"].timestamp() < young and each[f"{kind}Name"] not in known
            if own.fullmatch(each[f"{kind}Name"]) and is_own(wanted, each[f"{kind}Arn"])
        ]
        return names[:MOST_DELETED]

    configs = sagemaker.list_endpoint_configs(**asked)["EndpointConfigs"]
    gone = unused(configs, "EndpointConfig", set(used))
    for name in gone:
        sagemaker.delete_endpoint_config(EndpointConfigName=name)
    left = {*used, *(each["EndpointConfigName"] for each in configs)} - set(gone)
    serving = {
        each["ModelName"] for name in left for each in describe_config(name).get("ProductionVariants", [])
    }
    models = unused(sagemaker.list_models(**asked)["Models"], "Model", serving)
    for name in models:
        sagemaker.delete_model(ModelName=name)
    if gone or models:
        print(f"deleted, as nothing uses them: {', '.join([*gone, *models])}")

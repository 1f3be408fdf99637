"""Serve a version of a model package group at an endpoint, which is created, or changed while it answers.

What is made is named after what it is: a model after the package and the role, a variant after these and its
instances, an endpoint configuration after all that it says. So the same event again changes nothing, also after a
function that was killed at any point, and of two that run at once one makes what the other finds.

An endpoint that is not there is created, and has the variant alone. One that is InService gets the variant, which
takes the share ``traffic`` of the requests; what served before keeps the rest in the proportions it has, or goes
where the share is 1. While it is being changed to something else (Creating, Updating, SystemUpdating, RollingBack,
Deleting), the function waits, and says so when its time is over. A Failed one that this function made is deleted
and created anew. Any other, and UpdateRollbackFailed and OutOfService, are for people: they are refused.

RetainAllVariantProperties is not asked for: it would put the old weights in place of the new. Configurations and
models that this function made for the endpoint (by name and tag) and that nothing has used for an hour are deleted.

Permissions: sagemaker:DescribeModelPackage; CreateModel, ListModels, DeleteModel; CreateEndpointConfig,
DescribeEndpointConfig, ListEndpointConfigs, DeleteEndpointConfig; CreateEndpoint, DescribeEndpoint, UpdateEndpoint,
UpdateEndpointWeightsAndCapacities, DeleteEndpoint; AddTags, ListTags; and iam:PassRole on the role of the event.
Timeout: two minutes (a Lambda step waits for ten at most); with ``wait``, as long as the endpoint takes.

Sources: Amazon SageMaker API reference, "UpdateEndpoint", "DescribeEndpoint" (EndpointStatus), "EndpointConfig".
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError
from resources import (
    clean_up,
    client,
    config_of,
    describe,
    describe_config,
    is_own,
    is_there,
    keep_config,
    shares,
)
from wanted import Wanted, read

CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack")
MOST_VARIANTS = 10  # of an endpoint: CreateEndpointConfig
MARGIN = 10.0  # seconds before Lambda's end at which it stops waiting
MOST_RACES = 5
KEPT = (
    "DataCaptureConfig",
    "ExecutionRoleArn",
    "KmsKeyId",
    "EnableNetworkIsolation",
    "VpcConfig",
    "MetricsConfig",
)
"""Members of the endpoint's configuration that the next one has as well."""
_RACES = re.compile(r"already exist|in-progress|could not find", re.IGNORECASE)
Event = Mapping[str, Any]


def lambda_handler(event: Event, context: Any) -> dict[str, Any]:
    """``endpoint_name``, ``model_package_arn``, ``instance_type``, ``role``; optional are the others.

    ``instance_count`` is 1, ``traffic`` is 1, and ``wait``, how many seconds to wait for InService, is 0. The answer
    is the endpoint as it is then, and whether it was Changed.
    """
    wanted = read(event)
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - MARGIN
    check_approved(wanted.package)
    changed = deploy(wanted, deadline)
    found = settled(wanted, min(deadline, time.monotonic() + wanted.wait))
    print(f"endpoint {wanted.endpoint} {'changed' if changed else 'unchanged'}: {found['EndpointStatus']}")
    return {
        "EndpointName": wanted.endpoint,
        "EndpointArn": found["EndpointArn"],
        "EndpointConfigName": config_of(found),
        "Status": found["EndpointStatus"],
        "Changed": changed,
    }


def check_approved(package: str) -> None:
    status = client().describe_model_package(ModelPackageName=package).get("ModelApprovalStatus")
    if status != "Approved":
        raise ValueError(
            f"model package {package} is {status}; only an Approved one is deployed: approve it first"
        )


def deploy(wanted: Wanted, deadline: float) -> bool:
    """Have the endpoint changed to what is wanted, unless it is so, or on its way; whether it was."""
    races, pause = 0, 0.2
    while True:
        found = describe(wanted.endpoint)
        status = found["EndpointStatus"] if found else ""
        try:
            if found is None:
                create(wanted)
                return True
            if status == "InService":
                return change(wanted, found)
            if status in ("Creating", "Updating") and is_there(wanted, shares(found)):
                return False
            if status == "Failed":
                delete_own(wanted, found)
            elif status not in (*CHANGING, "Deleting"):
                raise RuntimeError(
                    f"endpoint {wanted.endpoint} is {status}: {reason(found)}; mend or delete it first"
                )
        except ClientError as error:
            races += 1
            if races > MOST_RACES or not _RACES.search(str(error)):
                raise
        if time.monotonic() + pause > deadline:
            raise TimeoutError(
                f"endpoint {wanted.endpoint} is {status} still; deploy again when it is InService"
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 10.0)


def create(wanted: Wanted) -> None:
    config = keep_config(wanted, {}, [{**wanted.variant, "InitialVariantWeight": 1.0}])
    client().create_endpoint(EndpointName=wanted.endpoint, EndpointConfigName=config, Tags=wanted.tags)


def change(wanted: Wanted, found: Mapping[str, Any]) -> bool:
    """An endpoint that is InService: new weights where the variants stay the same, else a new configuration."""
    now = shares(found)
    if is_there(wanted, now):
        clean_up(wanted, found["EndpointConfigName"])
        return False
    base = describe_config(found["EndpointConfigName"])
    old = others(wanted, found, base, now)
    new = {**wanted.variant, "InitialVariantWeight": wanted.traffic if old else 1.0}
    variants = [*old, new]
    if {each["VariantName"] for each in variants} == now.keys():
        weights = [
            {"VariantName": each["VariantName"], "DesiredWeight": each["InitialVariantWeight"]}
            for each in variants
        ]
        client().update_endpoint_weights_and_capacities(
            EndpointName=wanted.endpoint, DesiredWeightsAndCapacities=weights
        )
        return True
    config = keep_config(wanted, {name: base[name] for name in KEPT if base.get(name)}, variants)
    client().update_endpoint(EndpointName=wanted.endpoint, EndpointConfigName=config)
    clean_up(wanted, found["EndpointConfigName"], config)
    return True


def others(
    wanted: Wanted, found: Mapping[str, Any], base: Mapping[str, Any], now: Mapping[str, float]
) -> list[dict[str, Any]]:
    """The variants that stay beside the wanted one, with as many instances as they have; the busiest if too many."""
    staying = [name for name in now if name != wanted.variant["VariantName"]]
    if wanted.traffic == 1 or not staying:
        return []
    if not base:
        raise RuntimeError(
            f"the configuration {found['EndpointConfigName']} of endpoint {wanted.endpoint} is deleted, so its "
            "variants cannot stay; deploy with traffic 1"
        )
    staying = sorted(staying, key=lambda name: -now[name])[: MOST_VARIANTS - 1]
    whole = sum(now[name] for name in staying) or 1.0
    counts = {each["VariantName"]: each.get("DesiredInstanceCount") for each in found["ProductionVariants"]}
    kept = []
    for each in base["ProductionVariants"]:
        name = each["VariantName"]
        if name in staying:
            weight = round((1 - wanted.traffic) * now[name] / whole, 4)
            count = {"InitialInstanceCount": counts[name]} if counts[name] else {}
            kept.append({**each, **count, "InitialVariantWeight": weight})
    return kept


def delete_own(wanted: Wanted, found: Mapping[str, Any]) -> None:
    if not is_own(wanted, found["EndpointArn"]):
        raise RuntimeError(
            f"endpoint {wanted.endpoint} is Failed, and was not made here: {reason(found)}; delete it first"
        )
    client().delete_endpoint(EndpointName=wanted.endpoint)


def settled(wanted: Wanted, deadline: float) -> dict[str, Any]:
    """The endpoint when its change is over, or at the deadline. Raises RuntimeError where the change has failed."""
    pause = 0.1
    while True:
        found = describe(wanted.endpoint)
        if found is None:
            raise RuntimeError(f"endpoint {wanted.endpoint} was deleted meanwhile")
        if found["EndpointStatus"] not in CHANGING:
            if found["EndpointStatus"] == "InService" and is_there(wanted, shares(found)):
                return found
            if found["EndpointStatus"] == "InService":
                raise RuntimeError(
                    f"endpoint {wanted.endpoint} serves something else: {reason(found, 'it was deployed meanwhile')}"
                )
            raise RuntimeError(f"endpoint {wanted.endpoint} is {found['EndpointStatus']}: {reason(found)}")
        if time.monotonic() > deadline:
            return found
        time.sleep(pause)
        pause = min(pause * 1.5, 10.0)


def reason(found: Mapping[str, Any], other: str = "no reason is given") -> str:
    return str(found.get("FailureReason") or other)

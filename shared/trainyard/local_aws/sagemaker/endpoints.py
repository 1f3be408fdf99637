"""Endpoint configs and endpoints."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from trainyard.errors import Conflict, NotFound, Unsupported
from trainyard.execution.endpoint_records import CHANGING, KIND, described
from trainyard.execution.hosts import Hosts
from trainyard.execution.request import ARN
from trainyard.execution.steps import endpoint_config
from trainyard.local_aws.context import Context, Handler
from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.sagemaker import tags
from trainyard.local_aws.sagemaker.listing import page

DEPLOYMENT = "deploy endpoint "
"""What the names of deployments in the background begin with."""
_EVENT = "SageMaker Endpoint State Change"


def create_config(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    tags.check(request)
    document = endpoint_config.create(context.store, request["EndpointConfigName"], request)
    tags.keep(context.store, document["EndpointConfigArn"], request)
    return document


def describe_config(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    name = request["EndpointConfigName"]
    document = context.store.resources.find(endpoint_config.KIND, name)
    if document is None:
        raise _no_config(name)
    return document


def delete_config(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Endpoints that have been made of it go on."""
    name = request["EndpointConfigName"]
    try:
        context.store.resources.remove(endpoint_config.KIND, name)
    except NotFound:
        raise _no_config(name) from None
    tags.forget(context.store, f"{ARN}:{endpoint_config.KIND}/{name}")
    return {}


def list_configs(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    return page(
        request,
        context.store.resources.all(endpoint_config.KIND),
        summary=dict,
        sort_keys={"Name": "EndpointConfigName", "CreationTime": "CreationTime"},
        default_sort="CreationTime",
        name="EndpointConfigName",
        key="EndpointConfigs",
        order="Descending",
    )


def create(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    tags.check(request)
    name, hosts = request["EndpointName"], _hosts(context)
    work = hosts.create(name, request["EndpointConfigName"], _last_deployment(request))
    tags.keep(context.store, f"{ARN}:{KIND}/{name}", request)
    return _changing(context, hosts, name, work)


def update(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    name, hosts = request["EndpointName"], _hosts(context)
    keep: frozenset[str] = frozenset()
    if request.get("RetainAllVariantProperties"):
        every = {"DesiredInstanceCount", "DesiredWeight", "DataCaptureConfig"}
        excluded = request.get("ExcludeRetainedVariantProperties") or ()
        keep = frozenset(every - {each["VariantPropertyType"] for each in excluded})
    work = hosts.update(name, request["EndpointConfigName"], keep, _last_deployment(request))
    return _changing(context, hosts, name, work)


def update_weights(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    name = request["EndpointName"]
    desired: dict[str, Mapping[str, Any]] = {}
    for each in request["DesiredWeightsAndCapacities"]:
        if each["VariantName"] in desired:
            raise AwsError(
                "ValidationException",
                f"DesiredWeightsAndCapacities names the variant {each['VariantName']!r} twice; name it once",
            )
        desired[each["VariantName"]] = each
    hosts = _hosts(context)
    hosts.share(name, desired)
    _announce(context, hosts, name)
    return {"EndpointArn": f"{ARN}:{KIND}/{name}"}


def delete(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    """Raises Conflict, as AWS does, while the endpoint is being created, updated or deleted."""
    name, hosts = request["EndpointName"], _hosts(context)
    if hosts.records.get(name)["EndpointStatus"] in (*CHANGING, "Deleting"):
        raise Conflict(f'Cannot update in-progress endpoint "{ARN}:{KIND}/{name}".')
    work = hosts.delete(name)
    tags.forget(context.store, f"{ARN}:{KIND}/{name}")
    _announce(context, hosts, name)
    context.background.start(f"delete endpoint {name}", work)
    return {}


def describe(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    return described(_hosts(context).records.get(request["EndpointName"]))


def list_all(context: Context, request: dict[str, Any]) -> Mapping[str, Any]:
    return page(
        request,
        context.store.resources.all(KIND),
        summary=dict,
        sort_keys={"Name": "EndpointName", "CreationTime": "CreationTime", "Status": "EndpointStatus"},
        default_sort="CreationTime",
        status="EndpointStatus",
        name="EndpointName",
        key="Endpoints",
        order="Descending",
    )


OPERATIONS: dict[str, Handler] = {
    "CreateEndpointConfig": create_config,
    "DescribeEndpointConfig": describe_config,
    "DeleteEndpointConfig": delete_config,
    "ListEndpointConfigs": list_configs,
    "CreateEndpoint": create,
    "UpdateEndpoint": update,
    "UpdateEndpointWeightsAndCapacities": update_weights,
    "DeleteEndpoint": delete,
    "DescribeEndpoint": describe,
    "ListEndpoints": list_all,
}


def _changing(context: Context, hosts: Hosts, name: str, work: Callable[[], str]) -> Mapping[str, Any]:
    """Deploy in the background."""
    arn = f"{ARN}:{KIND}/{name}"
    _announce(context, hosts, name)

    def deploy() -> None:
        work()
        _announce(context, hosts, name)

    context.background.start(f"{DEPLOYMENT}{name}", deploy, lambda: hosts.cancel(name))
    return {"EndpointArn": arn}


def _announce(context: Context, hosts: Hosts, name: str) -> None:
    """Tell EventBridge of the endpoint's status; an endpoint that is gone has been told of before."""
    with suppress(NotFound):
        document = described(hosts.records.get(name))
        status = re.sub(
            "(?<=[a-z])(?=[A-Z])", "_", document["EndpointStatus"]
        ).upper()  # IN_SERVICE, in events
        context.emit(_EVENT, {**document, "EndpointStatus": status})


def _hosts(context: Context) -> Hosts:
    hosts = context.new_machine().hosts
    if hosts is None:
        raise Unsupported("this process serves no endpoints")
    return hosts


def _last_deployment(request: Mapping[str, Any]) -> dict[str, Any]:
    """Traffic goes over at once, whatever the DeploymentConfig says; Describe shows it."""
    given = request.get("DeploymentConfig")
    return {"LastDeploymentConfig": given} if given else {}


def _no_config(name: str) -> NotFound:
    return NotFound(f'Could not find endpoint configuration "{ARN}:{endpoint_config.KIND}/{name}".')

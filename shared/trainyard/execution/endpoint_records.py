"""Endpoints as resources: what their documents say of them, and which changes are possible when.

A document holds, beside what DescribeEndpoint answers, all that the endpoint's containers are made of
(``Deployment``), so that it can be served again when its config and models are gone, and while it changes what
it is to become (``Pending``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from trainyard.errors import AlreadyExists, Conflict, NotFound, StoreError
from trainyard.execution.request import ARN
from trainyard.execution.resources import Document
from trainyard.execution.serving import containers_of, find_model
from trainyard.execution.store import Store

KIND = "endpoint"
CHANGING = ("Creating", "Updating")
SERVING = ("InService", "Updating")
_DIED = "InternalServerError: the process that deployed it died"
_REASON_LENGTH = 1024


class EndpointRecords:
    """The endpoints of a store. Where a method raises, nothing has changed; NotFound is for the endpoint."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, name: str) -> Document:
        document = self._store.resources.find(KIND, name)
        if document is None:
            raise NotFound(f'Could not find endpoint "{_arn(KIND, name)}".')
        return document

    def create(self, name: str, config: str, more: Mapping[str, Any]) -> None:
        """Raises NotFound for the config or one of its models, or AlreadyExists."""
        now = time.time()
        begun = {
            **more,
            "EndpointName": name,
            "EndpointArn": _arn(KIND, name),
            "EndpointConfigName": config,
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
            "Pending": planned(self._store, config),
        }
        try:
            self._store.resources.add(KIND, name, begun)
        except AlreadyExists:
            raise AlreadyExists(f'Cannot create already existing endpoint "{_arn(KIND, name)}".') from None

    def update(self, name: str, config: str, keep: frozenset[str], more: Mapping[str, Any]) -> None:
        """``keep``: what variants that stay keep (VariantPropertyType). Raises Conflict when it is not InService."""
        plan = planned(self._store, config)

        def begin(document: Document) -> Document:
            _check_in_service(document)
            return {
                **document,
                **more,
                "EndpointStatus": "Updating",
                "Pending": _retaining(plan, document, keep),
            }

        self._change(name, begin)

    def share(self, name: str, desired: Mapping[str, Mapping[str, Any]]) -> Document:
        """Set DesiredWeight and DesiredInstanceCount by variant. Raises NotFound for one, Conflict as ``update``."""

        def shared(document: Document) -> Document:
            _check_in_service(document)
            variants = document["ProductionVariants"]
            own = [each["VariantName"] for each in variants]
            if unknown := [each for each in desired if each not in own]:
                raise NotFound(
                    f'The variant name(s) "{", ".join(unknown)}" is/are not present within endpoint configuration '
                    f'"{document["EndpointConfigName"]}"; it has {", ".join(own)}.'
                )
            changed = [_with(each, desired.get(each["VariantName"], {})) for each in variants]
            return {**document, "ProductionVariants": changed}

        return self._change(name, shared)

    def serve(self, name: str, pending: Mapping[str, Any]) -> None:
        """What was pending serves. Raises Conflict where nothing is under way any more: it is being deleted."""

        def begin(document: Document) -> Document:
            if document["EndpointStatus"] not in CHANGING:
                raise Conflict(f"endpoint {name} is {document['EndpointStatus']}")
            kept = {key: value for key, value in document.items() if key not in _TRANSIENT}
            return {**kept, **pending, "EndpointStatus": "InService"}

        self._change(name, begin)

    def give_up(self, name: str, reason: str) -> None:
        """What was pending failed; an endpoint that served goes on as it was."""

        def end(document: Document) -> Document:
            if document["EndpointStatus"] not in CHANGING:
                return document
            kept = {key: value for key, value in document.items() if key not in _TRANSIENT}
            status = "InService" if document["EndpointStatus"] == "Updating" else "Failed"
            return {**kept, "EndpointStatus": status, "FailureReason": reason[:_REASON_LENGTH]}

        with suppress(NotFound):
            self._change(name, end)

    def delete(self, name: str) -> None:
        """It is being deleted, until ``remove``."""
        self._change(name, lambda document: {**document, "EndpointStatus": "Deleting"})

    def remove(self, name: str) -> None:
        with suppress(NotFound):
            self._store.resources.remove(KIND, name)

    def recover(self) -> None:
        """Judge the endpoints that are being changed and whose process died."""
        for document in self._store.resources.all(KIND):
            name = document["EndpointName"]
            if document["EndpointStatus"] in (*CHANGING, "Deleting"):
                with suppress(StoreError), self._store.living(name, LOCK):
                    self.give_up(name, _DIED)
                    if document["EndpointStatus"] == "Deleting":
                        self.remove(name)

    def _change(self, name: str, change: Callable[[Document], Document]) -> Document:
        def changed(document: Document) -> Document:
            return {**change(document), "LastModifiedTime": time.time()}

        try:
            return self._store.resources.change(KIND, name, changed)
        except NotFound:
            self.get(name)  # says it in AWS's words
            raise


LOCK = "hosted"
"""Named so, ``store.living`` is held by who deploys an endpoint."""
_TRANSIENT = ("Pending", "FailureReason")


def planned(store: Store, config: str) -> dict[str, Any]:
    """What an endpoint's document says once the config is deployed. Raises NotFound for it, a model or a package."""
    found = store.resources.find("endpoint-config", config)
    if found is None:
        raise NotFound(f'Could not find endpoint configuration "{_arn("endpoint-config", config)}".')
    plans, shown = [], []
    for variant in found["ProductionVariants"]:
        model = find_model(store, variant["ModelName"])
        containers = containers_of(model, store.registry)
        plans.append(
            {
                "VariantName": variant["VariantName"],
                "ModelName": variant["ModelName"],
                "Containers": containers,
                "Mode": (model.get("InferenceExecutionConfig") or {}).get("Mode", "Serial"),
                "StartSeconds": variant.get("ContainerStartupHealthCheckTimeoutInSeconds"),
            }
        )
        shown.append(_summary(variant, containers))
    capture = found.get("DataCaptureConfig")
    plan: dict[str, Any] = {"ProductionVariants": plans, "DataCaptureConfig": capture}
    return {"EndpointConfigName": config, "Deployment": plan, "ProductionVariants": shown}


def weights(document: Mapping[str, Any]) -> dict[str, float]:
    """The traffic's share by variant; those of all variants need not be 1 together."""
    return {each["VariantName"]: each["CurrentWeight"] for each in document["ProductionVariants"]}


def _summary(variant: Mapping[str, Any], containers: list[dict[str, Any]]) -> dict[str, Any]:
    weight, count = float(variant.get("InitialVariantWeight", 1.0)), variant.get("InitialInstanceCount")
    images = [each["Image"] for each in containers if "Image" in each]
    now = time.time()
    deployed = [{"SpecifiedImage": each, "ResolvedImage": each, "ResolutionTime": now} for each in images]
    shown = {"VariantName": variant["VariantName"], "DeployedImages": deployed}
    if serverless := variant.get("ServerlessConfig"):
        shown["CurrentServerlessConfig"] = serverless
        return shown | {"CurrentWeight": weight, "DesiredWeight": weight, "CurrentInstanceCount": 0}
    return _with(shown, {"DesiredWeight": weight, "DesiredInstanceCount": 1 if count is None else count})


def _with(variant: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    """One container stands for any number of instances; what is desired is there at once."""
    changed = dict(variant)
    for what in ("Weight", "InstanceCount"):
        if desired.get(f"Desired{what}") is not None:
            changed |= {
                f"Desired{what}": desired[f"Desired{what}"],
                f"Current{what}": desired[f"Desired{what}"],
            }
    return changed


def _retaining(plan: dict[str, Any], document: Mapping[str, Any], keep: frozenset[str]) -> dict[str, Any]:
    before = {each["VariantName"]: each for each in document["ProductionVariants"]}
    kept = [name for name in ("DesiredWeight", "DesiredInstanceCount") if name in keep]
    variants = []
    for each in plan["ProductionVariants"]:
        old = before.get(each["VariantName"], {})
        variants.append(_with(each, {name: old[name] for name in kept if name in old}))
    plan = {**plan, "ProductionVariants": variants}
    if "DataCaptureConfig" in keep:
        capture = document["Deployment"]["DataCaptureConfig"]
        plan["Deployment"] = {**plan["Deployment"], "DataCaptureConfig": capture}
    return plan


def described(document: Mapping[str, Any]) -> dict[str, Any]:
    """What DescribeEndpoint answers."""
    shown = {key: value for key, value in document.items() if key not in ("Deployment", "Pending")}
    if capture := document.get("Deployment", {}).get("DataCaptureConfig"):
        shown["DataCaptureConfig"] = _capture_summary(capture)
    if pending := document.get("Pending"):
        shown["PendingDeploymentSummary"] = {
            "EndpointConfigName": pending["EndpointConfigName"],
            "ProductionVariants": pending["ProductionVariants"],
            "StartTime": document["LastModifiedTime"],
        }
    return shown


def _capture_summary(capture: Mapping[str, Any]) -> dict[str, Any]:
    enabled = bool(capture.get("EnableCapture", True))
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
        "DestinationS3Uri": capture["DestinationS3Uri"],
        "KmsKeyId": capture.get("KmsKeyId", ""),
    }


def _check_in_service(document: Mapping[str, Any]) -> None:
    status, arn = document["EndpointStatus"], document["EndpointArn"]
    if status in CHANGING:
        raise Conflict(f'Cannot update in-progress endpoint "{arn}".')
    if status != "InService":
        raise Conflict(f'Cannot update endpoint "{arn}": it is {status}; delete it, and create it anew.')


def _arn(kind: str, name: str) -> str:
    return f"{ARN}:{kind}/{name}"

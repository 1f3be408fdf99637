"""EndpointConfig steps: CreateEndpointConfig's request to DescribeEndpointConfig's answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from trainyard.definition.runnable import FieldRules, check_arguments
from trainyard.definition.steps import Step
from trainyard.errors import AlreadyExists, DefinitionError
from trainyard.execution import jobs
from trainyard.execution.request import ARN
from trainyard.execution.resources import Document
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.s3 import parse_uri
from trainyard.execution.serving import find_model
from trainyard.execution.steps.job import need
from trainyard.execution.store import Store

KIND = "endpoint-config"

_VARIANT = "ProductionVariants."
RULES = FieldRules(
    honoured=frozenset(
        {
            "EndpointConfigName",
            "DataCaptureConfig.EnableCapture",
            "DataCaptureConfig.InitialSamplingPercentage",
            "DataCaptureConfig.DestinationS3Uri",
            "DataCaptureConfig.CaptureOptions.CaptureMode",
            "DataCaptureConfig.CaptureContentTypeHeader",
            *(
                _VARIANT + name
                for name in (
                    "VariantName",
                    "ModelName",
                    "InitialVariantWeight",
                    "InitialInstanceCount",
                    "ContainerStartupHealthCheckTimeoutInSeconds",
                )
            ),
        }
    ),
    without_effect=frozenset(
        {
            "Tags",
            "KmsKeyId",
            "DataCaptureConfig.KmsKeyId",
            "ExecutionRoleArn",
            "VpcConfig",
            "EnableNetworkIsolation",
            "MetricsConfig",
            *(
                _VARIANT + name
                for name in (
                    "InstanceType",
                    "AcceleratorType",
                    "CapacityReservationConfig",
                    "CoreDumpConfig",
                    "EnableSSMAccess",
                    "InferenceAmiVersion",
                    "ManagedInstanceScaling",
                    "ModelDataDownloadTimeoutInSeconds",
                    "RoutingConfig",
                    "ServerlessConfig",
                    "VolumeSizeInGB",
                )
            ),
        }
    ),
    values={"DataCaptureConfig.CaptureOptions.CaptureMode": ("Input", "Output", "InputAndOutput")},
)


def create(store: Store, name: str, request: Mapping[str, Any]) -> Document:
    """Record an endpoint config, or raise Unsupported, DefinitionError, NotFound or AlreadyExists."""
    check_arguments(name, request, RULES)
    variants = need(name, request, "ProductionVariants")
    names = [each.get("VariantName", "") for each in variants]
    if not names or len(set(names)) < len(names) or not all(names):
        raise DefinitionError(
            f"endpoint config {name!r}: ProductionVariants need names of their own; they have {names}"
        )
    for variant in variants:
        find_model(store, need(f"{name}: variant {variant['VariantName']}", variant, "ModelName"))
    if (capture := request.get("DataCaptureConfig")) is not None:
        for member in ("InitialSamplingPercentage", "CaptureOptions"):
            need(f"{name}: DataCaptureConfig", capture, member)
        parse_uri(need(f"{name}: DataCaptureConfig", capture, "DestinationS3Uri"))
    arn = f"{ARN}:{KIND}/{name}"
    document = {
        **{key: value for key, value in request.items() if key != "Tags" and value is not None},
        "EndpointConfigName": name,
        "EndpointConfigArn": arn,
        "CreationTime": time.time(),
    }
    try:
        store.resources.add(KIND, name, document)
    except AlreadyExists:
        raise AlreadyExists(f'Cannot create already existing endpoint configuration "{arn}".') from None
    return document


def run(run: Run, step: Step) -> StepEnd:
    arguments = run.arguments(step)
    name = str(arguments.get("EndpointConfigName") or jobs.job_name(run.execution_id, step.name))
    result = create(run.store, name, arguments)
    return StepEnd(
        status="Succeeded", result=result, metadata={"EndpointConfig": {"Arn": result["EndpointConfigArn"]}}
    )

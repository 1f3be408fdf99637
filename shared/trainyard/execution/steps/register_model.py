"""RegisterModel steps: a new version in the local model registry, with the metrics that its report states."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainyard.definition.runnable import FieldRules
from trainyard.definition.steps import Step
from trainyard.errors import StoreError
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.s3 import ObjectStore, parse_uri
from trainyard.execution.steps.job import need
from trainyard.registry.packages import Registry

RULES = FieldRules(
    honoured=frozenset(
        {
            "ModelPackageGroupName",
            "ModelPackageDescription",
            "ModelApprovalStatus",
            "ModelMetrics",
            "InferenceSpecification",
            "CustomerMetadataProperties",
            "DriftCheckBaselines",
            "MetadataProperties",
            "ModelLifeCycle",
            "ModelCard",
            "Domain",
            "Task",
            "SamplePayloadUrl",
            "SkipModelValidation",
            "SourceUri",
        }
    ),
    without_effect=frozenset(
        {"Tags", "CertifyForMarketplace", "ValidationSpecification", "ModelPackageName", "ClientToken"}
    ),
)


def run(run: Run, step: Step) -> StepEnd:
    # cut off before the step is recorded, it is asked again on resume
    token = f"{run.execution_id}/{step.name}"
    result = register(step.name, run.arguments(step), run.store.objects, run.store.registry, token)
    arn = result["ModelPackageArn"]
    return StepEnd(status="Succeeded", result=result, metadata={"RegisterModel": {"Arn": arn}}, detail=arn)


def register(
    step: str, arguments: Mapping[str, Any], store: ObjectStore, registry: Registry, token: str
) -> dict[str, Any]:
    """Register a version, once for a token; the answer is DescribeModelPackage's."""
    group = str(need(step, arguments, "ModelPackageGroupName"))
    metrics = read_metrics(store, arguments.get("ModelMetrics", {}))
    arn = registry.register(group, dict(arguments), metrics, token)
    return dict(registry.describe(arn))


def read_metrics(store: ObjectStore, sources: Mapping[str, Any]) -> dict[str, float]:
    """The numbers in ModelQuality.Statistics, flat: ``regression_metrics.mae.value`` becomes ``mae``.

    Standard deviations stay in the file: versions are compared by values.
    """
    uri = sources.get("ModelQuality", {}).get("Statistics", {}).get("S3Uri")
    if not uri:
        return {}
    try:
        report = json.loads(store.read(parse_uri(uri)))
    except ValueError as error:
        raise StoreError(f"ModelMetrics.ModelQuality.Statistics: {uri} is not JSON: {error}") from error
    return dict(_numbers(report, ""))


def _numbers(value: Any, name: str) -> list[tuple[str, float]]:
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int | float):
        return [(name, float(value))]
    if not isinstance(value, Mapping):
        return []
    found: list[tuple[str, float]] = []
    for key, item in value.items():
        if key == "standard_deviation":
            continue
        inner = name if key == "value" or str(key).endswith("_metrics") else f"{name}.{key}".lstrip(".")
        found += _numbers(item, inner)
    return found

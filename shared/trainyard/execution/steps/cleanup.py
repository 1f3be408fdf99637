"""Cleanup steps: delete objects that earlier steps stored.

Source: cleanup_step.py of the SageMaker Python SDK v3, and CleanupStepMetadata of the service model. Objects of a
Training step are those that it stored; of others, each is named and must lie below an output of the step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trainyard.definition import expressions
from trainyard.definition.runnable import FieldRules
from trainyard.definition.steps import Step
from trainyard.errors import ExpressionError, StoreError, UserError
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.s3 import parse_uri
from trainyard.execution.state import Row, storable

RULES = FieldRules(honoured=frozenset({"Resources"}))


def run(run: Run, step: Step) -> StepEnd:
    cleaned: list[str] = []
    failed: list[dict[str, str]] = []
    skipped: list[str] = []
    for source in step.arguments["Resources"]["S3"]:
        name = source["StepName"]
        row = run.store.state.step(run.execution_id, run.scope().recorded(name))
        try:
            uris = _uris(run, source, row)
        except ExpressionError:
            uris = None
        if row is None or uris is None:
            skipped.append(name)
            continue
        try:
            _delete(run, row, uris)
        except UserError as error:
            message = storable(str(error))[:2048]
            failed.append({"StepName": name, "ErrorCode": "ClientError", "ErrorMessage": message})
        else:
            cleaned.append(name)
    metadata = {"CleanedSteps": cleaned, "FailedSteps": failed, "SkippedSteps": skipped}
    return StepEnd(
        status="Failed" if failed else "Succeeded",
        failure="; ".join(f"{each['StepName']}: {each['ErrorMessage']}" for each in failed),
        result=metadata,
        metadata={"Cleanup": metadata},
        detail=f"cleaned: {', '.join(cleaned) or 'nothing'}",
    )


def _uris(run: Run, source: Mapping[str, Any], row: Row | None) -> list[str] | None:
    """What to delete; None where the step has stored nothing that could be."""
    if source.get("S3Uris") is None:
        return list(row["outputs"] or {}) or None if row else None
    return [str(uri) for uri in expressions.resolve(source["S3Uris"], run.scope())]


def _delete(run: Run, row: Row, uris: Iterable[str]) -> None:
    """Nothing is deleted unless all may be."""
    stored = row["outputs"] or {}
    places = _places(row["result"] or {})
    objects = []
    for uri in uris:
        place = parse_uri(uri)
        if uri not in stored and not any(uri.startswith(f"{each.rstrip('/')}/") for each in places):
            raise StoreError(
                f"{uri} is not below an output of {row['name']!r}: {', '.join(places) or 'none'}"
            )
        objects.append(place)
    for place in objects:
        if run.store.objects.exists(place):
            run.store.objects.delete(place)


def _places(result: Mapping[str, Any]) -> list[str]:
    """Where a step stores: the outputs of a processing job, the folder of a transform job."""
    outputs = result.get("ProcessingOutputConfig", {}).get("Outputs", [])
    found = [output["S3Output"]["S3Uri"] for output in outputs if "S3Output" in output]
    transform = result.get("TransformOutput", {}).get("S3OutputPath")
    return [*found, *([transform] if transform else [])]

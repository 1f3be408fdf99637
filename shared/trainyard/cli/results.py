"""What came of a run, as JSON and for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from trainyard.errors import ExecutionFailed, ExecutionStopped, UserError
from trainyard.execution.s3 import parse_uri
from trainyard.execution.state import Row
from trainyard.execution.store import Store, describe_execution

if TYPE_CHECKING:
    from trainyard.execution.begun import Finished

_MOST_NUMBERS = 20
_ENDPOINT = re.compile(r"arn:aws[a-z-]*:sagemaker:[^,\s\"]+:endpoint/([^,\s\"]+)")
_PACKAGE = re.compile(r"arn:aws[a-z-]*:sagemaker:[^,\s\"]+:model-package/[^,\s\"]+")


def result(store: Store, execution: str) -> dict[str, Any]:
    """An execution as JSON: its steps, the packages it registered, the reports it wrote."""
    row = store.execution(execution)
    steps = store.state.steps(row["id"])
    document = describe_execution(row, steps)
    document["ModelPackages"] = [_package(store, arn) for step in steps for arn in _packages(step)]
    names = {name: None for step in steps for name in _endpoints(step)}  # each once, in order
    document["Endpoints"] = [_endpoint(store, name) for name in names]
    document["FinalMetrics"] = {
        step["name"]: {item["MetricName"]: item["Value"] for item in step["result"]["FinalMetricDataList"]}
        for step in steps
        if step["kind"] == "Training" and step["result"]
    }
    document["ManagedSpot"] = {
        step["name"]: _spot(step["result"])
        for step in steps
        if step["result"] and step["result"].get("EnableManagedSpotTraining")
        if not step["cache_source"] and not step["selected_from"]
    }
    document["PropertyFiles"] = _property_files(store, row, steps)
    uris = [uri for step in steps for uri in step["outputs"] or {} if uri.endswith("/report.html")]
    document["Reports"] = [str(store.objects.path(parse_uri(uri))) for uri in uris]
    return document


def _packages(step: Row) -> list[str]:
    """The model packages that a step registered, or a function did that answers with their ARNs."""
    if step["status"] != "Succeeded":
        return []
    if step["kind"] == "RegisterModel":
        return [step["result"]["ModelPackageArn"]]
    return _PACKAGE.findall(json.dumps(step["result"])) if step["kind"] == "Lambda" else []


def _endpoints(step: Row) -> list[str]:
    """The endpoints that a step deployed, or a function did that answers with their ARNs."""
    if step["status"] != "Succeeded":
        return []
    if step["kind"] == "Endpoint":
        return [step["result"]["EndpointName"]]
    return _ENDPOINT.findall(json.dumps(step["result"])) if step["kind"] == "Lambda" else []


def _endpoint(store: Store, name: str) -> dict[str, Any]:
    found = store.resources.find("endpoint", name) or {}  # it may be gone, or elsewhere
    return {"EndpointName": name, "EndpointStatus": found.get("EndpointStatus")}


def _package(store: Store, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = {"ModelPackageArn": arn, "ModelApprovalStatus": None, "Metrics": {}}
    with suppress(UserError):  # deleted since, or of another registry
        found["ModelApprovalStatus"] = store.registry.describe(arn)["ModelApprovalStatus"]
        found["Metrics"] = store.registry.metrics(arn)
    return found


def _spot(job: Mapping[str, Any]) -> dict[str, int]:
    """What managed spot training took, is billed and was interrupted, as DescribeTrainingJob says it."""
    transitions = [transition["Status"] for transition in job["SecondaryStatusTransitions"]]
    times = {name: job[name] for name in ("TrainingTimeInSeconds", "BillableTimeInSeconds")}
    return {**times, "Interruptions": transitions.count("Interrupted")}


def _property_files(store: Store, row: Row, steps: Sequence[Row]) -> dict[str, dict[str, float]]:
    """The numbers in the property files of processing steps: what conditions judge by."""
    from trainyard.definition import document as documents
    from trainyard.execution.scope import ExecutionScope

    document = documents.parse(row["definition"])
    scope = ExecutionScope(
        store=store,
        document=document,
        parameters=row["parameters"],
        execution_id=row["id"],
        pipeline=row["pipeline"],
        started=row["started"],
    )
    found = {}
    for step in steps:
        known = document.by_name.get(step["name"]) if step["status"] == "Succeeded" else None
        for file in known.property_files if known else ():
            with suppress(UserError):  # one that the job did not write troubles only who asks for it
                numbers = dict(_numbers(scope.property_file(step["name"], file.name)))
                found[file.name] = dict(list(numbers.items())[:_MOST_NUMBERS])
    return found


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a JSON object with its path; lists are left out."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{path}.{key}" if path else str(key))


def finish(store: Store, finished: Finished, *, as_json: bool) -> int:
    """Print what came of a run. Raises ExecutionFailed or ExecutionStopped, which say how to go on."""
    document = result(store, finished.execution)
    if as_json:
        print(json.dumps(document, indent=2), flush=True)
    else:
        from trainyard.cli.summary import summary

        print(summary(document), flush=True)
    resume = f"go on with: trainyard run --resume {finished.execution}"
    if finished.status == "CompletedWithFailures":
        raise ExecutionFailed(
            f"execution {finished.execution} is over, and what was to run after a failure has run; {finished.reason}"
        )
    if finished.status == "Stopped":
        raise ExecutionStopped(f"execution {finished.execution} was stopped; {resume}")
    if finished.status == "Failed":
        jobs = [
            step
            for step in store.state.steps(finished.execution)
            if step["status"] == "Failed" and step["job"]
        ]
        hint = (
            f"; see: trainyard logs {finished.execution} {jobs[0]['name']}; with other data or --set, run it anew "
            f"(what succeeded comes from the cache); otherwise, when mended, {resume}"
            if jobs
            else ""
        )
        raise ExecutionFailed(f"{finished.reason}{hint}")
    return 0

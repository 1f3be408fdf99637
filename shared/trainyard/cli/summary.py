"""What an execution came to, for people: steps and times, metrics, packages, reports."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from trainyard.cli.notable import notable
from trainyard.cli.table import table

_WIDEST_NOTE = 60


def summary(document: dict[str, Any]) -> str:
    """The text for ``cli.results.result``'s document."""
    steps = [_step(entry) for entry in document["PipelineExecutionSteps"]]
    seconds = (document["EndTime"] or time.time()) - document["CreationTime"]
    parts = [
        f"{document['PipelineName']}  execution {document['PipelineExecutionId']}  "
        f"{document['PipelineExecutionStatus']} after {seconds:.1f} s",
        table(("STEP", "TYPE", "STATUS", "TOOK", ""), steps),
    ]
    if document["FailureReason"]:
        parts.append(f"reason: {document['FailureReason']}")
    rows = [
        (step, name, value)
        for step, metrics in document["FinalMetrics"].items()
        for name, value in metrics.items()
    ]
    if rows:
        parts.append(table(("STEP", "METRIC", "LAST VALUE"), rows))
    spot = [_saving(step, times) for step, times in document["ManagedSpot"].items()]
    parts += ["\n".join(spot)] if spot else []
    for name, values in document["PropertyFiles"].items():
        if values:
            parts.append(table((name, ""), list(values.items())))
    for package in document["ModelPackages"]:
        arn, status = package["ModelPackageArn"], package["ModelApprovalStatus"]
        group, version = arn.split("/")[-2:]
        metrics = "  ".join(f"{name} {package['Metrics'][name]:.4g}" for name in notable(package["Metrics"]))
        how = f"; approve with: trainyard models approve {group} {version} --by NAME --reason TEXT"
        said = f"{status}{'' if status == 'Approved' else how}"
        parts.append("\n  ".join(filter(None, (f"registered: {arn}", said, metrics))))
    for endpoint in document["Endpoints"]:
        name, status = endpoint["EndpointName"], endpoint["EndpointStatus"] or "gone"
        how = f"\n  ask it: trainyard invoke {name} FILE; trainyard local up keeps it answering"
        parts.append(f"endpoint: {name} is {status}{how if status == 'InService' else ''}")
    here = f"{Path.cwd()}{os.sep}"
    parts += [f"report: {path.removeprefix(here)}" for path in document["Reports"]]
    return "\n\n".join(parts)


def _saving(step: str, times: dict[str, int]) -> str:
    """Managed spot training as AWS's console counts it: 1 - billable seconds / training seconds."""
    trained, billed = times["TrainingTimeInSeconds"], times["BillableTimeInSeconds"]
    text = (
        f"{step}: {trained} s of training, {billed} s billable, managed spot saves {1 - billed / trained:.0%}"
    )
    return f"{text}; interrupted {times['Interruptions']} x" if times["Interruptions"] else text


def _step(entry: dict[str, Any]) -> tuple[str, str, str, str, str]:
    took = f"{entry['EndTime'] - entry['StartTime']:.1f} s" if entry["EndTime"] else ""
    note = entry.get("CacheNote", "")
    note = note if len(note) <= _WIDEST_NOTE else f"{note[:_WIDEST_NOTE]}..."
    remarks = [f"attempt {entry['AttemptCount']}"] if entry["AttemptCount"] > 1 else []
    if "CacheHitResult" in entry:
        remarks.append(f"cached: {note}")
    elif "SelectiveExecutionResult" in entry:
        remarks.append(
            f"taken from execution {entry['SelectiveExecutionResult']['SourcePipelineExecutionId']}"
        )
    elif note:
        remarks.append(f"not cached: {note}")
    else:
        remarks.append(_result(entry["Metadata"]))
    return entry["StepName"], entry["StepType"], entry["StepStatus"], took, "; ".join(filter(None, remarks))


def _result(metadata: dict[str, Any]) -> str:
    """What a step that is no job came to."""
    each = metadata.get("ForEach", {})
    if each:
        best = f"; best: {each['Selector']['StepName']}" if "Selector" in each else ""
        return f"{each['SucceededStepCount']} of {each['TotalStepCount']} steps succeeded{best}"
    return str(metadata.get("Condition", {}).get("Explanation", ""))

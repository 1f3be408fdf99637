"""A training job that has ended, as DescribeTrainingJob answers for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import ARN

SPOT_SHARE = 0.3
"""What a spot second is taken to cost of an on-demand one; AWS names savings of up to 90 %, 70 % are usual."""
_LAST_WORDS = {
    "Completed": "Training job completed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}


def describe(arguments: Mapping[str, Any], outcome: JobOutcome) -> dict[str, Any]:
    """What DescribeTrainingJob would answer; times are in seconds since 1970."""
    request = outcome.request
    # both times are at least 1 s in the service model
    seconds = max(1, round(sum(attempt.ended - attempt.started for attempt in outcome.attempts)))
    result = {
        **arguments,
        "TrainingJobName": request.name,
        "TrainingJobArn": f"{ARN}:training-job/{request.name}",
        "TrainingJobStatus": outcome.status,
        "SecondaryStatus": outcome.ended.stopped if outcome.ended.stopped else outcome.status,
        "SecondaryStatusTransitions": _transitions(outcome),
        "ModelArtifacts": {"S3ModelArtifacts": request.outputs[0].uri},
        "FinalMetricDataList": outcome.metrics,
        "CreationTime": outcome.started,
        "TrainingStartTime": outcome.started,
        "TrainingEndTime": outcome.ended_at,
        "LastModifiedTime": outcome.ended_at,
        "TrainingTimeInSeconds": seconds,
        "BillableTimeInSeconds": max(1, round(seconds * SPOT_SHARE)) if request.spot else seconds,
    }
    if outcome.failure:
        result["FailureReason"] = outcome.failure
    return result


def _transitions(outcome: JobOutcome) -> list[dict[str, Any]]:
    """SecondaryStatusTransitions: what the job went through, attempt by attempt."""
    seen: list[tuple[str, float, float, str]] = []
    for attempt in outcome.attempts:
        begun = attempt.started
        seen.append(("Starting", begun, begun, "Preparing the instances for training"))
        seen.append(("Downloading", begun, begun, "Downloading input data"))
        seen.append(
            ("Training", begun, attempt.ended, "Training image download completed. Training in progress.")
        )
        if attempt.interrupted:
            seen.append(("Interrupted", attempt.ended, attempt.ended, "Training job interrupted"))
    last = outcome.attempts[-1].ended
    if outcome.status != "Failed":
        seen.append(("Uploading", last, outcome.ended_at, "Uploading generated training model"))
    end = outcome.ended.stopped if outcome.ended.stopped else outcome.status
    seen.append((end, outcome.ended_at, outcome.ended_at, outcome.failure or _LAST_WORDS[end]))
    return [
        {"Status": status, "StartTime": start, "EndTime": end, "StatusMessage": message}
        for status, start, end, message in seen
    ]

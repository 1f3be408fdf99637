from __future__ import annotations

from pathlib import Path

from trainyard.cli.summary import summary


def entry(name: str, **more):
    return {"StepName": name, "StepType": "Training", "StepStatus": "Succeeded", "StartTime": 1.0, "EndTime": 3.5,
            "AttemptCount": 1, "Metadata": {}, **more}  # fmt: skip


def test_everything_that_a_run_came_to() -> None:
    text = summary(
        {
            "PipelineName": "p", "PipelineExecutionId": "e1", "PipelineExecutionStatus": "Failed",
            "FailureReason": "step B: no luck", "CreationTime": 1.0, "EndTime": 11.0,
            "PipelineExecutionSteps": [
                entry("A", CacheHitResult={}, CacheNote="same as 5 s ago"),
                entry("B", CacheNote="x" * 200, AttemptCount=3),
                entry("C", Metadata={"Condition": {"Outcome": "True", "Explanation": "0.5 < 1 is true"}}),
                entry("D", SelectiveExecutionResult={"SourcePipelineExecutionId": "e0"}),
                entry("E", Metadata={"ForEach": {"SucceededStepCount": 3, "TotalStepCount": 4,
                                                 "Selector": {"StepName": "Fit-1"}}}),
            ],
            "FinalMetrics": {"A": {"loss": 0.123456789}}, "PropertyFiles": {"Report": {"mase.median": 0.75}},
            "ModelPackages": [{"ModelPackageArn": "arn:x:model-package/group/7", "Metrics": {"mae": 1.5},
                               "ModelApprovalStatus": "PendingManualApproval"},
                              {"ModelPackageArn": "arn:x:model-package/group/8", "Metrics": {},
                               "ModelApprovalStatus": "Approved"}],
            "Endpoints": [{"EndpointName": "boxes", "EndpointStatus": "InService"},
                          {"EndpointName": "old", "EndpointStatus": None}],
            "ManagedSpot": {"A": {"TrainingTimeInSeconds": 10, "BillableTimeInSeconds": 3, "Interruptions": 1}},
            "Reports": ["/x/report.html", f"{Path.cwd()}/.trainyard/report.html"],
        }
    )  # fmt: skip
    for part in ("Failed after 10.0 s", "cached: same as 5 s ago", "attempt 3; not cached: " + "x" * 50,
                 "0.5 < 1 is true", "taken from execution e0", "3 of 4 steps succeeded; best: Fit-1",
                 "reason: step B: no luck", "0.1235", "mase.median  0.75", "approve group 7 --by", "mae 1.5",
                 "A: 10 s of training, 3 s billable, managed spot saves 70%; interrupted 1 x",
                 "endpoint: boxes is InService\n  ask it: trainyard invoke boxes FILE", "endpoint: old is gone",
                 "report: /x/report.html", "report: .trainyard/report.html"):  # fmt: skip
        assert part in text, part
    assert "approve group 8" not in text
    assert max(len(line) for line in text.splitlines()) < 130

from __future__ import annotations

from tests.conftest import wait_until
from trainyard.local_aws.sagemaker.execution_events import STATUS_CHANGE, STEP_STATUS_CHANGE

OUTCOME = {"Name": "Check", "Type": "Condition", "Arguments": {"Conditions": [
    {"Type": "Equals", "LeftValue": 1, "RightValue": 1},
]}}  # fmt: skip


def changes(emitted, step):
    return [
        (detail["previousStepStatus"], detail["currentStepStatus"])
        for kind, detail in emitted
        if kind == STEP_STATUS_CHANGE and detail["stepName"] == step
    ]


def test_steps_are_told_of_as_they_begin_and_end(sagemaker, create_pipeline, job, ended, emitted):
    bad = job("Bad", "raise SystemExit(3)", DependsOn=["Check"])
    create_pipeline(OUTCOME, bad)
    arn = sagemaker.start_pipeline_execution(PipelineName="Flow")["PipelineExecutionArn"]
    ended(arn)
    wait_until(lambda: emitted[-1][0] == STATUS_CHANGE and len(emitted) > 1)
    assert changes(emitted, "Check") == [("Starting", "Executing"), ("Executing", "Succeeded")]
    assert changes(emitted, "Bad") == [("Starting", "Executing"), ("Executing", "Failed")]
    _, detail = emitted[-2]
    assert "exit code: 3" in detail["failureReason"]
    listed = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    job_arn = listed[0]["Metadata"]["ProcessingJob"]["Arn"]
    assert detail["metadata"] == {"processingJob": {"arn": job_arn}}
    assert (detail["stepType"], detail["pipelineExecutionArn"]) == ("Processing", arn)
    assert detail["stepStartTime"] <= detail["stepEndTime"] and "cacheHitResult" not in detail


def test_a_stop_is_told_for_the_steps_that_run(sagemaker, create_pipeline, job, ended, emitted, store):
    create_pipeline(OUTCOME, job("Sleep", "import time\nprint('asleep', flush=True)\ntime.sleep(60)"))
    arn = sagemaker.start_pipeline_execution(PipelineName="Flow")["PipelineExecutionArn"]
    wait_until(lambda: any("asleep" in log.read_text() for log in store.home.glob("jobs/*/algo-1.log")))
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    ended(arn)
    wait_until(lambda: emitted[-1][1].get("currentPipelineExecutionStatus") == "Stopped")
    assert changes(emitted, "Sleep") == [
        ("Starting", "Executing"), ("Executing", "Stopping"), ("Stopping", "Stopped"),
    ]  # fmt: skip
    assert len(changes(emitted, "Check")) == 2


def test_a_hit_of_the_cache_says_where_it_comes_from(sagemaker, create_pipeline, job, ended, emitted):
    create_pipeline(job("Once", "", CacheConfig={"Enabled": True, "ExpireAfter": "P1D"}))
    first, second = (
        ended(sagemaker.start_pipeline_execution(PipelineName="Flow")["PipelineExecutionArn"])
        for _ in range(2)
    )
    (found,) = [detail for _, detail in emitted if "cacheHitResult" in detail]
    source = {"sourcePipelineExecutionArn": first["PipelineExecutionArn"]}
    assert (found["cacheHitResult"], found["pipelineExecutionArn"]) == (
        source,
        second["PipelineExecutionArn"],
    )

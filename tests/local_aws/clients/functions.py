"""SageMaker Python SDK v3: Python functions as steps, a condition on what one has returned, a Fail step."""

import json
import pathlib
import sys

import boto3
from sagemaker.core.workflow.conditions import ConditionGreaterThan
from sagemaker.core.workflow.parameters import ParameterInteger
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.function_step import step
from sagemaker.mlops.workflow.pipeline import Pipeline

IMAGE, EXPORTED = sys.argv[1:]
ROLE = boto3.client("iam").get_role(RoleName="pipelines")["Role"]["Arn"]
settings = {"image_uri": IMAGE, "role": ROLE, "instance_type": "ml.m5.large"}


@step(name="Points", **settings)
def points(count):
    return [(x, 3 * x) for x in range(1, count + 1)]


@step(name="Slope", **settings)
def slope(rows):
    value = sum(y / x for x, y in rows) / len(rows)
    boto3.client("s3").put_object(Bucket="clients", Key="slopes/last.txt", Body=str(value).encode())
    return value, len(rows)


found = slope(points(ParameterInteger("Count", 4)))
check = ConditionStep(
    name="Check",
    conditions=[ConditionGreaterThan(left=found[0], right=5.0)],
    if_steps=[],
    else_steps=[FailStep(name="Flat", error_message="too flat")],
)
pipeline = Pipeline(
    name="functions", parameters=[ParameterInteger("Count", 4)], steps=[check],
    sagemaker_session=PipelineSession(default_bucket="clients"),
)  # fmt: skip
pipeline.upsert(role_arn=ROLE)
pathlib.Path(EXPORTED).write_text(json.dumps(json.loads(pipeline.definition())))
execution = pipeline.start(parameters={"Count": 5})
try:
    execution.wait(delay=1, max_attempts=120)
except Exception as error:
    assert "WaiterError" in type(error).__name__, error
steps = {step["StepName"]: step for step in execution.list_steps()}
assert steps["Flat"]["StepStatus"] == "Failed" and steps["Flat"]["FailureReason"] == "too flat", steps
assert execution.result("Slope") == (3.0, 5) and len(execution.result("Points")) == 5
print(boto3.client("s3").get_object(Bucket="clients", Key="slopes/last.txt")["Body"].read().decode())
pipeline.delete()

"""SageMaker Python SDK v3: preprocess, train, tell a Lambda function, register; twice, the second time cached."""

import json
import pathlib
import sys

import boto3
from sagemaker.core.lambda_helper import Lambda
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import MetricDefinition, ProcessingOutput, ProcessingS3Output
from sagemaker.core.training.configs import Compute, InputData, SourceCode
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TrainingStep
from sagemaker.serve import ModelBuilder
from sagemaker.train import ModelTrainer

IMAGE, CODE = sys.argv[1], pathlib.Path(__file__).with_name("code")
ROLE = boto3.client("iam").get_role(RoleName="pipelines")["Role"]["Arn"]
CACHE = CacheConfig(enable_caching=True, expire_after="P1D")

session = PipelineSession(default_bucket="clients")
scale, group = ParameterFloat("Scale", 1.0), ParameterString("Group", "lines")

processor = ScriptProcessor(
    role=ROLE, image_uri=IMAGE, command=["python3"], instance_count=1, instance_type="ml.m5.large",
    sagemaker_session=session,
)  # fmt: skip
made = ProcessingOutput(
    output_name="train",
    s3_output=ProcessingS3Output(
        s3_uri="s3://clients/prepared", local_path="/opt/ml/processing/train", s3_upload_mode="EndOfJob"
    ),
)
prepare = ProcessingStep(
    name="Prepare",
    step_args=processor.run(
        code=str(CODE / "preprocess.py"), arguments=["--bucket", "clients"], outputs=[made]
    ),
    cache_config=CACHE,
)
prepared = prepare.properties.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri
trainer = ModelTrainer(
    training_image=IMAGE, role=ROLE, base_job_name="line", sagemaker_session=session,
    source_code=SourceCode(source_dir=str(CODE), entry_script="train.py"), hyperparameters={"scale": scale},
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    input_data_config=[InputData(channel_name="train", data_source=prepared)],
)  # fmt: skip
trainer.with_metric_definitions([MetricDefinition(name="loss", regex="loss: ([0-9.]+)")])
train = TrainingStep(name="Train", step_args=trainer.train(), cache_config=CACHE)
tell = LambdaStep(
    name="Tell",
    lambda_func=Lambda(
        function_name="notify", execution_role_arn=ROLE, script=str(CODE / "notify.py"), handler="notify.handler",
        timeout=30, session=session,
    ),
    inputs={"bucket": "clients", "loss": 0.25, "model": train.properties.ModelArtifacts.S3ModelArtifacts},
    outputs=[
        LambdaOutput(output_name="note", output_type=LambdaOutputTypeEnum.String),
        LambdaOutput(output_name="approved", output_type=LambdaOutputTypeEnum.Boolean),
    ],
)  # fmt: skip
builder = ModelBuilder(
    s3_model_data_url=train.properties.ModelArtifacts.S3ModelArtifacts, image_uri=IMAGE, role_arn=ROLE,
    sagemaker_session=session,
)  # fmt: skip
register = ModelStep(
    name="Register",
    step_args=builder.register(
        model_package_group_name=group, content_types=["text/csv"], response_types=["text/csv"],
        inference_instances=["ml.m5.large"], approval_status="PendingManualApproval",
        description=tell.properties.Outputs["note"] if hasattr(tell.properties, "Outputs") else None,
    ),
)  # fmt: skip
pipeline = Pipeline(
    name="line", parameters=[scale, group], steps=[prepare, train, tell, register], sagemaker_session=session
)
print(pipeline.upsert(role_arn=ROLE)["PipelineArn"])
pipeline.upsert(role_arn=ROLE)
for round_ in (1, 2):
    execution = pipeline.start(parameters={"Scale": 1.0})
    execution.wait(delay=1, max_attempts=120)
    steps = execution.list_steps()
    print(round_, execution.describe()["PipelineExecutionStatus"])
    for step in steps:
        print(
            json.dumps(
                {key: step.get(key) for key in ("StepName", "StepStatus", "CacheHitResult")}, default=str
            )
        )
    assert {step["StepStatus"] for step in steps} == {"Succeeded"}, steps
cached = {step["StepName"] for step in steps if "CacheHitResult" in step}
assert "Prepare" in cached and "Train" in cached, cached
packages = boto3.client("sagemaker").list_model_packages(ModelPackageGroupName="lines")[
    "ModelPackageSummaryList"
]
assert len(packages) == 2, packages

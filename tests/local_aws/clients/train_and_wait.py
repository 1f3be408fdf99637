"""SageMaker Python SDK v3: ModelTrainer.train(wait=True, logs=True) and Processor.run(wait=True)."""

import pathlib
import sys

import boto3
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import ProcessingOutput, ProcessingS3Output
from sagemaker.core.training.configs import Compute, InputData, SourceCode
from sagemaker.train import ModelTrainer

IMAGE, CODE = sys.argv[1], pathlib.Path(__file__).with_name("code")
ROLE = boto3.client("iam").get_role(RoleName="pipelines")["Role"]["Arn"]
session = Session(default_bucket="clients")
trainer = ModelTrainer(
    training_image=IMAGE, role=ROLE, base_job_name="waited", sagemaker_session=session,
    source_code=SourceCode(source_dir=str(CODE), entry_script="train.py"), hyperparameters={"scale": 1.0},
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    input_data_config=[InputData(channel_name="train", data_source="s3://clients/points/")],
)  # fmt: skip
trainer.train(wait=True, logs=True)
job = boto3.client("sagemaker").list_training_jobs(NameContains="waited", MaxResults=1)[
    "TrainingJobSummaries"
][0]
assert job["TrainingJobStatus"] == "Completed", job
processor = ScriptProcessor(
    role=ROLE, image_uri=IMAGE, command=["python3"], instance_count=1, instance_type="ml.m5.large",
    sagemaker_session=session,
)  # fmt: skip
made = ProcessingOutput(
    output_name="train",
    s3_output=ProcessingS3Output(
        s3_uri="s3://clients/processed", local_path="/opt/ml/processing/train", s3_upload_mode="EndOfJob"
    ),
)
processor.run(
    code=str(CODE / "preprocess.py"), arguments=["--bucket", "clients"], outputs=[made], wait=True, logs=True
)
body = boto3.client("s3").get_object(Bucket="clients", Key="processed/points.csv")["Body"].read()
assert body == b"1,3\n2,6\n3,9\n4,12\n", body
print("trained and processed")

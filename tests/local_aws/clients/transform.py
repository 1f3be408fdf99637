"""Plain boto3: transform a file line by line, with the input beside each answer."""

import time

import boto3

sagemaker, s3 = boto3.client("sagemaker"), boto3.client("s3")
s3.put_object(Bucket="clients", Key="batch/numbers.csv", Body=b"1\n2\n3\n")
sagemaker.create_transform_job(
    TransformJobName="numbers",
    ModelName="registered",
    BatchStrategy="MultiRecord",
    TransformInput={
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://clients/batch/"}},
        "ContentType": "text/csv",
        "SplitType": "Line",
    },
    TransformOutput={"S3OutputPath": "s3://clients/answers", "AssembleWith": "Line", "Accept": "text/csv"},
    DataProcessing={"JoinSource": "Input"},
    TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
)
while (job := sagemaker.describe_transform_job(TransformJobName="numbers"))[
    "TransformJobStatus"
] == "InProgress":
    time.sleep(0.2)
assert job["TransformJobStatus"] == "Completed", job
body = s3.get_object(Bucket="clients", Key="answers/numbers.csv.out")["Body"].read().decode()
assert [line.split(",")[0] for line in body.split()] == ["1", "2", "3"], body
assert abs(float(body.split()[2].split(",")[1]) - 9) < 1, body
print(body.split())

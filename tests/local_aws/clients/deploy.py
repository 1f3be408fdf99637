"""Plain boto3: the best trial's model and another as two variants of one endpoint."""

import sys

import boto3

sagemaker, s3, image = boto3.client("sagemaker"), boto3.client("s3"), sys.argv[1]
role = boto3.client("iam").get_role(RoleName="pipelines")["Role"]["Arn"]
best = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="rates")["BestTrainingJob"]
job = sagemaker.describe_training_job(TrainingJobName=best["TrainingJobName"])
package = sagemaker.list_model_packages(ModelPackageGroupName="lines")["ModelPackageSummaryList"][0]
sagemaker.update_model_package(ModelPackageArn=package["ModelPackageArn"], ModelApprovalStatus="Approved")
containers = {
    "tuned": {"Image": image, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]},
    "registered": {"ModelPackageName": package["ModelPackageArn"]},
}
variants = []
for name, container in containers.items():
    sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)
    variants.append(
        {"VariantName": name, "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large",
         "InitialVariantWeight": 1.0}
    )  # fmt: skip
capture = {
    "EnableCapture": True, "InitialSamplingPercentage": 100, "DestinationS3Uri": "s3://clients/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
}  # fmt: skip
sagemaker.create_endpoint_config(
    EndpointConfigName="both", ProductionVariants=variants, DataCaptureConfig=capture
)
sagemaker.create_endpoint(EndpointName="lines", EndpointConfigName="both")
sagemaker.get_waiter("endpoint_in_service").wait(
    EndpointName="lines", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
)
print(sagemaker.describe_endpoint(EndpointName="lines")["EndpointStatus"])

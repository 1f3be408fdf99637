"""Plain boto3: tune the training image's rate over 12 trials, 4 at a time."""

import sys
import time

import boto3

sagemaker, image = boto3.client("sagemaker"), sys.argv[1]
role = boto3.client("iam").get_role(RoleName="pipelines")["Role"]["Arn"]
channel = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://clients/points/"}}
sagemaker.create_hyper_parameter_tuning_job(
    HyperParameterTuningJobName="rates",
    HyperParameterTuningJobConfig={
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 12, "MaxParallelTrainingJobs": 4},
        "ParameterRanges": {
            "ContinuousParameterRanges": [
                {"Name": "rate", "MinValue": "0.0001", "MaxValue": "0.2", "ScalingType": "Logarithmic"}
            ]
        },
        "RandomSeed": 1,
    },
    TrainingJobDefinition={
        "StaticHyperParameters": {"epochs": "20"},
        "AlgorithmSpecification": {
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss: ([0-9.]+)"}],
        },
        "RoleArn": role,
        "InputDataConfig": [{"ChannelName": "train", "DataSource": channel}],
        "OutputDataConfig": {"S3OutputPath": "s3://clients/tuned"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    },
)
most = 0
while True:
    job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="rates")
    most = max(most, job["TrainingJobStatusCounters"]["InProgress"])
    if job["HyperParameterTuningJobStatus"] not in ("InProgress", "Stopping"):
        break
    time.sleep(0.2)
assert job["HyperParameterTuningJobStatus"] == "Completed", job
counters = job["TrainingJobStatusCounters"]
assert counters["Completed"] + counters["NonRetryableError"] == 12 and 1 < most <= 4, (counters, most)
best = job["BestTrainingJob"]
trials = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
    HyperParameterTuningJobName="rates",
    SortBy="FinalObjectiveMetricValue",
    SortOrder="Ascending",
    MaxResults=100,
)["TrainingJobSummaries"]
assert trials[0]["TrainingJobName"] == best["TrainingJobName"], (trials[0], best)
value = best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
assert value < 0.5, best
print(len(trials), "trials, up to", most, "at once; best", best["TunedHyperParameters"], "loss", value)

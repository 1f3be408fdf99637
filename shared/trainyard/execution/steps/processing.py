"""Processing steps: CreateProcessingJob's request to a job, and the job to DescribeProcessingJob's answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainyard.definition.runnable import FieldRules
from trainyard.errors import Unsupported
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import ARN, Channel, JobRequest, Output
from trainyard.execution.steps.job import check_count, container_path, environment, need, s3_uri
from trainyard.execution.targets import Targets
from trainyard.in_image.opt_ml import DEFAULT_BASE

RULES = FieldRules(
    honoured=frozenset({
        "AppSpecification.ImageUri",
        "AppSpecification.ContainerEntrypoint",
        "AppSpecification.ContainerArguments",
        "Environment",
        "ProcessingInputs.InputName",
        "ProcessingInputs.AppManaged",
        "ProcessingInputs.S3Input.S3Uri",
        "ProcessingInputs.S3Input.LocalPath",
        "ProcessingInputs.S3Input.S3DataType",
        "ProcessingInputs.S3Input.S3InputMode",
        "ProcessingInputs.S3Input.S3DataDistributionType",
        "ProcessingInputs.S3Input.S3CompressionType",
        "ProcessingOutputConfig.Outputs.OutputName",
        "ProcessingOutputConfig.Outputs.AppManaged",
        "ProcessingOutputConfig.Outputs.S3Output.S3Uri",
        "ProcessingOutputConfig.Outputs.S3Output.LocalPath",
        "ProcessingOutputConfig.Outputs.S3Output.S3UploadMode",
        "ProcessingResources.ClusterConfig.InstanceCount",
        "ProcessingResources.ClusterConfig.InstanceType",
        "StoppingCondition.MaxRuntimeInSeconds",
        "ProcessingJobName",
    }),
    without_effect=frozenset({
        "RoleArn",
        "Tags",
        "NetworkConfig",
        "ExperimentConfig",
        "ProcessingOutputConfig.KmsKeyId",
        "ProcessingResources.ClusterConfig.VolumeSizeInGB",
        "ProcessingResources.ClusterConfig.VolumeKmsKeyId",
    }),
    values={
        "ProcessingInputs.AppManaged": (False,),
        "ProcessingInputs.S3Input.S3DataType": ("S3Prefix", "ManifestFile"),
        "ProcessingInputs.S3Input.S3InputMode": ("File",),
        "ProcessingInputs.S3Input.S3DataDistributionType": ("FullyReplicated", "ShardedByS3Key"),
        "ProcessingInputs.S3Input.S3CompressionType": ("None",),
        "ProcessingOutputConfig.Outputs.AppManaged": (False,),
        "ProcessingOutputConfig.Outputs.S3Output.S3UploadMode": ("EndOfJob", "Continuous"),
    },
)  # fmt: skip

_DAY = 86_400


def plan(step: str, arguments: Mapping[str, Any], job_name: str, targets: Targets) -> JobRequest:
    """The job of a Processing step whose arguments are resolved.

    Raises Unsupported or DefinitionError, naming step and field.
    """
    image = need(step, arguments, "AppSpecification", "ImageUri")
    application = arguments["AppSpecification"]
    count = need(step, arguments, "ProcessingResources", "ClusterConfig", "InstanceCount")
    target = targets.of(image, f"step {step!r}: AppSpecification.ImageUri")
    entrypoint, own = application.get("ContainerEntrypoint", []), application.get("ContainerArguments", [])
    # arguments alone are the command of an image without an entry point, unless they begin with an option
    if not entrypoint and (not own or str(own[0]).startswith("-")) and target.kind != "docker":
        raise Unsupported(
            f"step {step!r}: AppSpecification.ContainerEntrypoint is missing; an image's own entry point is not known "
            "without the image, so say what to run, or run it --with docker"
        )
    outputs = arguments.get("ProcessingOutputConfig", {}).get("Outputs", [])
    return JobRequest(
        name=job_name,
        kind="Processing",
        image=image,
        target=target,
        command=tuple(str(part) for part in (*entrypoint, *own)),
        arguments_only=bool(own and not entrypoint),
        environment=environment(step, arguments),
        config={"config/processingjobconfig.json": {**arguments, "ProcessingJobName": job_name}},
        resource_config="config/resourceconfig.json",
        host_count=check_count(step, "ProcessingResources.ClusterConfig.InstanceCount", count),
        instance_type=str(arguments["ProcessingResources"]["ClusterConfig"].get("InstanceType", "local")),
        channels=tuple(_channel(step, entry) for entry in arguments.get("ProcessingInputs", [])),
        outputs=tuple(_output(step, entry) for entry in outputs),
        max_runtime=float(arguments.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", _DAY)),
    )


def _channel(step: str, entry: Mapping[str, Any]) -> Channel:
    name = str(need(step, entry, "InputName", at="ProcessingInputs"))
    place = f"ProcessingInputs[{name!r}]"
    source = {key: need(step, entry, "S3Input", key, at=place) for key in ("S3Uri", "LocalPath")}
    options = entry["S3Input"]
    return Channel(
        name=name,
        container_path=container_path(
            step, f"{place}.S3Input.LocalPath", source["LocalPath"], f"{DEFAULT_BASE}/processing"
        ),
        uri=s3_uri(step, f"{place}.S3Input.S3Uri", source["S3Uri"]),
        data_type=options.get("S3DataType", "S3Prefix"),
        distribution=options.get("S3DataDistributionType", "FullyReplicated"),
    )


def _output(step: str, entry: Mapping[str, Any]) -> Output:
    name = str(need(step, entry, "OutputName", at="ProcessingOutputConfig.Outputs"))
    place = f"ProcessingOutputConfig.Outputs[{name!r}]"
    target = {key: need(step, entry, "S3Output", key, at=place) for key in ("S3Uri", "LocalPath")}
    return Output(
        name=name,
        container_path=container_path(
            step, f"{place}.S3Output.LocalPath", target["LocalPath"], f"{DEFAULT_BASE}/processing"
        ),
        uri=s3_uri(step, f"{place}.S3Output.S3Uri", target["S3Uri"]),
        continuous=entry["S3Output"].get("S3UploadMode") == "Continuous",
    )


def describe(arguments: Mapping[str, Any], outcome: JobOutcome) -> dict[str, Any]:
    """What DescribeProcessingJob would answer."""
    name = outcome.request.name
    result = {
        **arguments,
        "ProcessingJobName": name,
        "ProcessingJobArn": f"{ARN}:processing-job/{name}",
        "ProcessingJobStatus": outcome.status,
        "ProcessingStartTime": outcome.started,
        "ProcessingEndTime": outcome.ended_at,
        "CreationTime": outcome.started,
        "LastModifiedTime": outcome.ended_at,
    }
    if outcome.message:
        result["ExitMessage"] = outcome.message
    if outcome.failure:
        result["FailureReason"] = outcome.failure
    return result

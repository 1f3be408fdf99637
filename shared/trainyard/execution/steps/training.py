"""Training steps: CreateTrainingJob's request to a job, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from trainyard.definition.runnable import FieldRules
from trainyard.errors import DefinitionError
from trainyard.execution.request import Channel, Checkpoint, JobRequest, Metric, Output
from trainyard.execution.steps.job import check_count, container_path, environment, need, s3_uri
from trainyard.execution.steps.training_result import describe
from trainyard.execution.targets import Targets
from trainyard.in_image.opt_ml import DEFAULT_BASE, OptMl

_CHANNEL = "InputDataConfig"
_SOURCE = f"{_CHANNEL}.DataSource.S3DataSource"

__all__ = ["RULES", "describe", "plan"]

RULES = FieldRules(
    honoured=frozenset({
        "AlgorithmSpecification.TrainingImage",
        "AlgorithmSpecification.TrainingInputMode",
        "AlgorithmSpecification.MetricDefinitions",
        "AlgorithmSpecification.ContainerEntrypoint",
        "AlgorithmSpecification.ContainerArguments",
        "CheckpointConfig.S3Uri",
        "CheckpointConfig.LocalPath",
        "EnableManagedSpotTraining",
        "Environment",
        "HyperParameters",
        f"{_CHANNEL}.ChannelName",
        f"{_CHANNEL}.ContentType",
        f"{_CHANNEL}.InputMode",
        f"{_CHANNEL}.CompressionType",
        f"{_CHANNEL}.RecordWrapperType",
        f"{_SOURCE}.S3Uri",
        f"{_SOURCE}.S3DataType",
        f"{_SOURCE}.S3DataDistributionType",
        "OutputDataConfig.S3OutputPath",
        "OutputDataConfig.CompressionType",
        "ResourceConfig.InstanceCount",
        "ResourceConfig.InstanceType",
        "StoppingCondition.MaxRuntimeInSeconds",
        "StoppingCondition.MaxWaitTimeInSeconds",
        "TrainingJobName",
    }),
    without_effect=frozenset({
        "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "EnableInterContainerTrafficEncryption",
        "EnableNetworkIsolation",
        "ExperimentConfig",
        "InfraCheckConfig",
        "OutputDataConfig.KmsKeyId",
        "ProfilerConfig",
        "ProfilerRuleConfigurations",
        "RemoteDebugConfig",
        "ResourceConfig.KeepAlivePeriodInSeconds",
        "ResourceConfig.VolumeKmsKeyId",
        "ResourceConfig.VolumeSizeInGB",
        "RetryStrategy",
        "RoleArn",
        "SessionChainingConfig",
        "Tags",
        "TensorBoardOutputConfig",
        "VpcConfig",
    }),
    values={
        "AlgorithmSpecification.TrainingInputMode": ("File", "FastFile", "Pipe"),
        f"{_CHANNEL}.InputMode": ("File", "FastFile", "Pipe"),
        f"{_CHANNEL}.CompressionType": ("None", "Gzip"),
        f"{_CHANNEL}.RecordWrapperType": ("None", "RecordIO"),
        f"{_SOURCE}.S3DataType": ("S3Prefix", "ManifestFile"),
        f"{_SOURCE}.S3DataDistributionType": ("FullyReplicated", "ShardedByS3Key"),
        "OutputDataConfig.CompressionType": ("GZIP", "NONE"),
    },
)  # fmt: skip

_DAY = 86_400


def plan(step: str, arguments: Mapping[str, Any], job_name: str, targets: Targets) -> JobRequest:
    """The job of a Training step whose arguments are resolved.

    Raises Unsupported or DefinitionError, naming step and field.
    """
    image = need(step, arguments, "AlgorithmSpecification", "TrainingImage")
    algorithm = arguments["AlgorithmSpecification"]
    count = need(step, arguments, "ResourceConfig", "InstanceCount")
    output_path = s3_uri(
        step, "OutputDataConfig.S3OutputPath", need(step, arguments, "OutputDataConfig", "S3OutputPath")
    )
    compression = arguments["OutputDataConfig"].get("CompressionType", "GZIP")
    stopping = arguments.get("StoppingCondition", {})
    _check_wait(step, stopping)
    entrypoint, own = algorithm.get("ContainerEntrypoint", []), algorithm.get("ContainerArguments", [])
    entries = arguments.get("InputDataConfig", [])
    channels = tuple(_channel(step, entry, algorithm) for entry in entries)
    return JobRequest(
        name=job_name,
        kind="Training",
        image=image,
        target=targets.of(image, f"step {step!r}: AlgorithmSpecification.TrainingImage"),
        command=tuple(str(part) for part in (*entrypoint, *own)),
        arguments_only=bool(own and not entrypoint),
        environment=environment(step, arguments),
        config={
            "input/config/hyperparameters.json": {
                name: str(value) for name, value in arguments.get("HyperParameters", {}).items()
            },
            "input/config/inputdataconfig.json": {
                channel.name: _channel_config(channel, entry, algorithm)
                for channel, entry in zip(channels, entries, strict=True)
            },
        },
        host_count=check_count(step, "ResourceConfig.InstanceCount", count),
        instance_type=str(arguments["ResourceConfig"].get("InstanceType", "local")),
        channels=channels,
        outputs=_outputs(f"{output_path.rstrip('/')}/{job_name}/output", archive=compression == "GZIP"),
        checkpoint=_checkpoint(step, arguments.get("CheckpointConfig")),
        max_runtime=float(stopping.get("MaxRuntimeInSeconds", _DAY)),
        spot=arguments.get("EnableManagedSpotTraining") is True,
        metrics=tuple(_metric(step, entry) for entry in algorithm.get("MetricDefinitions", [])),
    )


def _check_wait(step: str, stopping: Mapping[str, Any]) -> None:
    run, wait = stopping.get("MaxRuntimeInSeconds"), stopping.get("MaxWaitTimeInSeconds")
    if run is not None and wait is not None and wait < run:
        raise DefinitionError(
            f"step {step!r}: StoppingCondition.MaxWaitTimeInSeconds is {wait}, less than MaxRuntimeInSeconds ({run}); "
            "the wait includes the run, so it must be at least as long"
        )


def _metric(step: str, entry: Mapping[str, Any]) -> Metric:
    metric = Metric(name=str(entry["Name"]), regex=str(entry["Regex"]))
    try:
        groups = re.compile(metric.regex).groups
    except re.error as error:
        raise DefinitionError(
            f"step {step!r}: MetricDefinitions[{metric.name!r}].Regex is not valid: {error}"
        ) from error
    if groups < 1:
        raise DefinitionError(
            f"step {step!r}: MetricDefinitions[{metric.name!r}].Regex {metric.regex!r} has no group; "
            "put the number in brackets"
        )
    return metric


def _channel(step: str, entry: Mapping[str, Any], algorithm: Mapping[str, Any]) -> Channel:
    name = str(need(step, entry, "ChannelName", at="InputDataConfig"))
    place = f"InputDataConfig[{name!r}]"
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name) or set(name) == {"."}:
        raise DefinitionError(
            f"step {step!r}: {place}.ChannelName is {name!r}; 1 to 64 letters, digits, '.', '-' and '_' are possible"
        )
    uri = s3_uri(step, f"{place}.S3Uri", need(step, entry, "DataSource", "S3DataSource", "S3Uri", at=place))
    source = entry["DataSource"]["S3DataSource"]
    # FastFile streams what File downloads; on one disk both are links
    mode: Literal["File", "Pipe"] = (
        "Pipe" if entry.get("InputMode", algorithm.get("TrainingInputMode")) == "Pipe" else "File"
    )
    if mode == "File" and entry.get("CompressionType") == "Gzip":
        raise DefinitionError(
            f"step {step!r}: {place}.CompressionType is 'Gzip', which only the InputMode Pipe has; leave it out"
        )
    return Channel(
        name=name,
        container_path=OptMl().channel(name).as_posix(),
        uri=uri,
        data_type=source.get("S3DataType", "S3Prefix"),
        distribution=source.get("S3DataDistributionType", "FullyReplicated"),
        mode=mode,
        compression=entry.get("CompressionType", "None"),
        record_wrapper=entry.get("RecordWrapperType", "None"),
    )


def _channel_config(
    channel: Channel, entry: Mapping[str, Any], algorithm: Mapping[str, Any]
) -> dict[str, str]:
    """One channel's entry in inputdataconfig.json."""
    config = {
        "TrainingInputMode": entry.get("InputMode", algorithm.get("TrainingInputMode", "File")),
        "S3DistributionType": channel.distribution,
        "RecordWrapperType": entry.get("RecordWrapperType", "None"),
    }
    if "ContentType" in entry:
        config["ContentType"] = entry["ContentType"]
    return config


def _outputs(base: str, *, archive: bool) -> tuple[Output, ...]:
    """``/opt/ml/model`` and ``/opt/ml/output/data``: a tar file each, or as they are (CompressionType NONE)."""
    ml = OptMl()
    return tuple(
        Output(
            name=name,
            container_path=path.as_posix(),
            uri=f"{base}/{name}.tar.gz" if archive else f"{base}/{folder}/",
            archive=archive,
        )
        for name, folder, path in (("model", "model", ml.model), ("output", "data", ml.output_data))
    )


def _checkpoint(step: str, config: Mapping[str, Any] | None) -> Checkpoint | None:
    if not config:
        return None
    path = config.get("LocalPath", OptMl().checkpoints.as_posix())
    place = container_path(step, "CheckpointConfig.LocalPath", path, DEFAULT_BASE)
    for taken in ("model", "input", "output", "code"):
        if place.removeprefix(f"{DEFAULT_BASE}/").split("/")[0] == taken:
            raise DefinitionError(
                f"step {step!r}: CheckpointConfig.LocalPath is {path!r}, but {DEFAULT_BASE}/{taken} has its own use; "
                f"take a folder such as {OptMl().checkpoints}"
            )
    return Checkpoint(
        container_path=place,
        uri=s3_uri(step, "CheckpointConfig.S3Uri", need(step, config, "S3Uri", at="CheckpointConfig")),
    )

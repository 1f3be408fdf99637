"""Transform: CreateTransformJob's request to a job of the model's container, as a step and as a job of the API."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from trainyard.definition.runnable import FieldRules, check_arguments
from trainyard.definition.steps import Step
from trainyard.execution import cache, events, jobs
from trainyard.execution.machine import Machine
from trainyard.execution.recording import Recording
from trainyard.execution.request import ARN, Channel
from trainyard.execution.resources import Document
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.serving import containers_of, data_uri, find_model
from trainyard.execution.steps.job_step import from_cache
from trainyard.execution.steps.transform_request import read_request
from trainyard.execution.transform.engine import TransformOutcome, transform
from trainyard.execution.transform.request import TransformRequest

KIND = "transform-job"

RULES = FieldRules(
    honoured=frozenset({
        "TransformJobName",
        "ModelName",
        "MaxConcurrentTransforms",
        "MaxPayloadInMB",
        "BatchStrategy",
        "ModelClientConfig",
        "Environment",
        "TransformInput.DataSource.S3DataSource.S3DataType",
        "TransformInput.DataSource.S3DataSource.S3Uri",
        "TransformInput.ContentType",
        "TransformInput.CompressionType",
        "TransformInput.SplitType",
        "TransformOutput.S3OutputPath",
        "TransformOutput.Accept",
        "TransformOutput.AssembleWith",
        "TransformResources.InstanceCount",
        "TransformResources.InstanceType",
        "DataProcessing.InputFilter",
        "DataProcessing.OutputFilter",
        "DataProcessing.JoinSource",
        "DataCaptureConfig.DestinationS3Uri",
        "DataCaptureConfig.GenerateInferenceId",
    }),
    without_effect=frozenset({
        "ExperimentConfig",
        "Tags",
        "TransformOutput.KmsKeyId",
        "TransformResources.VolumeKmsKeyId",
        "TransformResources.TransformAmiVersion",
        "DataCaptureConfig.KmsKeyId",
    }),
    values={
        "BatchStrategy": ("MultiRecord", "SingleRecord"),
        "TransformInput.DataSource.S3DataSource.S3DataType": ("S3Prefix", "ManifestFile"),
        "TransformInput.CompressionType": ("None", "Gzip"),
        "TransformInput.SplitType": ("None", "Line", "RecordIO", "TFRecord"),
        "TransformOutput.AssembleWith": ("None", "Line"),
        "DataProcessing.JoinSource": ("None", "Input"),
    },
)  # fmt: skip


class TransformWork:
    """Transform as the API starts it."""

    kind = KIND

    def prepare(
        self, machine: Machine, name: str, arguments: Mapping[str, Any]
    ) -> Callable[[Recording, events.Watcher], Document]:
        request, model = check(machine, name, arguments, name)

        def run(recording: Recording, watch: events.Watcher) -> Document:
            outcome = transform(machine, request, model, name, recording.stop, watch)
            return describe(arguments, name, outcome)

        return run


def check(
    machine: Machine, step: str, arguments: Mapping[str, Any], job: str
) -> tuple[TransformRequest, Document]:
    """The job and its model. Raises UserError where it cannot run here, before anything has happened."""
    check_arguments(step, arguments, RULES)
    request = read_request(step, arguments, job)
    return request, find_model(machine.store, request.model)


def describe(arguments: Mapping[str, Any], name: str, outcome: TransformOutcome) -> Document:
    """What DescribeTransformJob answers."""
    document = {
        **arguments,
        "TransformJobName": name,
        "TransformJobArn": f"{ARN}:{KIND}/{name}",
        "TransformJobStatus": outcome.status,
        "CreationTime": outcome.started,
        "TransformStartTime": outcome.started,
        "TransformEndTime": outcome.ended_at,
        "LastModifiedTime": outcome.ended_at,
    }
    return {**document, "FailureReason": outcome.failure} if outcome.failure else document


def run(run: Run, step: Step) -> StepEnd:
    job = jobs.job_name(run.execution_id, step.name)
    arguments = run.arguments(step, job)
    request, model = check(run.machine, step.name, arguments, job)
    key = None
    if step.cache and step.cache.enabled:
        key = cache.aws_key(step.type, arguments) if run.cache == "aws" else _key(run.machine, request, model)
        if end := from_cache(run, step, key):
            return end
    run.store.state.update_step(run.execution_id, step.name, job=job, cache_key=key)
    with run.store.recorder.begin(KIND, job, arguments, run.stop) as recording:
        outcome = transform(run.machine, request, model, step.name, recording.stop, run.watch)
        result = describe(arguments, job, outcome)
        recording.finish(result)
    return StepEnd(
        status={"Completed": "Succeeded"}.get(outcome.status, outcome.status),
        failure=outcome.failure,
        result=result,
        metadata={"TransformJob": {"Arn": result["TransformJobArn"]}},
        outputs=outcome.stored if outcome.status == "Completed" else {},
    )


def _key(machine: Machine, request: TransformRequest, model: Document) -> cache.Key:
    """The fields of AWS's list, with the model and the input replaced by their content; beside them, what else
    decides what the output is."""
    joining = request.joining
    key = {
        "kind": "Transform",
        "input": _content(machine, request.channel),
        "input, names": request.channel.data_type,
        "input, content type": request.content_type,
        "input, split": f"{request.split}, {'Gzip' if request.gzipped else 'None'}",
        "requests": f"{request.strategy}, {request.max_payload} MB",
        "output": f"{request.accept}, {request.assemble}",
        "InputFilter": joining.input_filter.text,
        "OutputFilter": joining.output_filter.text,
        "JoinSource": "Input" if joining.join else "None",
        "inference identifiers": str(request.inference_ids),
        **{f"environment.{name}": value for name, value in request.environment.items()},
    }
    for number, container in enumerate(containers_of(model, machine.store.registry), 1):
        prefix = f"container {number}"
        image = str(container.get("Image", ""))
        digest = machine.targets.digest(machine.targets.of(image, f"model {request.model!r}"))
        key[f"{prefix}, image"] = f"{image} ({digest[:16]})"
        if uri := data_uri(container):
            key[f"{prefix}, model"] = _content(machine, Channel(name="model", container_path="", uri=uri))
        environment = container.get("Environment") or {}
        key[f"{prefix}, environment"] = json.dumps(environment, sort_keys=True)
    return key


def _content(machine: Machine, channel: Channel) -> str:
    return cache.content(channel, machine.store.objects, machine.store.state)

"""Pipelines: checked definitions by name, which executions run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from trainyard.errors import AlreadyExists, Conflict
from trainyard.execution.resources import Document
from trainyard.local_aws.context import Context, Handler
from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.sagemaker import pipeline_versions, tags
from trainyard.local_aws.sagemaker.definitions import (
    PIPELINE,
    drop_texts,
    find,
    keep_text,
    key,
    new_version,
    pipeline_arn,
    read,
    text_of,
    version_of,
)
from trainyard.local_aws.sagemaker.listing import page

_KEPT = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")


def create(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """A second request with the ClientRequestToken of the first is answered as that one was."""
    name = request["PipelineName"]
    tags.check(request)
    text = read(context, request)
    if text is None:
        raise AwsError(
            "ValidationException", "Either PipelineDefinition or PipelineDefinitionS3Location must be given"
        )
    now = time.time()
    version = new_version(request, 1, text)
    pipeline_versions.check_aliases([version])
    document = {
        "PipelineArn": pipeline_arn(name),
        "PipelineName": name,
        "PipelineDisplayName": name,
        "PipelineStatus": "Active",
        "CreationTime": now,
        "LastModifiedTime": now,
        **_kept(request),
        "Token": request.get("ClientRequestToken"),
        "Versions": [version],
    }
    keep_text(context, document, text)
    try:
        context.store.resources.add(PIPELINE, key(name), document)
    except AlreadyExists as error:
        token = document["Token"]
        if token is None or find(context, name)["Token"] != token:
            # ConflictException is declared, but this is what AWS says, and what the SDK's upsert reads
            raise AwsError(
                "ValidationException",
                "Pipeline names must be unique within an AWS account and region. "
                f"Pipeline with name ({name}) already exists.",
            ) from error
    tags.keep(context.store, document["PipelineArn"], request)
    return {"PipelineArn": document["PipelineArn"]}


def update(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """A definition makes a new version."""
    pipeline = find(context, request["PipelineName"])
    text = read(context, request)
    if text is not None:
        keep_text(context, pipeline, text)

    def change(document: Document) -> Document:
        versions = document["Versions"]
        if text is not None:
            versions = [*versions, new_version(request, versions[-1]["PipelineVersionId"] + 1, text)]
            pipeline_versions.check_aliases(versions)
        return {**document, **_kept(request), "LastModifiedTime": time.time(), "Versions": versions}

    changed = context.store.resources.change(PIPELINE, key(pipeline["PipelineName"]), change)
    return {
        "PipelineArn": changed["PipelineArn"],
        "PipelineVersionId": changed["Versions"][-1]["PipelineVersionId"],
    }


def describe(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    pipeline = find(context, request["PipelineName"])
    version = version_of(pipeline, request)
    return {
        **version,
        **pipeline,
        "PipelineDefinition": text_of(context, pipeline, version),
        "LastRunTime": _last_run(context, pipeline),
    }


def list_pipelines(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The newest first."""
    prefix = request.get("PipelineNamePrefix", "")
    pipelines = [] if request.get("ManagedBy") == "AWS" else context.store.resources.all(PIPELINE)
    return page(
        request,
        [pipeline for pipeline in pipelines if pipeline["PipelineName"].startswith(prefix)],
        summary=lambda pipeline: {**pipeline, "LastExecutionTime": _last_run(context, pipeline)},
        sort_keys={"Name": "PipelineName", "CreationTime": "CreationTime"},
        default_sort="CreationTime",
        name="PipelineName",
        key="PipelineSummaries",
        order="Descending",
    )


def delete(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The pipeline goes; its executions stay, which are the history and the cache of this machine."""
    pipeline = find(context, request["PipelineName"])
    for row in context.store.executions(1_000_000, pipeline["PipelineName"]):
        if row["status"] in ("Executing", "Stopping"):
            raise Conflict(
                f"Pipeline '{pipeline['PipelineArn']}' cannot be deleted while its execution {row['id']} is "
                f"{row['status']}; stop it with StopPipelineExecution first"
            )
    context.store.resources.remove(PIPELINE, key(pipeline["PipelineName"]))
    drop_texts(context, pipeline)
    tags.forget(context.store, pipeline["PipelineArn"])
    return {"PipelineArn": pipeline["PipelineArn"]}


def _kept(request: Mapping[str, Any]) -> dict[str, Any]:
    return {member: request[member] for member in _KEPT if member in request}


def _last_run(context: Context, pipeline: Document) -> float | None:
    rows = context.store.state.executions(1, pipeline["PipelineName"])
    return rows[0]["started"] if rows else None


OPERATIONS: dict[str, Handler] = {
    "CreatePipeline": create,
    "UpdatePipeline": update,
    "DescribePipeline": describe,
    "ListPipelines": list_pipelines,
    "DeletePipeline": delete,
    **pipeline_versions.OPERATIONS,
}

"""Pipelines as they are kept: found by name or ARN, their versions, and the checked text of each version."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from trainyard.definition import document as documents
from trainyard.definition.runnable import check_runnable
from trainyard.errors import AlreadyExists, NotFound, StoreError, Unsupported
from trainyard.execution.request import ARN
from trainyard.execution.resources import Document
from trainyard.execution.s3 import parse_uri
from trainyard.execution.state import Row
from trainyard.execution.steps import RULES
from trainyard.local_aws.context import Context
from trainyard.local_aws.messages import AwsError

PIPELINE = "pipeline"

_TEXT = "pipeline-definition"
_LONGEST = 1_048_576
"""Characters of a definition (CreatePipeline, PipelineDefinition)."""


def pipeline_arn(name: str) -> str:
    """AWS writes the names of pipelines in lower case in ARNs."""
    return f"{ARN}:pipeline/{name.lower()}"


def execution_arn(row: Row) -> str:
    return f"{pipeline_arn(row['pipeline'])}/execution/{row['id']}"


def key(name_or_arn: str) -> str:
    """What a pipeline is kept by: ARNs tell no names apart that differ in case alone."""
    return name_or_arn.rpartition("/")[2].lower()


def find(context: Context, name_or_arn: str) -> Document:
    """Raises NotFound."""
    found = context.store.resources.find(PIPELINE, key(name_or_arn))
    if found is None:
        raise NotFound(f"Pipeline '{pipeline_arn(key(name_or_arn))}' does not exist.")
    return found


def version_of(pipeline: Document, request: Mapping[str, Any]) -> dict[str, Any]:
    """The version that PipelineVersionId or PipelineVersionAlias names, else the latest. Raises NotFound."""
    versions: list[dict[str, Any]] = pipeline["Versions"]
    number, alias = request.get("PipelineVersionId"), request.get("PipelineVersionAlias")
    found = [
        version
        for version in versions
        if number in (None, version["PipelineVersionId"])
        and (alias is None or alias in version.get("PipelineVersionAliases", ()))
    ]
    if not found:
        asked = {"PipelineVersionId": number, "PipelineVersionAlias": alias}
        words = " and ".join(f"{name} {value!r}" for name, value in asked.items() if value is not None)
        raise NotFound(
            f"pipeline {pipeline['PipelineName']} has no version with {words}; "
            f"there are 1 to {versions[-1]['PipelineVersionId']}"
        )
    return found[-1]


def new_version(request: Mapping[str, Any], number: int, text: str) -> dict[str, Any]:
    aliases = request.get("PipelineVersionAliases")
    return {
        "PipelineVersionId": number,
        "CreationTime": time.time(),
        "Definition": _digest(text),
        **({"PipelineVersionAliases": aliases} if aliases else {}),
    }


def text_of(context: Context, pipeline: Document, version: Mapping[str, Any]) -> str:
    text: str = context.store.resources.get(_TEXT, _place(pipeline, version["Definition"]))["Text"]
    return text


def keep_text(context: Context, pipeline: Mapping[str, Any], text: str) -> None:
    """Texts are kept by their digests, so that one is there before the version that holds it."""
    with suppress(AlreadyExists):
        context.store.resources.add(_TEXT, _place(pipeline, _digest(text)), {"Text": text})


def drop_texts(context: Context, pipeline: Document) -> None:
    for digest in {version["Definition"] for version in pipeline["Versions"]}:
        with suppress(NotFound):
            context.store.resources.remove(_TEXT, _place(pipeline, digest))


def read(context: Context, request: Mapping[str, Any]) -> str | None:
    """A request's definition, found usable. Raises DefinitionError, Unsupported, or StoreError for one in S3."""
    text: str | None = request.get("PipelineDefinition")
    if location := request.get("PipelineDefinitionS3Location"):
        if text is not None:
            raise AwsError(
                "ValidationException",
                "PipelineDefinition and PipelineDefinitionS3Location cannot both be given",
            )
        text = _stored(context, location)
    if text is not None:
        check_runnable(documents.parse(text), RULES)
    return text


def _stored(context: Context, location: Mapping[str, str]) -> str:
    uri = parse_uri(f"s3://{location['Bucket']}/{location['ObjectKey']}")
    if "VersionId" in location:
        raise Unsupported(
            "PipelineDefinitionS3Location.VersionId: objects here have no versions; leave it out"
        )
    path = context.store.objects.path(uri)
    if path.is_file() and path.stat().st_size > 4 * _LONGEST:  # not even read
        raise StoreError(f"{uri} is no pipeline definition: those have at most {_LONGEST:,} characters")
    try:
        text = context.store.objects.read(uri).decode()
    except UnicodeDecodeError as error:
        raise StoreError(f"{uri} is no text: {error}") from error
    if len(text) > _LONGEST:
        raise StoreError(
            f"{uri} has {len(text):,} characters; a pipeline definition has at most {_LONGEST:,}"
        )
    return text


def _place(pipeline: Mapping[str, Any], digest: str) -> str:
    return f"{key(pipeline['PipelineName'])}/{digest}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()

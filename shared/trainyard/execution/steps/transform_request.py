"""CreateTransformJob's request to the job that it asks for, checked before anything happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainyard.errors import DefinitionError
from trainyard.execution.request import Channel
from trainyard.execution.steps.job import check_count, environment, need, s3_uri
from trainyard.execution.transform.joining import Joining, format_of
from trainyard.execution.transform.jsonpath import JsonPath, parse
from trainyard.execution.transform.request import MOST_MEGABYTES, TransformRequest


def read_request(step: str, arguments: Mapping[str, Any], name: str) -> TransformRequest:
    """The job that resolved arguments ask for. Raises DefinitionError, naming step and field."""
    try:
        return _read(step, arguments, name)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DefinitionError(
            f"step {step!r}: its Arguments do not have the shape of a CreateTransformJob request ({error!r})"
        ) from error


def _read(step: str, arguments: Mapping[str, Any], name: str) -> TransformRequest:
    source = need(step, arguments, "TransformInput", "DataSource", "S3DataSource")
    given, output = arguments["TransformInput"], need(step, arguments, "TransformOutput")
    place = "TransformInput.DataSource.S3DataSource.S3Uri"
    channel = Channel(
        name="TransformInput",
        container_path="",
        uri=s3_uri(step, place, source.get("S3Uri")),
        data_type=source.get("S3DataType") or "S3Prefix",
    )
    client, capture = arguments.get("ModelClientConfig") or {}, arguments.get("DataCaptureConfig") or {}
    count = need(step, arguments, "TransformResources", "InstanceCount")
    retries = client.get("InvocationsMaxRetries")
    request = TransformRequest(
        name=name,
        model=str(need(step, arguments, "ModelName")),
        channel=channel,
        output_uri=s3_uri(step, "TransformOutput.S3OutputPath", output.get("S3OutputPath")),
        content_type=given.get("ContentType") or "",
        accept=output.get("Accept") or "",
        gzipped=given.get("CompressionType") == "Gzip",
        split=given.get("SplitType") or "None",
        assemble=output.get("AssembleWith") or "None",
        joining=_joining(step, arguments, bool(capture.get("GenerateInferenceId"))),
        instances=check_count(step, "TransformResources.InstanceCount", count),
        strategy=arguments.get("BatchStrategy"),
        max_payload=arguments.get("MaxPayloadInMB"),
        max_concurrent=arguments.get("MaxConcurrentTransforms") or None,
        timeout=float(client.get("InvocationsTimeoutInSeconds") or 600),
        retries=3 if retries is None else int(retries),
        environment=environment(step, {"Environment": arguments.get("Environment") or {}}),
        capture_uri=s3_uri(step, "DataCaptureConfig.DestinationS3Uri", capture.get("DestinationS3Uri"))
        if capture
        else "",
        inference_ids=bool(capture.get("GenerateInferenceId")),
    )
    _check_limits(step, request)
    return request


def _check_limits(step: str, request: TransformRequest) -> None:
    """AWS API reference, CreateTransformJob: what MaxPayloadInMB and BatchStrategy say of one another."""
    payload, at_once = request.max_payload or 0, request.max_concurrent or 1
    if payload * at_once > MOST_MEGABYTES:
        raise DefinitionError(
            f"step {step!r}: MaxConcurrentTransforms * MaxPayloadInMB is {at_once} * {payload} MB; it may not exceed "
            f"{MOST_MEGABYTES} MB"
        )
    if request.strategy == "SingleRecord" and request.split == "None":
        raise DefinitionError(
            f"step {step!r}: BatchStrategy is SingleRecord and TransformInput.SplitType None; to send records, say how "
            "objects are split: Line, RecordIO or TFRecord"
        )


def _joining(step: str, arguments: Mapping[str, Any], stamped: bool) -> Joining:
    """DataProcessing, which has conditions on the formats of input and output."""
    options = arguments.get("DataProcessing") or {}
    given, output = arguments["TransformInput"], arguments["TransformOutput"]
    content_type = given.get("ContentType") or ""
    joining = Joining(
        input_filter=_path(step, "InputFilter", options),
        output_filter=_path(step, "OutputFilter", options),
        join=options.get("JoinSource") == "Input",
        takes=format_of(content_type),
        gives=format_of(output.get("Accept") or content_type),
    )
    filters_input = joining.join or not joining.input_filter.whole
    changes_output = stamped or not joining.answers_as_they_are
    where = f"step {step!r}: DataProcessing"
    possible = "text/csv, application/json or application/jsonlines"
    if filters_input and joining.takes == "other":
        raise DefinitionError(f"{where} needs TransformInput.ContentType {possible}, not {content_type!r}")
    if changes_output and joining.gives == "other":
        raise DefinitionError(
            f"{where} needs TransformOutput.Accept {possible}, not {output.get('Accept')!r}"
        )
    if joining.join and joining.takes != joining.gives:
        raise DefinitionError(f"{where}.JoinSource needs ContentType and Accept of the same format")
    csv_input = filters_input and joining.takes == "csv"
    if csv_input and given.get("SplitType") != "Line":
        raise DefinitionError(f"{where} of text/csv needs TransformInput.SplitType Line")
    if changes_output and joining.gives == "csv" and output.get("AssembleWith") != "Line":
        raise DefinitionError(f"{where} of text/csv needs TransformOutput.AssembleWith Line")
    if given.get("SplitType") in ("RecordIO", "TFRecord") and filters_input:
        raise DefinitionError(f"{where} takes CSV and JSON only, and SplitType is {given['SplitType']}")
    for path, kind in ((joining.input_filter, joining.takes), (joining.output_filter, joining.gives)):
        if kind == "csv" and not path.by_position:
            raise DefinitionError(f"{where}: {path.text} has names; CSV columns have positions: $[0], $[1:]")
    return joining


def _path(step: str, key: str, options: Mapping[str, Any]) -> JsonPath:
    try:
        return parse(options.get(key) or "$")
    except DefinitionError as error:
        raise DefinitionError(f"step {step!r}: DataProcessing.{key}: {error}") from None

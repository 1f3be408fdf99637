"""Register every model of a training job as a version of one model package group; list what was there before.

A training job that stores its models uncompressed leaves an archive per model below its S3ModelArtifacts. Each
archive becomes a version of its own; only the one that answers for all of them together (``together`` in the
event) does not: every version names it. An archive is registered once: its address names the job and the model.

Permissions: s3:ListBucket, s3:GetObject, s3:PutObject on the bucket of the pipeline's outputs;
sagemaker:DescribeTrainingJob, CreateModelPackageGroup, CreateModelPackage, ListModelPackages,
DescribeModelPackage, BatchDescribeModelPackage. Timeout: two minutes.

Sources: Amazon SageMaker API reference, "CreateModelPackage"; AWS Lambda Developer Guide, Python handlers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import boto3

ARCHIVE = ".tar.gz"
MOST_LOOKED_AT = 100  # versions of the group that are searched for the last ones of each model
MOST_PROPERTIES, LONGEST_VALUE = 50, 256  # of CustomerMetadataProperties
_NO_VALUE = re.compile(r"[^\w\s.:/=+\-@]")  # characters that its values may not have

Event = Mapping[str, Any]


def lambda_handler(event: Event, context: object) -> dict[str, Any]:
    """``action`` is ``list`` or ``register``; both take ``group``, ``training_job``, ``models`` and ``together``.

    ``list`` writes the last versions of the job's models to registered.json below ``output``/``training_job``.
    ``register`` takes also ``evaluation`` (the prefix that has models/NAME/model_quality.json), ``image``,
    ``status``, ``content_types``, ``response_types``, ``instances`` and ``properties``.
    """
    actions = {"list": list_registered, "register": register}
    if event["action"] not in actions:
        raise ValueError(f"action {event['action']!r}: must be one of {', '.join(actions)}")
    return actions[event["action"]](event)


def list_registered(event: Event) -> dict[str, Any]:
    """The prefix with registered.json: [{model, version, status, metrics}], oldest first, without this job's own."""
    together = event["together"].removesuffix(ARCHIVE)
    wanted = {*archives(event["models"]), together}
    found: dict[str, dict[str, Any]] = {}
    for package in packages(event["group"]):
        properties = package.get("CustomerMetadataProperties", {})
        if properties.get("TrainingJobName") == event["training_job"]:
            continue
        quality = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri")
        key, of_all = properties.get("ModelKey"), properties.get("TogetherModelQuality")
        for model, uri in ((key, quality), (together, of_all)):
            if model in wanted and model not in found and uri:
                found[model] = {
                    "model": model,
                    "version": package["ModelPackageVersion"],
                    "status": package["ModelApprovalStatus"],
                    "metrics": metrics(uri),
                }
        if wanted <= found.keys():
            break
    listed = sorted(found.values(), key=lambda each: (each["version"], each["model"]))
    folder = f"{event['output'].rstrip('/')}/{event['training_job']}/registered/"
    bucket, key = parse(f"{folder}registered.json")
    body = json.dumps(listed, indent=1).encode()
    client("s3").put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
    print(f"{len(listed)} of {len(wanted)} models have earlier versions in {event['group']}")
    return {"RegisteredUri": folder, "RegisteredModels": len(listed)}


def register(event: Event) -> dict[str, Any]:
    """The ARNs of the job's versions, joined by commas, and how many of them are new."""
    sagemaker = client("sagemaker")
    found = archives(event["models"])
    together = found.pop(event["together"].removesuffix(ARCHIVE), "")
    if not found:
        raise ValueError(f"{event['models']} has no archives NAME{ARCHIVE} of models")
    try:
        sagemaker.create_model_package_group(ModelPackageGroupName=event["group"])
    except sagemaker.exceptions.ClientError as error:
        if "already exists" not in str(error):
            raise
    known = registered_archives(event["group"])
    shared = properties_of_all(event, together)
    arns, new = [], 0
    for model, archive in found.items():
        if archive not in known:
            request = package_request(event, model, archive, shared)
            known[archive] = sagemaker.create_model_package(**request)["ModelPackageArn"]
            new += 1
        arns.append(known[archive])
        print(f"{model}: {known[archive]}")
    return {"ModelPackageArns": ",".join(arns), "NewModelPackages": new}


def package_request(event: Event, model: str, archive: str, shared: Mapping[str, str]) -> dict[str, Any]:
    """CreateModelPackage's; with the same token, two functions that run at once add one version."""
    statistics = {"ContentType": "application/json", "S3Uri": quality_uri(event, model)}
    return {
        "ModelPackageGroupName": event["group"],
        "ModelPackageDescription": f"{model} of {event['training_job']}",
        "InferenceSpecification": {
            "Containers": [{"Image": event["image"], "ModelDataUrl": archive}],
            "SupportedContentTypes": event["content_types"],
            "SupportedResponseMIMETypes": event["response_types"],
            "SupportedRealtimeInferenceInstanceTypes": event["instances"],
            "SupportedTransformInstanceTypes": event["instances"],
        },
        "ModelMetrics": {"ModelQuality": {"Statistics": statistics}},
        "ModelApprovalStatus": event["status"],
        "CustomerMetadataProperties": as_properties({"ModelKey": model, **shared}),
        "ClientToken": hashlib.sha256(f"{event['group']} {archive}".encode()).hexdigest()[:36],
    }


def properties_of_all(event: Event, together: str) -> dict[str, str]:
    """What the versions of one job have in common: where they come from, and what was trained on and how."""
    job = client("sagemaker").describe_training_job(TrainingJobName=event["training_job"])
    digests = {
        f"DataDigest.{channel['ChannelName']}": digest(channel["DataSource"]["S3DataSource"]["S3Uri"])
        for channel in job.get("InputDataConfig", [])
    }
    of_all = event["together"].removesuffix(ARCHIVE)
    return {
        "TrainingJobName": event["training_job"],
        **event["properties"],
        **(
            {"TogetherDataUrl": together, "TogetherModelQuality": quality_uri(event, of_all)}
            if together
            else {}
        ),
        **digests,
        **{f"Hyperparameter.{name}": value for name, value in job.get("HyperParameters", {}).items()},
    }


def as_properties(values: Mapping[str, str]) -> dict[str, str]:
    """As CustomerMetadataProperties takes them: fifty at most, few characters that are neither letter nor digit.

    What does not fit is left out: it is in DescribeTrainingJob, whose job is among the first.
    """
    texts = {name: _NO_VALUE.sub(" ", str(value)) for name, value in values.items()}
    fitting = [(name, text) for name, text in texts.items() if 0 < len(text) <= LONGEST_VALUE]
    return dict(fitting[:MOST_PROPERTIES])


def archives(models: str) -> dict[str, str]:
    """The archives directly below a prefix, by the names of their models."""
    prefix = f"{models.rstrip('/')}/"
    names = [uri.removeprefix(prefix) for uri, _ in objects(prefix)]
    found = sorted(name for name in names if name.endswith(ARCHIVE) and "/" not in name)
    return {name.removesuffix(ARCHIVE): f"{prefix}{name}" for name in found}


def registered_archives(group: str) -> dict[str, str]:
    """The versions' ARNs by the archive that each serves."""
    sagemaker = client("sagemaker")
    arns = [package["ModelPackageArn"] for package in summaries(group)]
    found = {}
    for start in range(0, len(arns), 100):
        answer = sagemaker.batch_describe_model_package(ModelPackageArnList=arns[start : start + 100])
        for arn, package in answer.get("ModelPackageSummaries", {}).items():
            for container in package.get("InferenceSpecification", {}).get("Containers", []):
                found[container.get("ModelDataUrl", "")] = arn
    return found


def packages(group: str) -> Iterator[dict[str, Any]]:
    """The newest versions of the group, newest first."""
    sagemaker = client("sagemaker")
    for number, package in enumerate(summaries(group)):
        if number == MOST_LOOKED_AT:
            return
        yield sagemaker.describe_model_package(ModelPackageName=package["ModelPackageArn"])


def summaries(group: str) -> Iterator[dict[str, Any]]:
    """Newest first; none where there is no such group yet."""
    sagemaker = client("sagemaker")
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
    )
    try:
        for page in pages:
            yield from page["ModelPackageSummaryList"]
    except sagemaker.exceptions.ClientError as error:
        if "does not exist" not in str(error):
            raise


def metrics(uri: str) -> dict[str, float]:
    """The numbers of a model quality file; none where it is gone."""
    s3 = client("s3")
    bucket, key = parse(uri)
    try:
        report = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
    except s3.exceptions.NoSuchKey:
        return {}
    values = {name: metric for group in report.values() for name, metric in group.items()}
    return {
        name: metric["value"]
        for name, metric in values.items()
        if isinstance(metric.get("value"), int | float)
    }


def digest(prefix: str) -> str:
    """Of the names and checksums (ETag) of everything below a prefix."""
    lines = sorted(f"{uri.removeprefix(prefix)} {etag}\n" for uri, etag in objects(prefix))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def objects(prefix: str) -> Iterator[tuple[str, str]]:
    """The address and checksum of each object whose key begins as the prefix says."""
    bucket, key = parse(prefix)
    pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
    for page in pages:
        for each in page.get("Contents", []):
            yield f"s3://{bucket}/{each['Key']}", each["ETag"]


def quality_uri(event: Event, model: str) -> str:
    return f"{event['evaluation'].rstrip('/')}/models/{model}/model_quality.json"


@cache
def client(service: str) -> Any:
    return boto3.client(service)


def parse(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key

"""The versions of a pipeline: one for each definition it was given, with names and aliases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainyard.errors import Conflict
from trainyard.execution.resources import Document
from trainyard.local_aws.context import Context, Handler
from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.sagemaker.definitions import PIPELINE, execution_arn, find, key, version_of
from trainyard.local_aws.sagemaker.listing import page

_MOST_ALIASES = 10


def check_aliases(versions: Sequence[Mapping[str, Any]]) -> None:
    """Raises Conflict for an alias of two versions, AwsError for a bad one or too many of one version."""
    owner: dict[str, int] = {}
    for version in versions:
        aliases = version.get("PipelineVersionAliases", ())
        if len(aliases) > _MOST_ALIASES:
            raise AwsError("ValidationException", f"a version can have up to {_MOST_ALIASES} aliases")
        for alias in aliases:
            if alias.isdecimal():
                raise AwsError("ValidationException", f"alias {alias!r} cannot consist of numbers only")
            if alias in owner:
                raise Conflict(
                    f"alias {alias!r} belongs to version {owner[alias]} already; remove it there first"
                )
            owner[alias] = version["PipelineVersionId"]


def list_versions(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The newest first."""
    pipeline = find(context, request["PipelineName"])
    newest: dict[int, str] = {}
    for row in context.store.state.executions(1_000_000, pipeline["PipelineName"]):
        number = row["options"].get("request", {}).get("PipelineVersionId")
        newest.setdefault(number, execution_arn(row))

    def summary(version: dict[str, Any]) -> dict[str, Any]:
        last = newest.get(version["PipelineVersionId"])
        return {
            **version,
            "PipelineArn": pipeline["PipelineArn"],
            **({"LastExecutionPipelineExecutionArn": last} if last else {}),
        }

    return page(
        request,
        pipeline["Versions"],
        summary=summary,
        sort_keys={"PipelineVersionId": "PipelineVersionId"},
        default_sort="PipelineVersionId",
        name="PipelineVersionId",
        key="PipelineVersionSummaries",
        order="Descending",
    )


def update_version(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    pipeline = find(context, request["PipelineArn"])
    number = version_of(pipeline, request)["PipelineVersionId"]

    def change(document: Document) -> Document:
        versions = [
            _renamed(version, request) if version["PipelineVersionId"] == number else version
            for version in document["Versions"]
        ]
        check_aliases(versions)
        return {**document, "Versions": versions}

    context.store.resources.change(PIPELINE, key(pipeline["PipelineName"]), change)
    return {"PipelineArn": pipeline["PipelineArn"], "PipelineVersionId": number}


def _renamed(version: dict[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    operations = request.get("PipelineVersionAliasOperations", {})
    kept = [
        alias
        for alias in version.get("PipelineVersionAliases", ())
        if alias not in operations.get("Remove", ())
    ]
    names = ("PipelineVersionDisplayName", "PipelineVersionDescription")
    return {
        **version,
        **{name: request[name] for name in names if name in request},
        "PipelineVersionAliases": list(dict.fromkeys([*kept, *operations.get("Add", ())])),
    }


OPERATIONS: dict[str, Handler] = {
    "ListPipelineVersions": list_versions,
    "UpdatePipelineVersion": update_version,
}

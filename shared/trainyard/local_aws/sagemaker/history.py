"""What can be asked about pipeline executions, those of ``trainyard run`` included: their state, steps, parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from trainyard.definition import document as documents
from trainyard.definition import expressions
from trainyard.definition.parameters import resolve_parameters
from trainyard.errors import NotFound, UserError
from trainyard.execution.scope import ExecutionScope
from trainyard.execution.state import Row
from trainyard.local_aws.context import Context, Handler
from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.sagemaker.definitions import execution_arn, find, key, pipeline_arn, version_of
from trainyard.local_aws.sagemaker.listing import page
from trainyard.local_aws.sagemaker.step_entries import declared_steps, entry

_EXECUTION_ARN = re.compile(
    r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]*:\d{12}:pipeline/([^/]+)/execution/([a-z0-9]{12})"
)
_ALL = 1_000_000
_PAGE = 100
"""Items a page has by default where the SDK reads but one (PipelineExecution.list_steps)."""


def execution_of(context: Context, arn: str) -> Row:
    """The execution of an ARN, however that spells the pipeline's name. Raises NotFound."""
    match = _EXECUTION_ARN.fullmatch(arn)
    with suppress(NotFound):
        row = context.store.execution(match[2]) if match else None
        if match and row and row["pipeline"].lower() == match[1].lower():
            return row
    raise NotFound(f"Pipeline execution with ARN {arn} does not exist.")


def requested(row: Row) -> dict[str, Any]:
    """What StartPipelineExecution and UpdatePipelineExecution said of it beside its parameters."""
    members: dict[str, Any] = row["options"].get("request", {})
    return members


def describe(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    row = execution_of(context, request["PipelineExecutionArn"])
    steps = context.store.state.steps(row["id"])
    times = [row["started"], row["ended"], *(step["ended"] or step["started"] for step in steps)]
    answer = {
        "PipelineArn": pipeline_arn(row["pipeline"]),
        "PipelineExecutionArn": execution_arn(row),
        "PipelineExecutionDisplayName": f"execution-{row['started'] * 1000:.0f}",
        "PipelineExecutionStatus": row["status"],
        "CreationTime": row["started"],
        "LastModifiedTime": max(time for time in times if time),
        "CreatedBy": {},
        "LastModifiedBy": {},
        **requested(row),
    }
    if row["failure"]:
        answer["FailureReason"] = row["failure"][:1300]
    if parallel := row["options"].get("parallel"):
        answer["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": parallel}
    if selected := row["options"].get("selected"):
        answer["SelectiveExecutionConfig"] = _selection(row, selected)
    if experiment := _experiment(context, row):
        answer["PipelineExperimentConfig"] = experiment
    return answer


def list_executions(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The newest first. A pipeline that was never created but run here has executions, too."""
    name, rows = _executions(context, request)
    if request.get("PipelineVersionAlias"):
        version = version_of(find(context, name), request)["PipelineVersionId"]
        rows = [row for row in rows if requested(row).get("PipelineVersionId") == version]
    items = [{**row, "Arn": execution_arn(row), "CreationTime": row["started"]} for row in rows]
    return page(
        request,
        items,
        summary=_summary,
        sort_keys={"CreationTime": "CreationTime", "PipelineExecutionArn": "Arn"},
        default_sort="CreationTime",
        name="Arn",
        key="PipelineExecutionSummaries",
        order="Descending",
    )


def list_steps(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The newest first."""
    if "PipelineExecutionArn" not in request:
        raise AwsError(
            "ValidationException", "PipelineExecutionArn is missing: the execution whose steps to list"
        )
    row = execution_of(context, request["PipelineExecutionArn"])
    declared = declared_steps(row)
    return page(
        request,
        [entry(row, step, declared) for step in context.store.state.steps(row["id"])],
        summary=lambda step: step,
        sort_keys={"StartTime": "StartTime"},
        default_sort="StartTime",
        name="StepName",
        key="PipelineExecutionSteps",
        order="Descending",
        size=_PAGE,
    )


def list_parameters(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Every parameter with the value that it has in the execution, given or by default."""
    row = execution_of(context, request["PipelineExecutionArn"])
    values = resolve_parameters(documents.parse(row["definition"]), row["parameters"])
    return page(
        request,
        [{"Name": name, "Value": str(value)} for name, value in values.items()],
        summary=lambda parameter: parameter,
        sort_keys={"Name": "Name"},
        default_sort="Name",
        name="Name",
        key="PipelineParameters",
        size=_PAGE,
    )


def describe_definition(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    row = execution_of(context, request["PipelineExecutionArn"])
    return {"PipelineDefinition": json.dumps(row["definition"]), "CreationTime": row["started"]}


def _executions(context: Context, request: Mapping[str, Any]) -> tuple[str, list[Row]]:
    """The pipeline's name as it was created, or as it was run, and its executions. Raises NotFound."""
    asked = request["PipelineName"]
    try:
        name = find(context, asked)["PipelineName"]
    except NotFound:
        rows = [row for row in context.store.executions(_ALL) if row["pipeline"].lower() == key(asked)]
        if not rows:
            raise
        return asked, rows
    return name, context.store.executions(_ALL, name)


def _summary(row: Row) -> dict[str, Any]:
    given = requested(row)
    names = ("PipelineExecutionDisplayName", "PipelineExecutionDescription")
    return {
        "PipelineExecutionArn": row["Arn"],
        "StartTime": row["started"],
        "PipelineExecutionStatus": row["status"],
        "PipelineExecutionDisplayName": f"execution-{row['started'] * 1000:.0f}",
        **{name: given[name] for name in names if name in given},
        **({"PipelineExecutionFailureReason": row["failure"][:3072]} if row["failure"] else {}),
    }


def _selection(row: Row, selected: Mapping[str, Any]) -> dict[str, Any]:
    source = execution_arn({**row, "id": selected["source"]}) if selected["source"] else ""
    return {
        "SelectedSteps": [{"StepName": name} for name in selected["steps"]],
        **({"SourcePipelineExecutionArn": source} if source else {}),
    }


def _experiment(context: Context, row: Row) -> dict[str, Any]:
    """The definition's PipelineExperimentConfig, its expressions replaced by what they are in the execution."""
    with suppress(UserError):
        document = documents.parse(row["definition"])
        scope = ExecutionScope(
            store=context.store,
            document=document,
            parameters=resolve_parameters(document, row["parameters"]),
            execution_id=row["id"],
            pipeline=row["pipeline"],
            started=row["started"],
        )
        names: dict[str, Any] = expressions.resolve(document.experiment_config, scope)
        return names
    return {}


OPERATIONS: dict[str, Handler] = {
    "DescribePipelineExecution": describe,
    "ListPipelineExecutions": list_executions,
    "ListPipelineExecutionSteps": list_steps,
    "ListPipelineParametersForExecution": list_parameters,
    "DescribePipelineDefinitionForExecution": describe_definition,
}

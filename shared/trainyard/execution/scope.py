"""What the references of a definition mean in one execution."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trainyard.definition import properties
from trainyard.definition.document import Document
from trainyard.errors import ExpressionError, StoreError
from trainyard.execution.request import ARN
from trainyard.execution.s3 import parse_uri
from trainyard.execution.store import Store


@dataclass(frozen=True)
class Iteration:
    """One turn of a ForEach step: its steps are recorded as ``<body step>-<index>``."""

    parent: str
    index: int
    item: Any
    body: frozenset[str]

    @property
    def context(self) -> dict[str, Any]:
        """IterationContext of ListPipelineExecutionSteps."""
        item = self.item if isinstance(self.item, str) else json.dumps(self.item)
        return {"ParentStepName": self.parent, "Index": self.index, "Item": item}

    def child(self, step: str) -> str:
        """The name under which a step is recorded, if it is one of the body."""
        return f"{step}-{self.index}" if step in self.body else step


@dataclass(frozen=True, kw_only=True)
class ExecutionScope:
    """Implements ``definition.expressions.Scope`` on the store's record of an execution.

    ``started`` is in seconds since 1970. ``results`` off is for plans made before anything runs:
    no step has a result then.
    """

    store: Store
    document: Document
    parameters: Mapping[str, Any]
    execution_id: str
    pipeline: str
    started: float
    job: str = ""
    results: bool = True
    iteration: Iteration | None = None

    def recorded(self, step: str) -> str:
        """The name under which a step of the definition is recorded here."""
        return self.iteration.child(step) if self.iteration else step

    def parameter(self, name: str) -> Any:
        if name not in self.parameters:
            raise ExpressionError(f"no parameter {name!r}; there are: {', '.join(self.parameters) or 'none'}")
        return self.parameters[name]

    def execution(self, variable: str) -> Any:
        arn = f"{ARN}:pipeline/{self.pipeline.lower()}"
        values = {
            "PipelineExecutionId": self.execution_id,
            "PipelineExecutionArn": f"{arn}/execution/{self.execution_id}",
            "PipelineName": self.pipeline,
            "PipelineArn": arn,
            "StartDateTime": _time(self.started),
            "CurrentDateTime": _time(datetime.now(UTC).timestamp()),
        }
        if self.job:
            values |= {"TrainingJobName": self.job, "ProcessingJobName": self.job}
        if variable not in values:
            raise ExpressionError(f"Execution.{variable} has no value here; possible: {', '.join(values)}")
        return values[variable]

    def experiment(self, name: str) -> Any:
        config = self.document.experiment_config or {}
        defaults = {"ExperimentName": self.pipeline, "TrialName": self.execution_id}
        return config.get(name) or defaults[name]

    def current_item(self, path: properties.Path) -> Any:
        if self.iteration is None:
            raise ExpressionError("ForEach.CurrentItem has a value only while a ForEach step runs")
        item = self.iteration.item
        if path and isinstance(item, str):
            try:
                item = json.loads(item)
            except ValueError as error:
                raise ExpressionError(
                    f"the item {item!r} is not JSON, so nothing is in it: {error}"
                ) from error
        return properties.lookup(item, path)

    def step_property(self, step: str, path: properties.Path) -> Any:
        return properties.lookup(self._result(step), path)

    def property_file(self, step: str, name: str) -> Any:
        result = self._result(step)
        files = {item.name: item for item in self.document.by_name[step].property_files}
        if name not in files:
            raise ExpressionError(
                f"step {step!r} has no property file {name!r}; it has: {', '.join(files) or 'none'}"
            )
        path = ("ProcessingOutputConfig", "Outputs", files[name].output_name, "S3Output", "S3Uri")
        folder = parse_uri(properties.lookup(result, path))
        return self._json(str(folder.join(files[name].file_path)))

    def s3_json(self, uri: str) -> Any:
        return self._json(uri)

    def _json(self, uri: str) -> Any:
        try:
            return json.loads(self.store.objects.read(parse_uri(uri)))
        except (StoreError, ValueError) as error:
            raise ExpressionError(f"{uri} cannot be read as JSON: {error}") from error

    def _result(self, step: str) -> Mapping[str, Any]:
        row = self.store.state.step(self.execution_id, self.recorded(step)) if self.results else None
        if row is None or row["result"] is None:
            raise ExpressionError(f"step {step!r} has no result")
        result: Mapping[str, Any] = row["result"]
        return result


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""One execution while it is being run, and what comes of a step: what the executor and the kinds of steps share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from trainyard.definition import expressions
from trainyard.definition.document import Document
from trainyard.definition.steps import Step
from trainyard.execution import events
from trainyard.execution.machine import Machine
from trainyard.execution.request import StopSignal
from trainyard.execution.scope import ExecutionScope, Iteration
from trainyard.execution.slots import Slots
from trainyard.execution.store import Store
from trainyard.execution.targets import Targets

CacheMode = Literal["content", "aws", "off"]
"""What a step's cache key is made of: stored contents, or the literal request as on AWS; or every step runs."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution while it is being run: what every step needs to know."""

    machine: Machine
    document: Document
    parameters: Mapping[str, Any]
    execution_id: str
    pipeline: str
    started: float
    stop: StopSignal
    watch: events.Watcher
    cache: CacheMode = "content"
    slots: Slots = field(default_factory=Slots)
    iteration: Iteration | None = None  # in the body of a ForEach step

    @property
    def use_cache(self) -> bool:
        return self.cache != "off"

    @property
    def store(self) -> Store:
        return self.machine.store

    @property
    def targets(self) -> Targets:
        return self.machine.targets

    def scope(self, job: str = "", *, results: bool = True) -> ExecutionScope:
        return ExecutionScope(
            store=self.store,
            document=self.document,
            parameters=self.parameters,
            execution_id=self.execution_id,
            pipeline=self.pipeline,
            started=self.started,
            job=job,
            results=results,
            iteration=self.iteration,
        )

    def arguments(self, step: Step, job: str = "") -> dict[str, Any]:
        """The step's Arguments with every expression replaced by its value."""
        resolved: dict[str, Any] = expressions.resolve(step.arguments, self.scope(job))
        return resolved


@dataclass(frozen=True, kw_only=True)
class StepEnd:
    """What came of a step: columns of its row in the state. ``status`` is Succeeded, Failed or Stopped."""

    status: str
    failure: str = ""
    result: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, list[int]] = field(default_factory=dict)
    cache_source: str | None = None
    detail: str = ""

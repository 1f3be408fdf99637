"""What the operations of the local endpoint work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainyard.execution import events
from trainyard.execution.begun import Begun
from trainyard.execution.executor import Executor
from trainyard.execution.machine import Machine
from trainyard.execution.store import Store
from trainyard.local_aws.background import Background

Emit = Callable[[str, Mapping[str, Any]], None]
"""Takes an event's detail-type and detail, as SageMaker sends them to EventBridge."""

Handler = Callable[["Context", dict[str, Any]], Mapping[str, Any]]
"""One operation: validated input members to output members. Times are in seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """``new_machine`` makes a machine whose targets are those the endpoint was started with.

    ``executing`` are the pipeline executions that run in this process, by their ids.
    """

    new_machine: Callable[[], Machine]
    background: Background
    emit: Emit = lambda detail_type, detail: None
    watch: events.Watcher = events.nobody
    executing: dict[str, Begun] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        return self.background.store

    def executor(self) -> Executor:
        machine = self.new_machine()
        return Executor(
            machine.store,
            machine.launcher,
            machine.targets,
            self.watch,
            endpoint_url=machine.endpoint_url,
            hosts=machine.hosts,
        )

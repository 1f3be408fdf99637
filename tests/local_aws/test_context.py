from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trainyard.execution import events
from trainyard.execution.hosts import Hosts
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.machine import Machine
from trainyard.execution.targets import Targets
from trainyard.local_aws.background import Background
from trainyard.local_aws.context import Context

FAILS = {"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "as it should"}}


@pytest.fixture
def machine(store, environments) -> Machine:
    targets = Targets({}, {}, Path("/"))
    plain = Machine(
        store=store,
        launcher=VenvLauncher(environments, {}),
        targets=targets,
        endpoint_url="http://127.0.0.1:1",
    )
    return replace(plain, hosts=Hosts(lambda: plain))


def test_an_executor_works_with_all_that_the_machine_has(store, machine) -> None:
    context = Context(new_machine=lambda: machine, background=Background(store))
    assert context.store is store
    assert context.executor()._machine == machine


def test_executors_have_stops_of_their_own_and_tell_the_contexts_watcher(store, machine) -> None:
    seen: list[events.Event] = []
    context = Context(new_machine=lambda: machine, background=Background(store), watch=seen.append)
    first, second = context.executor(), context.executor()
    first.stop.request()
    finished = second.start({"Version": "2020-12-01", "Steps": [FAILS]}, "p", {})
    assert finished.status == "Failed"  # and not Stopped
    assert any(isinstance(event, events.ExecutionStarted) for event in seen)


def test_nobody_need_listen_to_its_events(store) -> None:
    context = Context(new_machine=lambda: None, background=Background(store))
    context.emit("SageMaker Model Package State Change", {})

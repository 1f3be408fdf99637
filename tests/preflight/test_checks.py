from __future__ import annotations

from collections.abc import Iterator

import pytest

from trainyard.errors import DockerError, ExecutionStopped
from trainyard.preflight.checks import Check, Finding, perform


def fine(subject: str) -> Iterator[Finding]:
    yield from ()


def warns(subject: str) -> Iterator[Finding]:
    yield Finding(rule="w", severity="warning", message=subject)


def fails(subject: str) -> Iterator[Finding]:
    yield Finding(rule="first", message="one")
    raise DockerError("docker is gone")


def test_what_a_check_yields_and_what_it_raises_are_its_findings():
    results = list(
        perform([Check(name="a", run=fine), Check(name="b", run=warns), Check(name="c", run=fails)], "x")
    )
    assert [(r.name, r.failed) for r in results] == [("a", False), ("b", False), ("c", True)]
    assert [f.message for f in results[1].findings] == ["x"]
    assert [(f.rule, f.message) for f in results[2].findings] == [("first", "one"), ("c", "docker is gone")]


def test_a_check_that_needs_a_failed_one_is_skipped_and_so_are_those_that_need_it():
    checks = [
        Check(name="a", run=fails),
        Check(name="b", run=fine, needs=("a",)),
        Check(name="c", run=fine, needs=("b",)),
        Check(name="d", run=fine),
    ]
    results = list(perform(checks, "x"))
    assert [bool(r.skipped) for r in results] == [False, True, True, False]
    assert "'a' failed" in results[1].skipped
    later = list(perform([Check(name="e", run=fine, needs=("c",))], "x", done=results))
    assert later[0].skipped and not later[0].failed


def test_a_check_that_somebody_stops_has_found_nothing():
    def stopped(subject: str) -> Iterator[Finding]:
        yield from ()
        raise ExecutionStopped("the checks were stopped")

    with pytest.raises(ExecutionStopped):
        list(perform([Check(name="a", run=stopped)], "x"))

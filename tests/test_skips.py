"""Tests that need what a machine may lack: when they skip, and how that is said."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.conftest import pytest_terminal_summary, require_sources
from trainyard.execution.environments import Environments
from trainyard.families import Family, Source, find_families


@pytest.fixture
def environments(tmp_path, monkeypatch) -> Environments:
    monkeypatch.delenv("THING_SOURCE", raising=False)
    return Environments(tmp_path)


@pytest.fixture
def needy(tmp_path) -> Family:
    """A family with a package that is nowhere."""
    package = Source(
        package="thing", variable="THING_SOURCE", default="git+file:///nowhere@0", compiled=False
    )
    (tmp_path / "requirements.txt").touch()
    return SimpleNamespace(name="needy", folder=tmp_path, image=SimpleNamespace(sources=(package,)))


def test_nothing_is_asked_of_families_that_any_machine_can_have(family, environments):
    require_sources(family, environments)


def test_gigabytes_are_not_brought_unasked(needy, environments):
    with pytest.raises(pytest.skip.Exception, match=r"needy.*`trainyard test needy`.* or set THING_SOURCE"):
        require_sources(needy, environments)


def test_who_sets_the_variable_wants_the_tests_to_run(needy, environments, monkeypatch):
    monkeypatch.setenv("THING_SOURCE", "git+file:///nowhere@1")
    require_sources(needy, environments)


def test_an_environment_that_is_there_is_used(needy, environments):
    (environments.path(needy) / "bin").mkdir(parents=True)
    (environments.path(needy) / "trainyard-ready").touch()
    require_sources(needy, environments)


def test_the_family_that_stands_for_any_needs_no_source(root, family):
    assert not family.image.sources and family == find_families(root)[family.name]


def test_what_was_skipped_is_counted_by_reason():
    reports = [SimpleNamespace(longrepr=("file", 1, f"Skipped: {reason}")) for reason in ("a", "b", "b")]
    said: list[str] = []
    pytest_terminal_summary(SimpleNamespace(stats={"skipped": reports}, write_line=said.append))
    assert said == ["2 skipped: b", "1 skipped: a"]

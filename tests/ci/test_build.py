from __future__ import annotations

import json

import pytest

from ci import build as builds
from ci.build import Build
from trainyard.errors import UnknownFamily, UsageError
from trainyard.families import repository_root
from trainyard.images.plan import Planned

ROOT = repository_root()


@pytest.fixture
def build(tmp_path, monkeypatch) -> Build:
    """A build of this repository whose state lies elsewhere."""
    for variable in (builds.FAMILIES_VARIABLE, "CODEBUILD_BUILD_SUCCEEDING"):
        monkeypatch.delenv(variable, raising=False)
    found = Build(ROOT)
    found.folder = tmp_path / ".build"
    found.clear()
    return found


def planned(build: Build, status: str = "missing") -> list[Planned]:
    return [Planned(recipe=recipe, status=status, why="because") for recipe in build.recipes.values()]


def test_the_families_are_all_or_those_of_the_environment(build, family, monkeypatch):
    assert family.name in build.recipes
    for given in (family.name, f"{family.name}, {family.name}"):
        monkeypatch.setenv(builds.FAMILIES_VARIABLE, given)
        assert list(Build(ROOT).recipes) == [family.name]
    monkeypatch.setenv(builds.FAMILIES_VARIABLE, "nobody")
    with pytest.raises(UnknownFamily, match="nobody"):
        _ = Build(ROOT).recipes


def test_the_plan_is_what_the_other_commands_follow(build, capsys):
    build.save_plan(planned(build))
    assert list(build.missing()) == list(build.planned()) == list(build.recipes)
    build.save_plan(planned(build, "present"))
    assert builds.to_build(build) == {}
    assert capsys.readouterr().out.count("is in the registry already, nothing to do") == len(build.recipes)


def test_without_a_plan_or_with_other_files_they_refuse(build, monkeypatch, family):
    with pytest.raises(UsageError, match=r"no \.build/plan\.json: run python -m ci\.release plan first"):
        build.planned()
    build.save_plan(planned(build))
    document = json.loads((build.folder / "plan.json").read_text())
    document[0]["tag"] = "src-0000000000000000"
    build.write("plan.json", document)
    with pytest.raises(UsageError, match=r"the plan says src-0000000000000000, but the files are src-"):
        build.missing()
    monkeypatch.setitem(document[0], "family", "gone")
    build.write("plan.json", document)
    with pytest.raises(UsageError, match=r"gone: .*not part of this build"):
        build.planned()


def test_notes_are_kept_until_the_next_plan(build):
    assert build.noted("checked.json") == {}
    build.note("checked.json", "a", "1")
    build.note("checked.json", "b", "2")
    build.note("checked.json", "a", "")
    assert build.noted("checked.json") == {"b": "2"}
    build.clear()
    assert build.noted("checked.json") == {}


def test_what_is_in_the_way_is_told(build):
    build.clear()
    build.folder.rmdir()
    build.folder.touch()
    with pytest.raises(UsageError, match=r"\.build is in the way and cannot be removed: Not a directory"):
        build.clear()


@pytest.mark.parametrize(
    ("environment", "pull_request"),
    [
        ({}, False),
        ({"CODEBUILD_WEBHOOK_TRIGGER": "pr/7"}, True),
        ({"CODEBUILD_WEBHOOK_TRIGGER": "branch/pr/7", "CODEBUILD_WEBHOOK_EVENT": "PUSH"}, False),
        ({"CODEBUILD_WEBHOOK_EVENT": "PULL_REQUEST_UPDATED"}, True),
        ({"CODEBUILD_WEBHOOK_EVENT": "PULL_REQUEST_MERGED"}, True),
        ({"CODEBUILD_SOURCE_VERSION": "pr/7"}, True),
        ({"CODEBUILD_SOURCE_VERSION": f"refs/pull/7/head^{{{'0' * 40}}}"}, True),
        ({"CODEBUILD_SOURCE_VERSION": "0a1b2c", "CODEBUILD_WEBHOOK_TRIGGER": "tag/v1"}, False),
    ],
)
def test_pull_requests_are_known_however_their_build_was_started(environment, pull_request):
    assert builds.is_pull_request(environment) == pull_request


def test_a_failed_build_and_a_pull_request_change_nothing(build, monkeypatch):
    for name in ("WEBHOOK_TRIGGER", "WEBHOOK_EVENT", "SOURCE_VERSION"):
        monkeypatch.delenv(f"CODEBUILD_{name}", raising=False)
    assert build.hindrance == ""
    monkeypatch.setenv("CODEBUILD_BUILD_SUCCEEDING", "1")
    assert build.hindrance == ""
    monkeypatch.setenv("CODEBUILD_WEBHOOK_TRIGGER", "pr/1")
    assert build.hindrance == "this is the build of a pull request"
    monkeypatch.setenv("CODEBUILD_BUILD_SUCCEEDING", "0")
    assert build.hindrance == "the build has failed"

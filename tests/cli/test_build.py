from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest

from tests.images.conftest import other, pinned_base, repository, tiny  # noqa: F401  fixtures
from trainyard.families import find_families
from trainyard.images.recipe import Recipe
from trainyard.images.remote import DOCKER_MANIFEST, ImageRegistry


@pytest.fixture
def build(cli, repository, pinned_base, engine, monkeypatch):  # noqa: F811
    """``trainyard build`` in the repository of two small families; images of both are removed at the end."""
    monkeypatch.setattr("trainyard.cli.build.repository_root", lambda: repository)
    yield lambda *arguments: cli("build", *arguments)
    built = engine.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "trainyard/other").split()
    engine.try_run("rmi", "-f", *built)


def tags(repository):  # noqa: F811
    families = find_families(repository)
    return {name: Recipe.of(family, repository).tag for name, family in families.items()}


def test_the_first_time_all_are_built_and_then_none(build, repository, engine):  # noqa: F811
    first = build("--changed")
    assert first.code == 0, first.err
    for name, tag in tags(repository).items():
        assert f"{name}: building trainyard/{name}:{tag}: there is no image of this family yet" in first.out
        assert engine.image(f"trainyard/{name}:{tag}").id == engine.image(f"trainyard/{name}:local").id
    again = build("--changed")
    assert again.out.splitlines() == [
        f"{name}: nothing to build: {tag} is there already" for name, tag in sorted(tags(repository).items())
    ]


def test_a_change_in_one_family_builds_that_one_and_says_why(build, tiny, repository):  # noqa: F811
    build()
    before = tags(repository)["tiny"]
    (tiny.folder / "train.py").write_text("print('other')")
    changed = build("--changed", "--json")
    results = {result["family"]: result for result in json.loads(changed.out)}
    assert results["other"]["status"] == "present" and "id" not in results["other"]
    assert results["tiny"]["status"] == "missing" and results["tiny"]["id"].startswith("sha256:")
    assert results["tiny"]["why"] == f"differs from {before}: changed containers/tiny/train.py"
    assert "tiny: built in" in changed.err


def test_a_plan_builds_nothing(build, engine):
    planned = build("tiny", "--plan")
    assert "is to be built: there is no image of this family yet" in planned.out
    assert engine.image("trainyard/tiny:local") is None


def test_what_the_registry_lacks_is_built_and_pushed(build, registry, repository, tiny):  # noqa: F811
    where = f"{registry.host}/team"
    first = build("tiny", "--push", where, "--changed", "--json")
    assert first.code == 0, first.err
    [result] = json.loads(first.out)
    assert result["media_type"] == DOCKER_MANIFEST
    found = ImageRegistry(where).find("trainyard/tiny", tags(repository)["tiny"])
    assert result["image"] == found.image and result["digest"] == found.digest
    assert "tiny: nothing to build" in build("tiny", "--push", where, "--changed").out
    assert "is to be built" in build("other", "--push", where, "--plan").out


def test_a_failing_build_pushes_nothing(build, registry, tiny, repository):  # noqa: F811
    with (tiny.folder / "Dockerfile").open("a") as file:
        file.write("RUN false\n")
    failed = build("tiny", "--push", f"{registry.host}/failing")
    assert failed.code == 28 and "the image of tiny could not be built" in failed.err
    assert ImageRegistry(f"{registry.host}/failing").tags("trainyard/tiny") == []


def test_a_source_that_cannot_be_had_hinders_no_other_family(build, repository, engine, monkeypatch):  # noqa: F811
    monkeypatch.delenv("O_SOURCE", raising=False)
    with (repository / "containers" / "other" / "family.toml").open("a") as manifest:
        url = f"git+https://localhost:1/o@{'0' * 40}"
        manifest.write(f'[[image.sources]]\npackage = "o"\nvariable = "O_SOURCE"\ndefault = "{url}"\n')
    built = build("--changed")
    assert (built.code, "o is on no package index" in built.err) == (35, True), built.err
    assert engine.image(f"trainyard/tiny:{tags(repository)['tiny']}") is not None
    assert engine.image(f"trainyard/other:{tags(repository)['other']}") is None


def test_an_unknown_family_is_refused_before_anything_is_built(build, engine):
    refused = build("tiny", "tinny")
    assert refused.code == 11 and "tinny" in refused.err
    assert engine.image("trainyard/tiny:local") is None


def test_an_empty_registry_is_a_mistake_and_not_this_machine(build):
    refused = build("tiny", "--push", "")
    assert refused.code == 29 and "image registry ''" in refused.err


def test_a_home_that_cannot_be_made_is_said(build, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRAINYARD_HOME", str(tmp_path / "file"))
    refused = build("tiny")
    assert (
        refused.code == 21
        and "file/builds cannot be made: Not a directory; set TRAINYARD_HOME" in refused.err
    )


def test_sigterm_ends_the_build_and_leaves_no_secret(build, tiny, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:hunter2@index.example/")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    with (tiny.folder / "Dockerfile").open("a") as file:
        file.write(f"RUN echo {tmp_path}; sleep 60\n")
    timer = threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    began = time.monotonic()
    assert build("tiny").code == 130
    assert time.monotonic() - began < 30
    assert not list((tmp_path / "scratch").iterdir())

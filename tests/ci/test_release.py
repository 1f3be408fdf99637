"""buildspec.yml from end to end, run as CodeBuild runs it: real images, real checks, a real registry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ci import release
from ci.build import Build
from tests.conftest import ROOT
from trainyard.errors import CheckFailed, ImageRegistryError, SourceUnavailable
from trainyard.images import published
from trainyard.images.remote import DOCKER_MANIFEST

CLEAN = ROOT / "tests" / "ci" / "scan_results" / "clean.json"


def tags(registry, name: str) -> list[str]:
    return sorted(tag.partition("-")[0] for tag in registry.tags(f"trainyard/{name}"))


def images_of(build: dict, output: Path) -> dict[str, published.PublishedImage]:
    """What the images.json among a build's artifacts says."""
    (file,) = (output / build["identifier"]).rglob("images.json")
    return published.read([file])


@pytest.mark.slow
def test_only_what_was_tested_and_changed_is_pushed(house, registry, monkeypatch):
    monkeypatch.setenv("TRAINYARD_SCAN", str(CLEAN))
    first, second = house.families
    script = house.family(1) / "train.py"
    good = script.read_text()

    result, said = house.codebuild("--event", "pr:7", "--env", f"TRAINYARD_FAMILIES={first}")
    assert result["status"] == "SUCCEEDED", said
    assert "passes" in said
    assert "nothing is pushed: this is the build of a pull request" in said
    assert tags(registry, first) == []

    script.write_text("raise SystemExit(0)  # and no model\n")
    broken = house.commit()
    result, said = house.codebuild("--batch", "--event", "push:main")
    assert [build["status"] for build in result["builds"]] == ["SUCCEEDED", "FAILED"], said
    assert (tags(registry, first), tags(registry, second)) == (["git", "sbom", "src"], [])
    assert "nothing is pushed: the build has failed" in said
    batch = images_of(result["builds"][0], Path(result["output"]))

    script.write_text(good)
    revision = house.commit()
    result, said = house.codebuild("--event", "push:main")
    assert result["status"] == "SUCCEEDED", said
    assert f"{first}: {batch[first].tag} is in the registry already, nothing to build" in said
    assert tags(registry, second) == ["git", "sbom", "src"]
    images = images_of(result["builds"][0], Path(result["output"]))
    assert images[first] == batch[first]
    assert [images[name].git_revision for name in (first, second)] == [broken, revision]
    for name, image in images.items():
        found = registry.find(f"trainyard/{name}", f"git-{image.git_revision[:12]}")
        assert (found.image, found.media_type) == (image.image, DOCKER_MANIFEST)
        assert image.sbom_digest
    assert result["builds"][0]["exported_variables"] == {
        "TRAINYARD_REVISION": revision,
        "TRAINYARD_BUILT": second,
    }

    result, said = house.codebuild("--event", "push:main")
    assert result["status"] == "SUCCEEDED", said
    assert said.count("is in the registry already, nothing to build") == 2
    assert images_of(result["builds"][0], Path(result["output"])) == images
    assert not (house.folder / ".build" / "logs").exists()


def test_what_does_not_pass_its_checks_is_not_noted_as_tested(project, monkeypatch):
    monkeypatch.setenv("TRAINYARD_FAMILIES", project.families[0])
    build = Build(project.folder)
    release.plan(build)
    release.build(build)
    build.note("checked.json", project.families[0], "an earlier test")
    with pytest.raises(CheckFailed, match=f"{project.families[0]}: the image has not passed its checks"):
        release.test(build)
    assert build.noted("checked.json") == {}


def test_a_source_that_cannot_be_had_ends_a_release_before_anything_is_pushed(project, registry, monkeypatch):
    for name in ("B_SOURCE", "TRAINYARD_FAMILIES"):
        monkeypatch.delenv(name, raising=False)
    url = f"git+https://localhost:1/b@{'0' * 40}"
    with (project.family(1) / "family.toml").open("a") as manifest:
        manifest.write(f'[[image.sources]]\npackage = "b"\nvariable = "B_SOURCE"\ndefault = "{url}"\n')
    assert project.release("plan").returncode == 0
    built = project.release("build")
    assert (built.returncode, len(built.stderr.splitlines())) == (SourceUnavailable.exit_code, 1)
    assert f"b is on no package index, and its source cannot be had: {url}: " in built.stderr
    assert "set B_SOURCE to a git URL" in built.stderr
    for command in ("push", "scan", "publish"):  # as where nobody looks at exit codes
        assert project.release(command).returncode != 0, command
    assert [registry.tags(f"trainyard/{name}") for name in project.families] == [[], []]


def test_the_plan_is_told_and_exported(project, monkeypatch, capsys):
    monkeypatch.setenv("TRAINYARD_FAMILIES", project.families[0])
    build = Build(project.folder)
    (build.folder).mkdir()
    (build.folder / "images.json").touch()
    release.plan(build)
    assert "is to be built: there is no image of this family yet" in capsys.readouterr().out
    assert not (build.folder / "images.json").exists()
    revision = project.run("git", "rev-parse", "HEAD").strip()
    variables = (build.folder / "variables").read_text()
    assert variables == (
        f"export TRAINYARD_REVISION={revision}\nexport TRAINYARD_BUILT={project.families[0]}\n"
    )
    assert json.loads((build.folder / "plan.json").read_text())[0]["status"] == "missing"


def test_a_plan_that_fails_leaves_nothing_of_an_earlier_build(project, monkeypatch):
    build = Build(project.folder)
    build.folder.mkdir()
    (build.folder / "images.json").touch()
    monkeypatch.setenv("TRAINYARD_FAMILIES", project.families[0])
    monkeypatch.setenv("TRAINYARD_REGISTRY", "localhost:1")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    with pytest.raises(ImageRegistryError, match="localhost:1 cannot be reached"):
        release.plan(build)
    assert list(build.folder.iterdir()) == []


def test_a_registry_that_is_not_ecr_needs_a_login_of_its_own(project, monkeypatch, capsys):
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    release.login(Build(project.folder))
    assert "is not ECR: docker uses the login that it has" in capsys.readouterr().out


def test_an_expected_failure_is_a_line_and_an_exit_code(project, registry):
    done = project.release("build")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "there is no .build/plan.json: run python -m ci.release plan first\n"

"""What may reach the registry and what may be published, with real images; syft and the checks are left out."""

from __future__ import annotations

import json

import pytest

from ci import publication, release, sbom
from ci.build import Build
from tests.conftest import ROOT
from trainyard.errors import CheckFailed, ImageRegistryError, UsageError
from trainyard.images import published
from trainyard.images.build import BuildOptions
from trainyard.images.build import build as build_image
from trainyard.images.names import image_name
from trainyard.images.remote import push

SCANS = ROOT / "tests" / "ci" / "scan_results"


@pytest.fixture
def ready(project, engine, monkeypatch) -> Build:
    """A build of the first family that waits to be pushed: planned, built, tested, with a bill."""
    monkeypatch.setenv("TRAINYARD_FAMILIES", project.families[0])
    monkeypatch.setenv("TRAINYARD_SCAN", str(SCANS / "clean.json"))
    build = Build(project.folder)
    release.plan(build)
    release.build(build)
    (name,) = build.planned()
    build.note("checked.json", name, engine.image(build.recipes[name].reference).id)
    build.sbom(name).parent.mkdir()
    build.sbom(name).write_text("{}\n")
    return build


def remote(build: Build):
    (recipe,) = build.recipes.values()
    return build.registry.find(image_name(recipe.family), recipe.tag)


def test_a_tested_image_is_pushed_after_its_bill_and_published(ready, project, capsys):
    publication.push(ready)
    publication.scan(ready)
    publication.publish(ready)
    (image,) = published.read([ready.folder / "images.json"]).values()
    assert image.image == remote(ready).image
    assert image.sbom_digest == sbom.digest(b"{}\n")
    assert "-dirty" not in image.git_revision
    before = (ready.folder / "images.json").read_bytes()
    for command in (publication.push, publication.scan, publication.publish):
        command(ready)
    assert (ready.folder / "images.json").read_bytes() == before
    assert "another build has pushed" in capsys.readouterr().out


def test_the_bill_of_a_build_that_came_to_nothing_is_not_this_images(ready, engine, project, monkeypatch):
    def break_off(*_: object) -> None:
        raise ImageRegistryError("the network is gone")

    (recipe,) = ready.recipes.values()
    with monkeypatch.context() as patch:
        bills_only = lambda *arguments: break_off() if arguments[-1] == recipe.tag else push(*arguments)  # noqa: E731
        patch.setattr(publication, "push_image", bills_only)
        with pytest.raises(ImageRegistryError, match="the network is gone"):
            publication.push(ready)
    again = build_image(recipe, project.folder, engine, BuildOptions(revision="again"))
    ready.note("checked.json", project.families[0], again.id)
    ready.sbom(project.families[0]).write_text('{"other": 1}\n')
    for command in (publication.push, publication.scan, publication.publish):
        command(ready)
    (image,) = published.read([ready.folder / "images.json"]).values()
    assert image.sbom_digest == sbom.digest(b'{"other": 1}\n')


@pytest.mark.parametrize("tested", ["", f"sha256:{'0' * 64}"])
def test_what_was_not_tested_is_not_pushed(ready, project, tested):
    ready.note("checked.json", project.families[0], tested)
    with pytest.raises(CheckFailed, match=f"has tested {tested or 'none'}; nothing untested is pushed"):
        publication.push(ready)
    assert remote(ready) is None


def test_another_build_that_was_faster_is_used(ready, project, engine, capsys):
    (recipe,) = ready.recipes.values()
    engine.run("rmi", recipe.reference)
    theirs = build_image(recipe, project.folder, engine, BuildOptions(revision="theirs"))
    pushed = push(engine, theirs.id, ready.registry, image_name(recipe.family), recipe.tag)
    ready.note("checked.json", project.families[0], theirs.id)
    publication.push(ready)
    assert f"another build has pushed {recipe.tag} meanwhile" in capsys.readouterr().out
    publication.scan(ready)
    publication.publish(ready)
    (image,) = published.read([ready.folder / "images.json"]).values()
    assert (image.digest, image.git_revision, image.sbom_digest) == (pushed.digest, "theirs", "")


def test_the_gate_stands_before_publishing_and_later_builds_meet_it_too(ready, monkeypatch, project):
    monkeypatch.setenv("TRAINYARD_SCAN", str(SCANS / "enhanced.json"))
    publication.push(ready)
    for build in (ready, Build(project.folder)):
        with pytest.raises(
            CheckFailed, match=r"CRITICAL CVE-2026-10001 in openssl .*: update it, or allow it"
        ):
            publication.scan(build)
        with pytest.raises(CheckFailed, match=r"has not passed the gate: run python -m ci\.release scan"):
            publication.publish(build)
        release.plan(Build(project.folder))
    assert not (ready.folder / "images.json").exists()
    assert not [
        tag for tag in ready.registry.tags(f"trainyard/{project.families[0]}") if tag.startswith("git-")
    ]


def test_the_allowlist_lets_pass_and_its_expired_entries_do_not(ready, monkeypatch, project, capsys):
    monkeypatch.setenv("TRAINYARD_SCAN", str(SCANS))
    name, entry = project.families[0], '[[allowed]]\nid = "{}"\nfamily = "{}"\nreason = "r"\nreview_by = {}\n'
    (project.folder / "own").mkdir()
    (project.folder / "own" / f"{name}.json").write_bytes((SCANS / "basic.json").read_bytes())
    monkeypatch.setenv("TRAINYARD_SCAN", str(project.folder / "own"))
    publication.push(ready)
    allowlist = project.folder / publication.ALLOWLIST
    allowlist.write_text(entry.format("CVE-2026-20001", name, "2000-01-01"))
    with pytest.raises(CheckFailed, match=rf"CVE-2026-20001 \({name}, review by 2000-01-01: r\) has expired"):
        publication.scan(ready)
    allowlist.write_text(
        entry.format("CVE-2026-20001", name, "9999-01-01") + entry.format("CVE-1", "*", "9999-01-01")
    )
    publication.scan(ready)
    said = capsys.readouterr().out
    assert f"allowed: {name}: HIGH CVE-2026-20001" in said
    assert "CVE-1 (*, review by 9999-01-01: r) matches nothing" in said
    assert list(ready.noted("scanned.json")) == [name]
    allowlist.write_text("")
    with pytest.raises(CheckFailed, match="CVE-2026-20001"):
        publication.scan(ready)
    with pytest.raises(CheckFailed, match="has not passed the gate"):  # what passed before does not count
        publication.publish(ready)


def test_a_scan_must_be_had_or_renounced_in_words(ready, monkeypatch):
    with pytest.raises(ImageRegistryError, match=r"is not there: run python -m ci\.release push first"):
        publication.scan(ready)
    publication.push(ready)
    monkeypatch.delenv("TRAINYARD_SCAN")
    with pytest.raises(UsageError, match="is not ECR, .*TRAINYARD_SCAN=none to publish without a scan"):  # noqa: RUF043
        publication.scan(ready)
    monkeypatch.setenv("TRAINYARD_SCAN", "/none.json")
    with pytest.raises(UsageError, match=r"TRAINYARD_SCAN=/none\.json: .*cannot be read"):
        publication.scan(ready)
    monkeypatch.setenv("TRAINYARD_SCAN", "none")
    publication.scan(ready)
    publication.publish(ready)


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("CODEBUILD_BUILD_SUCCEEDING", "0", "the build has failed"),
        ("CODEBUILD_WEBHOOK_TRIGGER", "pr/7", "this is the build of a pull request"),
    ],
)
def test_failed_builds_and_pull_requests_leave_the_registry_alone(
    ready, monkeypatch, variable, value, why, capsys
):
    monkeypatch.setenv(variable, value)
    for command in (publication.push, publication.scan, publication.publish):
        command(ready)
    said = capsys.readouterr().out.splitlines()[-3:]
    assert said == [f"nothing is {done}: {why}" for done in ("pushed", "scanned", "published")]
    assert ready.registry.tags(image_name(next(iter(ready.recipes.values())).family)) == []
    assert json.loads((ready.folder / "plan.json").read_text())[0]["status"] == "missing"


def test_a_tag_of_a_revision_never_moves(ready, project, capsys, monkeypatch):
    publication.push(ready)
    publication.scan(ready)
    publication.publish(ready)
    (first,) = published.read([ready.folder / "images.json"]).values()
    tag, repository = f"git-{first.git_revision[:12]}", f"trainyard/{project.families[0]}"
    (recipe,) = ready.recipes.values()
    moved = type(first)(**{**vars(first), "digest": f"sha256:{'1' * 64}"})
    publication._tag_revision(ready, recipe, moved)
    assert f"{tag} stays {first.digest}" in capsys.readouterr().out
    assert ready.registry.find(repository, tag).digest == first.digest

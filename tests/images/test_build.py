from __future__ import annotations

import io
import json
import subprocess
import tarfile
from dataclasses import replace

import pytest

from trainyard.errors import ImageError, SourceUnavailable
from trainyard.families import Source
from trainyard.images.build import (
    BuildOptions,
    _secrets,
    arguments,
    build,
    cache_arguments,
    ensure_built,
    revision,
    write_context,
)
from trainyard.images.engine import Engine
from trainyard.images.files import image_files
from trainyard.images.recipe import Recipe

BUILDKIT = Engine(program="docker", builder="buildkit")
INSIDE = Engine(program="docker", builder="buildx")
BUILDX = Engine(program="docker", builder="buildx", writes_cache=True)


@pytest.fixture
def recipe(pinned_base, repository, tiny):
    return Recipe.of(tiny, repository)


def context(family, repository) -> bytes:
    file = io.BytesIO()
    write_context(family, repository, file)
    return file.getvalue()


def test_the_context_holds_just_what_the_digest_covers(repository, tiny):
    (tiny.folder / "train.py").chmod(0o600)
    (tiny.folder / "weights").symlink_to("elsewhere")
    with tarfile.open(fileobj=io.BytesIO(context(tiny, repository))) as archive:
        entries = {entry.name: entry for entry in archive}
    assert list(entries) == list(image_files(tiny, repository))
    assert entries["containers/tiny/train.py"].mode == 0o644
    assert entries["shared/trainyard/in_image/bin/train"].mode == 0o755
    assert entries["containers/tiny/weights"].linkname == "elsewhere"
    assert {(entry.mtime, entry.uid, entry.gid) for entry in entries.values()} == {(0, 0, 0)}


def test_equal_files_give_an_equal_context(repository, tiny):
    first = context(tiny, repository)
    for file in image_files(tiny, repository).values():
        file.touch()
    assert context(tiny, repository) == first


@pytest.fixture
def with_source(tiny):
    """The family with a package that comes as source."""
    package = Source(
        package="thing", variable="THING_SOURCE", default="git+file:///nowhere@0", compiled=False
    )
    return replace(tiny, image=replace(tiny.image, sources=(package,)))


def test_sources_that_are_files_are_in_the_context_and_any_decides_the_tag(
    repository, with_source, tmp_path, monkeypatch
):
    def names() -> list[str]:
        with tarfile.open(fileobj=io.BytesIO(context(with_source, repository))) as archive:
            return [name for name in archive.getnames() if name.startswith("sources")]

    recipes = [Recipe.of(with_source, repository)]
    assert recipes[0].build_arguments["THING_SOURCE"] == "git+file:///nowhere@0" and names() == ["sources"]
    wheel = tmp_path / "thing-1-py3-none-any.whl"
    monkeypatch.setenv("THING_SOURCE", str(wheel))
    for content in ("one", "two"):
        wheel.write_text(content)
        recipes.append(Recipe.of(with_source, repository))
        assert recipes[-1].build_arguments["THING_SOURCE"] == f"/sources/thing/{wheel.name}"
        assert names() == ["sources", f"sources/thing/{wheel.name}"]
    assert len({recipe.tag for recipe in recipes}) == 3


def test_a_source_that_cannot_be_had_is_said_before_anything_is_built(repository, with_source):
    recipe = Recipe.of(with_source, repository)
    with pytest.raises(SourceUnavailable, match=r"thing is on no package index.*or set THING_SOURCE"):
        build(recipe, repository, Engine(program="no-such-docker"))


def test_an_image_is_built_and_says_what_it_was_made_of(recipe, repository, engine, tmp_path):
    image = build(recipe, repository, engine, BuildOptions("abc123"), tmp_path / "log")
    assert image.labels["trainyard.source-digest"] == recipe.digest
    assert image.labels["org.opencontainers.image.revision"] == "abc123"
    assert json.loads(image.labels["trainyard.files"]).keys() == recipe.files.keys()
    assert image.environment["TRAINYARD_SERVER"] == "pooled"
    assert engine.image("trainyard/tiny:local").id == image.id
    assert b"COPY containers/tiny" in (tmp_path / "log").read_bytes()
    listed = engine.run("run", "--rm", image.id, "find", "/opt/ml/code", "-type", "f").split()
    assert sorted(listed) == [f"/opt/ml/code/{name}" for name in sorted(["Dockerfile", "inference.py", "keep.log",
                                                                         "models/net.py", "train.py"])]  # fmt: skip


def test_what_is_there_is_not_built_again(recipe, repository, engine, tiny):
    said = []
    first = ensure_built(tiny, repository, engine, said.append)
    again = ensure_built(tiny, repository, engine, said.append)
    assert first.id == again.id
    assert said == [f"building {recipe.reference}", ""]


def test_secrets_reach_the_build_and_stay_in_no_layer(
    pinned_base, repository, tiny, engine, monkeypatch, tmp_path
):
    dockerfile = (
        tiny.folder / "Dockerfile"
    )  # BuildKit does not run again what it has run, whatever the secrets
    dockerfile.write_text(
        dockerfile.read_text().replace("> /pip.conf.was", f"{tmp_path.name} > /pip.conf.was")
    )
    (tiny.folder / "train.py").write_text("MADE_OF_THIS")
    password = "hunter2-hunter2"
    bundle = tmp_path / "ca.pem"
    bundle.write_text(f"CERTIFICATE {password}")
    monkeypatch.setenv("PIP_CERT", str(bundle))
    monkeypatch.setenv("PIP_INDEX_URL", f"https://me:{password}@index.example/simple")
    image = build(Recipe.of(tiny, repository), repository, engine, log=tmp_path / "log")
    assert engine.run("run", "--rm", image.id, "cat", "/pip.conf.was") == f"read {tmp_path.name}\n"
    saved = subprocess.run([engine.program, "save", image.id], capture_output=True, check=True).stdout
    assert b"MADE_OF_THIS" in saved, "layers cannot be searched as they are"
    assert password.encode() not in saved
    assert password not in engine.run("history", "--no-trunc", image.id)
    assert password.encode() not in (tmp_path / "log").read_bytes()


def test_a_build_that_fails_quotes_its_error(recipe, repository, engine, tiny, tmp_path):
    with (tiny.folder / "Dockerfile").open("a") as file:
        file.write("RUN echo 'ERROR: no such package: left-pad' && exit 3\n")
    with pytest.raises(ImageError) as error:
        build(Recipe.of(tiny, repository), repository, engine, log=tmp_path / "log")
    assert "the image of tiny could not be built on" in str(error.value)
    assert f"ERROR: no such package: left-pad (whole output in {tmp_path / 'log'})" in str(error.value)


def test_a_tag_is_not_given_to_what_it_was_not_made_of(recipe, repository, engine, tiny):
    (tiny.folder / "train.py").write_text("print('changed after the tag was made')")
    with pytest.raises(ImageError, match="its files have changed since its tag was made"):
        build(recipe, repository, engine)
    assert engine.image(recipe.reference) is None


def test_a_log_that_cannot_be_written_fails_the_build(recipe, repository, engine, tmp_path):
    with pytest.raises(ImageError, match=r"the image of tiny could not be built on .*No such file"):
        build(recipe, repository, engine, log=tmp_path / "none" / "log")


def test_an_image_of_thousands_of_files_is_built(repository, pinned_base, tiny, engine):
    (tiny.folder / "many").mkdir()
    for number in range(3000):
        (tiny.folder / "many" / f"a_name_of_some_length_{number}.py").write_text("")
    image = build(Recipe.of(tiny, repository), repository, engine)
    assert "containers/tiny/many" in json.loads(image.labels["trainyard.files"])


def test_several_indexes_stand_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a.example/%40x\n https://b.example\n")
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    written = _secrets(tmp_path)["pip.conf"].read_text()
    assert written == "[global]\nextra-index-url = https://a.example/%40x https://b.example\n"


def test_a_family_without_a_dockerfile_has_no_image(repository, tiny, engine):
    (tiny.folder / "Dockerfile").unlink()
    with pytest.raises(ImageError, match="there is no containers/tiny/Dockerfile"):
        build(Recipe.of(tiny, repository), repository, engine)


def test_buildx_is_told_to_make_what_sagemaker_takes(repository, tiny):
    flags = arguments(Recipe.of(tiny, repository), BUILDX, BuildOptions(), {})
    assert flags[:6] == [
        "buildx",
        "build",
        "--load",
        "--progress=plain",
        "--provenance=false",
        "--sbom=false",
    ]
    flags = arguments(Recipe.of(tiny, repository), BUILDKIT, BuildOptions(), {})
    assert flags[:2] == ["build", "--progress=plain"] and "--provenance=false" not in flags


def test_a_proxy_is_passed_on_by_its_name_alone(repository, tiny, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example")
    flags = arguments(Recipe.of(tiny, repository), BUILDKIT, BuildOptions(), {})
    assert "HTTPS_PROXY" in flags and not [flag for flag in flags if "secret" in flag]


@pytest.mark.parametrize(
    ("engine", "where", "flags"),
    [
        (BUILDX, "", []),
        (BUILDX, "ecr.example/team", [
            "--cache-from", "type=registry,ref=ecr.example/team/cache/tiny:buildcache", "--cache-to",
            "type=registry,ref=ecr.example/team/cache/tiny:buildcache,mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true",
        ]),
        (BUILDX, "./layers", [
            "--cache-from", "type=local,src=./layers/tiny", "--cache-to", "type=local,dest=./layers/tiny,mode=max",
        ]),
        (INSIDE, "ecr.example", ["--cache-from", "ecr.example/cache/tiny:buildcache"]),
        (INSIDE, "./layers", []),
        (BUILDKIT, "ecr.example", ["--cache-from", "ecr.example/cache/tiny:buildcache"]),
        (BUILDKIT, "/layers", []),
    ],
)  # fmt: skip
def test_where_layers_are_kept(tiny, engine, where, flags):
    assert cache_arguments(tiny, engine, where) == flags


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True)


def test_the_revision_is_gits_or_codebuilds_or_unknown(repository, monkeypatch, tmp_path):
    monkeypatch.delenv("CODEBUILD_RESOLVED_SOURCE_VERSION", raising=False)
    assert revision(repository) == "unknown"
    monkeypatch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", "f" * 40)
    assert revision(repository) == "f" * 40
    git(repository, "init", "-q")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "first")
    clean = revision(repository)
    assert len(clean) == 40 and clean != "f" * 40
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "shallow")
    assert revision(tmp_path / "shallow") == clean
    git(repository, "config", "core.quotepath", "false")
    (repository / "containers/tiny/caf\udce9.py").write_text("other")
    assert revision(repository) == f"{clean}-dirty"

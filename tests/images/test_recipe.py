from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.images.conftest import FILES, OF_THE_IMAGE
from trainyard.errors import UsageError
from trainyard.families import find_families, load
from trainyard.images.recipe import BASE_VARIABLE, Recipe, short

NOT_OF_THE_IMAGE = sorted(set(FILES) - set(OF_THE_IMAGE) - {".dockerignore"})
PINNED = f"mirror.example:5000/python@sha256:{'1' * 64}"


def digests(repository: Path) -> dict[str, str]:
    return {name: Recipe.of(family, repository).digest for name, family in find_families(repository).items()}


def changed(repository: Path, before: dict[str, str]) -> set[str]:
    return {name for name, digest in digests(repository).items() if digest != before[name]}


CHANGES = {
    "content": lambda file: file.write_bytes(file.read_bytes() + b"#"),
    "mode": lambda file: file.chmod(file.stat().st_mode ^ 0o100),
    "name": lambda file: file.rename(file.with_name("renamed.py")),
    "gone": lambda file: file.unlink(),
    "link": lambda file: (file.unlink(), file.symlink_to("elsewhere")),
}


def restore(repository: Path, path: str, content: bytes, mode: int) -> None:
    file = repository / path
    file.with_name("renamed.py").unlink(missing_ok=True)
    file.unlink(missing_ok=True)
    file.write_bytes(content)
    file.chmod(mode)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("path", "dependent"),
    [
        *((f"containers/tiny/{name}", {"tiny"}) for name in OF_THE_IMAGE),
        *((f"containers/other/{name}", {"other"}) for name in OF_THE_IMAGE),
        ("shared/trainyard/in_image/metrics.py", {"tiny", "other"}),
        ("shared/trainyard/in_image/bin/train", {"tiny", "other"}),
        ("shared/docker/install", {"tiny", "other"}),
    ],
)
def test_a_change_reaches_just_the_families_that_depend_on_it(repository, path, dependent, change):
    before, file = digests(repository), repository / path
    content, mode = file.read_bytes(), file.stat().st_mode
    CHANGES[change](file)
    assert changed(repository, before) == dependent
    restore(repository, path, content, mode)
    assert changed(repository, before) == set()


@pytest.mark.parametrize("change", ["content", "mode", "gone", "link"])
@pytest.mark.parametrize(
    "name", [*(name for name in NOT_OF_THE_IMAGE if not name.startswith("example/")), "../errors"]
)
def test_what_is_not_in_the_image_does_not_count(repository, tiny, name, change):
    before = digests(repository)
    CHANGES[change](repository / "shared/trainyard/errors.py" if name == "../errors" else tiny.folder / name)
    assert changed(repository, before) == set()


def test_the_example_does_not_count(repository, tiny):
    before = digests(repository)
    (tiny.folder / "example" / "generate.py").write_text("other")
    (tiny.folder / "example" / "more.json").write_text("{}")
    assert changed(repository, before) == set()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from([*OF_THE_IMAGE, *NOT_OF_THE_IMAGE]), st.text(max_size=3), max_size=4))
def test_any_set_of_changes_counts_only_for_what_is_in_the_image(repository, tiny, contents):
    before = digests(repository)
    kept = {name: (tiny.folder / name).read_bytes() for name in contents}
    for name, text in contents.items():
        (tiny.folder / name).write_text(text)
    differs = any(text.encode() != kept[name] for name, text in contents.items() if name in OF_THE_IMAGE)
    try:
        assert changed(repository, before) == ({"tiny"} if differs else set())
    finally:
        for name, content in kept.items():
            (tiny.folder / name).write_bytes(content)
    assert changed(repository, before) == set()


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("0" * 64, "1" * 64, True),
        ("python:3.11@", "python:3.12@", True),
        ('server = "pooled"', 'server = "multi-model-server"', True),
        ("@a/b", "@a/c", True),
        ('instance = "ml.m5.large"', 'instance = "ml.c5.large"', False),
        ("For tests.", "For others.", False),
    ],
)
def test_of_the_manifest_counts_what_gets_into_the_image(repository, tiny, old, new, counts):
    before, file = digests(repository), tiny.folder / "family.toml"
    file.write_text(file.read_text().replace(old, new))
    assert changed(repository, before) == ({"tiny"} if counts else set())


def test_the_tag_is_the_beginning_of_the_digest(repository, tiny):
    recipe = Recipe.of(tiny, repository)
    assert recipe.tag == f"src-{recipe.digest[:16]}"
    assert recipe.reference == f"trainyard/tiny:{recipe.tag}"


def test_labels_say_what_the_platform_and_people_ask(repository, tiny):
    labels = Recipe.of(tiny, repository).labels
    assert labels["org.opencontainers.image.title"] == "tiny"
    assert labels["org.opencontainers.image.authors"] == "@a/b"
    assert labels["org.opencontainers.image.base.name"] == "python:3.11"
    assert labels["com.amazonaws.sagemaker.capabilities.accept-bind-to-port"] == "true"
    assert "com.amazonaws.sagemaker.capabilities.multi-models" not in labels


def test_a_multi_model_family_says_so(repository, tiny):
    file = tiny.folder / "family.toml"
    text = file.read_text().replace("[example]", "multi_model = true\n[example]\ntarget_model = 'a.tar.gz'")
    file.write_text(text)
    labels = Recipe.of(load(tiny.folder), repository).labels
    assert labels["com.amazonaws.sagemaker.capabilities.multi-models"] == "true"


def test_another_base_image_may_take_the_place_of_the_manifests(repository, tiny, monkeypatch):
    before = digests(repository)
    monkeypatch.setenv(BASE_VARIABLE, PINNED)
    recipe = Recipe.of(tiny, repository)
    assert recipe.base == PINNED == recipe.build_arguments["BASE_IMAGE"]
    assert recipe.labels["org.opencontainers.image.base.digest"] == f"sha256:{'1' * 64}"
    assert changed(repository, before) == {"tiny", "other"}


def test_a_base_image_without_a_digest_is_refused(repository, tiny, monkeypatch):
    monkeypatch.setenv(BASE_VARIABLE, "python:3.11")
    with pytest.raises(UsageError, match=r"TRAINYARD_BASE_IMAGE=python:3.11: must be pinned"):
        Recipe.of(tiny, repository)


def test_neither_git_nor_times_nor_the_umask_count(repository, tiny):
    before = digests(repository)
    for file in repository.rglob("*"):
        if file.is_file():
            os.utime(file, (1, 1))
            file.chmod(file.stat().st_mode | 0o066)
    (repository / ".git").mkdir()
    assert changed(repository, before) == set()


@pytest.mark.parametrize("folder", ["containers/tiny", "containers/tiny/many/deep"])
def test_the_label_of_thousands_of_files_fits_and_still_says_what_changed(folder):
    files = {f"{folder}/a_name_of_some_length_{number}.py": f"{number:064x}" for number in range(5000)}
    files |= {"shared/docker/install": "e" * 64}
    before = short(files)
    assert len(json.dumps(before)) < 100_000
    after = short({**files, f"{folder}/a_name_of_some_length_7.py": "f" * 64})
    assert before.keys() == after.keys()
    assert {place for place in before if before[place] != after[place]} == {folder}
    assert short({"a": "1" * 64, "b/c": "2" * 64}) == {"a": "1" * 12, "b/c": "2" * 12}

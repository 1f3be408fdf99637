from __future__ import annotations

from pathlib import Path

import pytest

from trainyard.errors import Unsupported, UsageError
from trainyard.execution.targets import Target, Targets, parse_mapping
from trainyard.families import find_families


@pytest.fixture(scope="module")
def families(root: Path):
    return find_families(root)


def test_mappings(families, plain_venv: Path) -> None:
    name = next(iter(families))
    assert parse_mapping(f"a/b:1={name}", families) == ("a/b:1", Target("family", name))
    assert parse_mapping(f"a=venv:{plain_venv}", families) == ("a", Target("venv", str(plain_venv)))


@pytest.mark.parametrize(
    ("text", "kind", "fragment"),
    [
        ("image", UsageError, "write IMAGE_URI=TARGET"),
        ("=prophet", UsageError, "write IMAGE_URI=TARGET"),
        ("image=nobody", UsageError, "no such family; there are [a-z]"),
        ("image=venv:/nowhere", UsageError, "/nowhere is not a virtual environment"),
        ("image=docker:x", Unsupported, "images are not run here yet"),
    ],
)
def test_bad_mappings_say_what_was_possible(families, text: str, kind, fragment: str) -> None:
    with pytest.raises(kind, match=fragment):
        parse_mapping(text, families)


@pytest.mark.parametrize(
    "image",
    ["trainyard/{}", "trainyard/{}:1", "000000000000.example/trainyard/{}@sha256:abc"],
)
def test_images_named_after_a_family_are_it(families, root: Path, image: str) -> None:
    name = next(iter(families))
    assert Targets({}, families, root).of(image.format(name), "x") == Target("family", name)


@pytest.mark.parametrize("image", ["prophet", "trainyard/nobody", "nottrainyard/prophet"])
def test_other_images_need_a_mapping(families, root: Path, image: str) -> None:
    with pytest.raises(
        Unsupported, match=f"step S: nothing here stands for the image '{image}'.*--map {image}="
    ):
        Targets({}, families, root).of(image, "step S")


def test_the_digest_of_an_environment_follows_its_packages(families, root: Path, plain_venv: Path) -> None:
    targets, target = Targets({}, families, root), Target("venv", str(plain_venv))
    before = targets.digest(target)
    packages = next(plain_venv.glob("lib/python*/site-packages"))
    (packages / "new-1.0.dist-info").mkdir()
    assert targets.digest(target) != before
    (packages / "new-1.0.dist-info").rmdir()
    assert targets.digest(target) == before

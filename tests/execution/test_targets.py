from __future__ import annotations

from pathlib import Path

import pytest

from trainyard.errors import Unsupported, UsageError
from trainyard.execution.targets import Target, Targets, parse_mapping
from trainyard.families import find_families
from trainyard.images.engine import Engine
from trainyard.images.recipe import Recipe


@pytest.fixture(scope="module")
def families(root: Path):
    return find_families(root)


def test_mappings(families, plain_venv: Path) -> None:
    name = next(iter(families))
    assert parse_mapping(f"a/b:1={name}", families) == ("a/b:1", Target("family", name))
    assert parse_mapping("a=docker:h:5000/b@sha256:0", families) == (
        "a",
        Target("docker", "h:5000/b@sha256:0"),
    )
    assert parse_mapping(f"a=venv:{plain_venv}", families) == ("a", Target("venv", str(plain_venv)))


@pytest.mark.parametrize(
    ("text", "kind", "fragment"),
    [
        ("image", UsageError, "write IMAGE_URI=TARGET"),
        ("=prophet", UsageError, "write IMAGE_URI=TARGET"),
        ("image=nobody", UsageError, "no such family; there are [a-z]"),
        ("image=venv:/nowhere", UsageError, "/nowhere is not a virtual environment"),
        ("image=docker:", UsageError, "'' is no image; write docker:NAME:TAG"),
        ("image=docker:--privileged", UsageError, "'--privileged' is no image"),
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
        Unsupported,
        match=f"step S: nothing here stands for the image '{image}'.*--map {image}=TARGET.*trainyard local up",
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


def test_with_images_a_family_is_the_image_of_its_files(families, root: Path) -> None:
    name, family = next(iter(families.items()))
    targets = Targets({"theirs": Target("family", name)}, families, root, as_images=True)
    expected = Target("docker", Recipe.of(family, root).reference)
    assert targets.of("theirs", "x") == targets.of(f"trainyard/{name}:local", "x") == expected
    assert str(expected).startswith(f"docker:trainyard/{name}:src-")


@pytest.mark.parametrize("image", ["host.example/trainyard/{}@sha256:0", "python:3.11"])
def test_with_images_any_other_is_itself(families, root: Path, image: str) -> None:
    image = image.format(next(iter(families)))
    assert Targets({}, families, root, as_images=True).of(image, "x") == Target("docker", image)


def test_what_is_no_image_needs_a_mapping_even_then(families, root: Path) -> None:
    with pytest.raises(Unsupported, match="nothing here stands for the image '--x'"):
        Targets({}, families, root, as_images=True).of("--x", "x")


def test_the_digest_of_an_image_is_its_id(families, root: Path, engine: Engine, base_image: str) -> None:
    targets = Targets({}, families, root)
    found = engine.image(base_image)
    assert found and targets.digest(Target("docker", base_image)) == found.id.removeprefix("sha256:")

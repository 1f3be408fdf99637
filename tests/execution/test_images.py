from __future__ import annotations

from pathlib import Path

import pytest

from trainyard.errors import DockerError, ImageError
from trainyard.execution.images import Images
from trainyard.families import Family
from trainyard.images.engine import Engine
from trainyard.images.recipe import BASE_VARIABLE, Recipe
from trainyard.images.remote import ImageRegistry

NO_BASE = f"localhost:1/none@sha256:{'0' * 64}"


def test_a_family_keeps_its_image_while_a_pipeline_runs(family: Family, root: Path, monkeypatch) -> None:
    images = Images(root)
    before = images.reference(family)
    assert before == Recipe.of(family, root).reference
    monkeypatch.setenv(BASE_VARIABLE, NO_BASE)
    assert images.reference(family) == before
    assert Images(root).reference(family) != before


def test_a_familys_image_that_is_not_there_is_built_not_pulled(
    engine: Engine, family: Family, root: Path, monkeypatch
) -> None:
    """On a base that there is not, so that it ends soon; the conformance tests build one for real."""
    monkeypatch.setenv(BASE_VARIABLE, NO_BASE)
    said: list[str] = []
    images = Images(root, said.append)
    reference = images.reference(family)
    with pytest.raises(ImageError, match=f"the image of {family.name} could not be built"):
        images.ensure(reference)
    assert said[0] == f"building {reference}"


def test_an_image_that_is_there_is_taken_as_it_is(engine: Engine, base_image: str, root: Path) -> None:
    said: list[str] = []
    assert Images(root, said.append).ensure(base_image) == engine.image(base_image)
    assert said == []


def test_any_other_image_is_pulled(
    engine: Engine, base_image: str, root: Path, registry: ImageRegistry
) -> None:
    reference = registry.reference("pulled", "1")
    engine.run("tag", base_image, reference)
    engine.run("push", "--quiet", reference)
    engine.run("rmi", reference)
    said: list[str] = []
    try:
        found = Images(root, said.append).ensure(reference)
        assert found.id == engine.run("image", "inspect", "--format", "{{.Id}}", base_image).strip()
        assert said == [f"pulling {reference}", ""]
    finally:
        engine.try_run("rmi", reference)


def test_what_cannot_be_had_says_what_there_is(engine: Engine, root: Path) -> None:
    with pytest.raises(DockerError, match="'localhost:1/x' is not on this machine and cannot be pulled"):
        Images(root).ensure("localhost:1/x")

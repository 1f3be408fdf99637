from __future__ import annotations

import io
import json
import tarfile

import pytest

from ci import sbom
from trainyard.errors import SetupError
from trainyard.images.recipe import Recipe
from trainyard.images.remote import DOCKER_MANIFEST, push

DOCUMENT = {
    "serialNumber": "urn:uuid:1",
    "metadata": {"timestamp": "now", "component": {"name": "a"}},
    "components": [{"name": "b"}, {"name": "a"}],
}


@pytest.fixture
def recipe(family, root) -> Recipe:
    return Recipe.of(family, root)


def test_what_differs_each_time_is_left_out():
    text = sbom.canonical(DOCUMENT)
    kept = {"metadata": {"component": {"name": "a"}}, "components": DOCUMENT["components"]}
    assert json.loads(text) == kept
    later = {
        **DOCUMENT,
        "serialNumber": "urn:uuid:2",
        "metadata": {**DOCUMENT["metadata"], "timestamp": "later"},
    }
    assert sbom.canonical(later) == text


@pytest.mark.slow
def test_an_image_has_one_bill(ci_tools, engine, base_image, recipe, tmp_path):
    image = engine.image(base_image)
    first = sbom.make(recipe, image, tmp_path / "a" / "first.json")
    assert first == sbom.make(recipe, image, tmp_path / "second.json")
    text = (tmp_path / "second.json").read_bytes()
    assert sbom.digest(text) == first
    bill = json.loads(text)
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["version"] == recipe.tag
    assert any(component["name"].startswith("libc6") for component in bill["components"])


def test_what_syft_cannot_read_is_told(ci_tools, engine, base_image, recipe, tmp_path):
    gone = f"sha256:{'0' * 64}"
    image = type(engine.image(base_image))(**{**vars(engine.image(base_image)), "id": gone})
    with pytest.raises(SetupError, match=f"syft cannot read the image {recipe.reference}: "):
        sbom.make(recipe, image, tmp_path / "bill.json")
    assert not (tmp_path / "bill.json").exists()


def test_without_syft_it_says_how_to_get_it(engine, base_image, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(sbom.sys, "prefix", "/nowhere")
    with pytest.raises(SetupError, match=r"no /nowhere/bin/syft; .*python3 -m ci\.setup"):
        sbom.make(recipe, engine.image(base_image), tmp_path / "bill.json")


def test_a_bill_lies_in_the_registry_as_an_image_of_one_file(engine, registry, tmp_path):
    file, reference, tag = tmp_path / "bill.json", "trainyard-test-bill:1", sbom.tag(f"sha256:{'a' * 64}")
    assert tag == f"sbom-{'a' * 16}"
    file.write_text("{}\n")
    sbom.as_image(engine, file, reference)
    try:
        pushed = push(engine, reference, registry, "bills", tag)
        assert pushed.media_type == DOCKER_MANIFEST
        assert registry.labels("bills", tag) == {sbom.DIGEST_LABEL: sbom.digest(b"{}\n")}
        container = engine.run("create", reference, "none").strip()
        try:
            archive = engine.try_run("cp", f"{container}:/{sbom.FILE}", "-").stdout
        finally:
            engine.run("rm", container)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            assert tar.extractfile(sbom.FILE).read() == b"{}\n"
    finally:
        engine.run("rmi", reference)

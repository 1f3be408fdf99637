"""Archives are found by names that cannot leave their prefix, and are unpacked whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.errors import EndpointError
from trainyard.execution.model_data import ModelError, ModelPrefix, identifier, place_model
from trainyard.in_image.archives import write_archive
from trainyard.in_image.opt_ml import OptMl


@pytest.fixture
def opt_ml(tmp_path) -> OptMl:
    return OptMl(tmp_path / "ml")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three archives, one of them in a folder, and something outside."""
    folder = tmp_path / "prefix"
    (folder / "north").mkdir(parents=True)
    for name in ("b.tar.gz", "a.tar.gz", "north/c.tar.gz"):
        write_archive(folder / name, {"model.json": name.encode()})
    (folder / "report.json").write_text("{}")
    write_archive(tmp_path / "secret.tar.gz", {"model.json": b"secret"})
    return folder


@pytest.fixture
def prefix(folder, opt_ml) -> ModelPrefix:
    return ModelPrefix(folder, opt_ml)


def refusal(call, *arguments) -> ModelError:
    with pytest.raises(ModelError) as error:
        call(*arguments)
    return error.value


def test_names_are_paths_below_the_prefix(prefix):
    assert list(prefix.names()) == ["a.tar.gz", "b.tar.gz", "north/c.tar.gz"]


@pytest.mark.parametrize(
    "name", ["", "../secret.tar.gz", "north/../../secret.tar.gz", "/etc/passwd", "a\0b", ".."]
)
def test_a_name_that_leaves_the_prefix_is_refused(prefix, name):
    error = refusal(prefix.find, name)
    assert error.status == 400 and repr(name) in str(error)


def test_a_link_that_leaves_the_prefix_is_refused(prefix, folder, tmp_path):
    (folder / "link.tar.gz").symlink_to(tmp_path / "secret.tar.gz")
    (folder / "out").symlink_to(tmp_path)
    for name in ("link.tar.gz", "out/secret.tar.gz"):
        assert refusal(prefix.find, name).status == 400
    (folder / "inside.tar.gz").symlink_to("a.tar.gz")
    assert prefix.find("inside.tar.gz").name == "a.tar.gz"


@pytest.mark.parametrize("name", ["z.tar.gz", "north", "a.tar.gz/x", "x" * 5000, "\udcff.tar.gz"])
def test_an_unknown_model_is_named_with_some_that_there_are(prefix, name):
    error = refusal(prefix.find, name)
    assert error.status == 404
    assert f"no model {name!r}" in str(error) and "a.tar.gz, b.tar.gz, north/c.tar.gz" in str(error)


def test_links_in_a_circle(prefix, folder):
    (folder / "round.tar.gz").symlink_to("round.tar.gz")
    assert refusal(prefix.find, "round.tar.gz").status == 404


@given(st.text(st.sampled_from("./ab\\\0~%"), max_size=12))
def test_no_name_finds_what_lies_outside(tmp_path_factory, name):
    base = tmp_path_factory.getbasetemp() / "given"
    (base / "prefix" / "a").mkdir(parents=True, exist_ok=True)
    (base / "a").write_text("outside")
    (base / "prefix" / "b").write_text("inside")
    try:
        found = ModelPrefix(base / "prefix", OptMl(base)).find(name)
    except ModelError as error:
        assert error.status in (400, 404)
    else:
        assert found.read_text() == "inside"


def test_an_archive_is_unpacked_once_and_again_when_it_has_changed(prefix, folder, opt_ml):
    place = opt_ml.models / identifier("a.tar.gz") / "model" / "model.json"
    prefix.unpack("a.tar.gz")
    first = place.stat().st_ino
    prefix.unpack("a.tar.gz")
    assert (place.read_bytes(), place.stat().st_ino) == (b"a.tar.gz", first)
    write_archive(folder / "a.tar.gz", {"model.json": b"a newer model"})
    prefix.unpack("a.tar.gz")
    assert place.read_bytes() == b"a newer model"


def test_what_another_endpoint_left_is_not_trusted(prefix, folder, opt_ml):
    place = opt_ml.models / identifier("a.tar.gz") / "model"
    place.mkdir(parents=True)
    (place / "left.json").touch()
    prefix.unpack("a.tar.gz")
    assert [path.name for path in place.iterdir()] == ["model.json"]


def test_a_damaged_archive_leaves_nothing(prefix, folder, opt_ml):
    content = (folder / "a.tar.gz").read_bytes()
    (folder / "a.tar.gz").write_bytes(content[: len(content) // 2])
    error = refusal(prefix.unpack, "a.tar.gz")
    assert error.status == 500
    assert "model 'a.tar.gz' cannot be unpacked" in str(error) and "not a whole .tar.gz" in str(error)
    assert list(opt_ml.models.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs takes root")
def test_a_full_disk_leaves_nothing_and_says_so(folder, tmp_path):
    import subprocess

    write_archive(folder / "large.tar.gz", {"model.json": os.urandom(300_000)})
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no tmpfs here: {mounted.stderr.decode().strip()}")
    try:
        error = refusal(ModelPrefix(folder, OptMl(small)).unpack, "large.tar.gz")
        assert (error.status, "No space left" in str(error)) == (507, True)
        assert list((small / "models").iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_one_model_is_laid_out_from_an_archive_or_a_folder(folder, opt_ml):
    place_model(folder / "a.tar.gz", opt_ml)
    assert (opt_ml.model / "model.json").read_bytes() == b"a.tar.gz"
    place_model(folder / "north", opt_ml)
    assert [path.name for path in opt_ml.model.iterdir()] == ["c.tar.gz"]


def test_one_model_that_cannot_be_laid_out(folder, opt_ml):
    with pytest.raises(EndpointError, match=r"none\.tar\.gz cannot be laid out: No such file"):
        place_model(folder / "none.tar.gz", opt_ml)
    with pytest.raises(EndpointError, match=r"cannot be unpacked: .*report\.json: not a whole"):
        place_model(folder / "report.json", opt_ml)

"""Files of images: which one a name means, and whether they can be decoded."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

ALL = (
    "a.jpg",
    "day/a.jpg",
    "day/images/b.png",
    "night/images/b.png",
    "night/c d.jpg",
    "x/y/z.jpg",
    "gr\u00f6\u00dfe.jpg",
)


@pytest.fixture(scope="module")
def image_files(module):
    return module("image_files")


@pytest.fixture(scope="module")
def find(image_files):
    index = image_files.Index([PurePosixPath(name) for name in ALL])

    def find(reference, source="annotations.json"):
        found = index.find(reference, PurePosixPath(source), "place")
        return None if found is None else str(found)

    return find


@pytest.mark.parametrize(
    ("reference", "source", "found"),
    [
        ("a.jpg", "annotations.json", "a.jpg"), ("a.jpg", "day/annotations.json", "day/a.jpg"),
        ("./day/a.jpg", "annotations.json", "day/a.jpg"), ("day\\a.jpg", "annotations.json", "day/a.jpg"),
        ("../day/a.jpg", "night/annotations.json", "day/a.jpg"),
        ("b.png", "day/annotations.json", "day/images/b.png"),
        ("b.png", "night/annotations/all.json", "night/images/b.png"),
        ("c d.jpg", "day/annotations.json", "night/c d.jpg"),
        ("C:\\photos\\night\\c d.jpg", "annotations.json", "night/c d.jpg"),
        ("/home/me/x/y/z.jpg", "annotations.json", "x/y/z.jpg"), ("/home/me/z.jpg", "annotations.json", "x/y/z.jpg"),
        ("s3://bucket/some/day/a.jpg", "m.manifest", "day/a.jpg"), ("file:///day/a.jpg", "m.json", "day/a.jpg"),
        ("s3://bucket/x/y/z.jpg", "m.manifest", "x/y/z.jpg"), ("gro\u0308\u00dfe.jpg", "m.json", "gr\u00f6\u00dfe.jpg"),
        ("q/z.jpg", "annotations.json", None), ("z.png", "annotations.json", None), ("A.JPG", "m.json", None),
    ],
)  # fmt: skip
def test_names(find, reference, source, found):
    assert find(reference, source) == found


@pytest.mark.parametrize(
    "reference", ["../a.jpg", "day/../../a.jpg", "s3://b/../a.jpg", "/../a.jpg", "..", "/", "."]
)
def test_names_that_lead_out(module, find, reference):
    with pytest.raises(module("findings").Refused, match="leads out of the input's folder"):
        find(reference)


def test_names_of_several_files(module, find):
    with pytest.raises(module("findings").Refused, match=r"could be day/images/b\.png, night/images/b\.png"):
        find("images/b.png")


@settings(max_examples=200, deadline=None)
@given(st.text("ab./\\:s3", max_size=20), st.sampled_from(["m.json", "day/m.json"]))
def test_only_files_below_the_input_are_found(module, find, reference, source):
    try:
        assert find(reference, source) in (None, *ALL)
    except module("findings").Refused:
        pass


def test_hidden_files_are_not_there(image_files, tmp_path):
    for name in ("b.jpg", "a/c.jpg", ".hidden/d.jpg", "__MACOSX/e.jpg", "a/.f.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(map(str, image_files.files(tmp_path))) == ["a/c.jpg", "b.jpg"]


@pytest.fixture
def photo(tmp_path):
    """A photo of noise in a file."""

    def make(name="a.jpg", size=(40, 30), **options):
        noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / name, **options)
        return tmp_path / name

    return make


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.webp", "a.tiff", "a.gif", "png.jpg"])
def test_whole_files(image_files, photo, name):
    path = photo(name, format="PNG") if name == "png.jpg" else photo(name)
    checked = image_files.check(path, 10_000)
    assert checked == image_files.Checked(40, 30, 1, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.99])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_cut_off_files_are_broken(image_files, photo, name, kept):
    path = photo(name)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    assert image_files.check(path, 10_000).problem


def test_spoiled_and_foreign_files_are_broken(image_files, photo, tmp_path):
    path = photo("a.png")
    spoiled = bytearray(path.read_bytes())
    spoiled[len(spoiled) // 2] ^= 0xFF
    path.write_bytes(spoiled)
    assert image_files.check(path, 10_000).problem
    path.write_text("<svg/>")
    assert image_files.check(path, 10_000).problem == "no image of a known format"
    path.write_bytes(b"")
    assert image_files.check(path, 10_000).problem == "an empty file"
    assert "FileNotFoundError" in image_files.check(tmp_path / "b.png", 10_000).problem


@pytest.mark.parametrize(
    ("mode", "fine"), [("I;16", False), ("F", False), ("L", True), ("P", True), ("CMYK", True)]
)
def test_more_than_8_bits_would_be_cut(image_files, tmp_path, mode, fine):
    image = Image.fromarray(np.full((9, 9), 1000, np.uint16)) if mode == "I;16" else Image.new(mode, (9, 9))
    image.save(tmp_path / "a.tiff")
    assert (not image_files.check(tmp_path / "a.tiff", 10_000).problem) == fine


def test_a_bomb_is_not_decoded(image_files, tmp_path):
    """A PNG of a few hundred bytes whose header promises 900 million pixels."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 99)),
    ]
    made = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(made))
    assert "max-pixels is 100,000,000" in image_files.check(tmp_path / "bomb.png", 100_000_000).problem
    assert "30,000 x 30,000 pixels" in image_files.check(tmp_path / "bomb.png", 899_999_999).problem


@pytest.mark.parametrize(
    ("orientation", "displayed"), [(1, (40, 30)), (3, (40, 30)), (6, (30, 40)), (99, (40, 30))]
)
def test_orientation(image_files, photo, orientation, displayed):
    exif = Image.Exif()
    exif[0x0112] = orientation
    checked = image_files.check(photo(exif=exif), 10_000)
    assert (checked.width, checked.height, checked.displayed) == (40, 30, displayed)


def test_many_files_in_several_processes(image_files, photo, tmp_path):
    content = photo().read_bytes()
    names = [PurePosixPath(f"{number}.jpg") for number in range(150)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(content if number != 77 else content[:300])
    checked = image_files.check_all(tmp_path, names, 10_000, 2)
    assert [number for number, each in enumerate(checked) if each.problem] == [77]

"""Any JPEG or PNG becomes RGB, upright; anything else is refused with a reason, quickly and without a crash."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image


@pytest.fixture(scope="module")
def decoding(module):
    return module("decoding")


def encoded(image, kind="PNG", **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def scene(width=12, height=8):
    """Each quarter another colour, so that no turn looks like another."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = 250, 10, 20
    pixels[: height // 2, width // 2 :] = 20, 240, 30
    pixels[height // 2 :, : width // 2] = 30, 40, 230
    return pixels


def test_pixels_of_a_png_come_as_they_are(decoding):
    found = decoding.decode(encoded(Image.fromarray(scene())))
    assert found.dtype == np.uint8 and np.array_equal(found, scene())


def test_pixels_of_a_jpeg_are_those_that_pillow_gives(decoding):
    content = encoded(Image.fromarray(scene(200, 100)), "JPEG", quality=90)
    assert np.array_equal(decoding.decode(content), np.asarray(Image.open(io.BytesIO(content))))


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA"])
def test_other_modes_become_rgb(decoding, mode):
    image = Image.fromarray(scene()).convert(mode)
    assert np.array_equal(decoding.decode(encoded(image)), np.asarray(image.convert("RGB")))


def test_cmyk_becomes_rgb(decoding):
    content = encoded(Image.fromarray(scene(64, 64)).convert("CMYK"), "JPEG", quality=95)
    found = decoding.decode(content).astype(int)
    assert np.abs(found[4:28, 4:28] - (250, 10, 20)).max() < 12


def test_of_16_bits_the_upper_half_counts(decoding):
    grey = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    found = decoding.decode(encoded(Image.fromarray(grey)))
    assert np.array_equal(found, np.repeat((grey >> 8).astype(np.uint8)[:, :, None], 3, axis=2))


def test_the_quick_way_gives_what_pillow_gives(decoding):
    random = np.random.default_rng(0)
    for channels, width in ((3, 1), (3, 31), (4, 64)):
        pixels = random.integers(0, 256, (40, width, channels), np.uint8)
        content = encoded(Image.fromarray(pixels), optimize=bool(width % 2))
        with Image.open(io.BytesIO(content)) as image:
            assert np.array_equal(decoding._quick(content, image), pixels[:, :, :3])
        assert np.array_equal(decoding.decode(content), pixels[:, :, :3])


@pytest.mark.parametrize("kept", [0.5, 0.9, 0.999])
def test_the_quick_way_leaves_broken_images_to_pillow(decoding, kept):
    content = encoded(Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)))
    content = content[: int(kept * len(content))]
    with Image.open(io.BytesIO(content)) as image:
        try:
            expected = np.asarray(image)
        except OSError:
            with pytest.raises(decoding.BadImage, match="broken"):
                decoding.decode(content)
        else:
            assert np.array_equal(decoding.decode(content), expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_come_upright(decoding, kind, orientation):
    """A file whose EXIF data say how it must be turned shows the same scene as one that need not be turned."""
    undone = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}.get(orientation)
    stored = Image.fromarray(scene(48, 32))
    if undone:
        stored = stored.transpose(decoding._UPRIGHT[undone])
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decoding.decode(encoded(stored, kind, exif=exif)).astype(int)
    assert found.shape == (32, 48, 3)
    assert (
        np.abs(found[:8, :16] - (250, 10, 20)).max() < 40
        and np.abs(found[:8, -16:] - (20, 240, 30)).max() < 40
    )


def test_broken_metadata_of_a_good_image_do_not_matter(decoding):
    content = encoded(Image.fromarray(scene()), "JPEG", exif=b"Exif\0\0MM\0*" + b"\xff" * 40)
    assert decoding.decode(content).shape == (8, 12, 3)


def chunk(kind, content):
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(width, height, rows=b""):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    compressed = zlib.compress(rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", compressed) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"hello", "neither JPEG nor PNG"),
        (png(30_000, 30_000), "pixels that are possible"),
        (png(8000, 8000), "8,000 x 8,000 pixels; 50,000,000 are possible"),
        (png(0, 5), "it is broken|neither"),
        (png(4, 4), "it is broken"),
        (png(4, 4)[:40], "it is broken|neither"),
        (b"GIF89a" + bytes(100), "neither JPEG nor PNG"),
        (encoded(Image.new("RGB", (9, 9)), "TIFF"), "neither JPEG nor PNG"),
        (encoded(Image.new("RGB", (300, 300)), "JPEG")[:-200], "it is broken: .*truncated"),
    ],
)  # fmt: skip
def test_what_is_no_image_is_refused(decoding, content, message):
    with pytest.raises(decoding.BadImage, match=message):
        decoding.decode(content)


def test_the_limit_of_pixels_is_what_is_left_of_the_requests(decoding):
    content = encoded(Image.fromarray(scene()))
    decoding.decode(content, 96)
    with pytest.raises(decoding.BadImage, match="12 x 8 pixels; 95 are possible"):
        decoding.decode(content, 95)


WHOLE = [encoded(Image.fromarray(scene(60, 40)), kind) for kind in ("JPEG", "PNG")]
WHOLE.append(encoded(Image.fromarray(scene(60, 40)).convert("P"), "PNG"))
WHOLE.append(encoded(Image.fromarray(scene(60, 40)), "JPEG", progressive=True))


@settings(max_examples=150, deadline=2000)
@given(st.sampled_from(WHOLE), st.data())
def test_mutated_images_are_decoded_or_refused(decoding, whole, data):
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(2, len(content))) :]
    check(decoding, bytes(content))


@settings(max_examples=100, deadline=2000)
@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]), st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(decoding, begin, rest):
    check(decoding, begin + rest)


def check(decoding, content):
    try:
        found = decoding.decode(content)
    except decoding.BadImage as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3

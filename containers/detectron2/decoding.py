"""Bytes to pixels: JPEG and PNG of any kind as RGB, the way up that their EXIF data say, and nothing too large."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from PIL import Image

try:
    import pyspng
except ImportError:  # Pillow does it all
    pyspng = None

Array = np.ndarray[Any, Any]

FORMATS = ("JPEG", "PNG")
MAX_PIXELS = 50_000_000
"""Of all images of a request together: 150 MB of memory, what three photos of a good camera have."""

_TURNING = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")
"""One of these is in a PNG that can say how it must be turned."""

_ORIENTATION = 0x0112  # the EXIF tag
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class BadImage(Exception):
    """Bytes that are no image that is read here; the message says why."""


def decode(content: bytes, max_pixels: int = MAX_PIXELS) -> Array:
    """The pixels of a JPEG or PNG: uint8 [height, width, 3], RGB. Raises BadImage.

    As Detectron2 reads training images: the first picture of several, transparency left out. Of 16-bit greys the
    upper half counts.
    """
    if not content:
        raise BadImage("it is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata, and Pillow's own limit, which is higher
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                if image.width * image.height > max_pixels:
                    raise BadImage(
                        f"it has {image.width:,} x {image.height:,} pixels; {max_pixels:,} are possible"
                    )
                quick = _quick(content, image)
                if quick is not None:
                    return quick
                image.load()
                return _upright(_rgb(image), _orientation(image))
    except Image.UnidentifiedImageError as error:
        raise BadImage(f"it is neither {' nor '.join(FORMATS)}") from error
    except Image.DecompressionBombError as error:
        raise BadImage(f"it has more than the {max_pixels:,} pixels that are possible") from error
    except BadImage:
        raise
    except Exception as error:  # decoders raise nearly anything for broken bytes
        raise BadImage(
            f"it is broken: {' '.join(str(error).split())[:200] or type(error).__name__}"
        ) from error


def _quick(content: bytes, image: Image.Image) -> Array | None:
    """The pixels of a PNG as most are, in half of Pillow's time: 8-bit RGB or RGBA, not to be turned."""
    plain = image.format == "PNG" and [tile.args for tile in image.tile] in (["RGB"], ["RGBA"])
    if not plain or pyspng is None or any(one in content for one in _TURNING):
        return None
    try:
        pixels = pyspng.load(content, format="RGB")
    except RuntimeError:  # whatever it says, Pillow decides what is broken
        return None
    return pixels if pixels.shape == (image.height, image.width, 3) else None


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken metadata of an image that can be read
        return 1


def _upright(image: Image.Image, orientation: int) -> Array:
    turn = _UPRIGHT.get(orientation)
    return np.asarray(image if turn is None else image.transpose(turn))

"""The files below the input: which one a reference means, and whether it really can be decoded."""

from __future__ import annotations

import hashlib
import io
import os
import re
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from findings import Refused
from labels import short
from PIL import Image

FORMATS = {
    ".bmp": "BMP", ".gif": "GIF", ".jfif": "JPEG", ".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG", ".tif": "TIFF",
    ".tiff": "TIFF", ".webp": "WEBP",
}  # fmt: skip
DECODERS = sorted(set(FORMATS.values()))
DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
ORIENTATION = 0x0112  # the EXIF tag
SIDEWAYS = range(5, 9)  # orientations whose displayed width is the stored height
ALONE = 64  # images that are not worth starting processes for


def files(root: Path) -> Iterator[PurePosixPath]:
    """Every file below a folder but hidden ones, sorted."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        inside = PurePosixPath(Path(folder).relative_to(root).as_posix())
        yield from (inside / name for name in sorted(names) if not name.startswith("."))


class Index:
    """Finds images by what annotations call them: only ever files below the input."""

    def __init__(self, names: Sequence[PurePosixPath]) -> None:
        self._named: dict[str, list[PurePosixPath]] = {}
        for name in names:
            self._named.setdefault(unicodedata.normalize("NFC", name.name), []).append(name)

    def find(self, reference: str, source: PurePosixPath, place: str) -> PurePosixPath | None:
        """The file that ``source`` means. A relative path must be found as it is, anywhere; of an absolute one or
        an S3 URI the longest end. Raises Refused for what could be several, or leads out of the input."""
        text = unicodedata.normalize("NFC", reference.replace("\\", "/"))
        path, absolute = re.subn(r"^(s3://[^/]*/|file://|[A-Za-z]:|/)/*", "", text)
        if not absolute and ".." in PurePosixPath(path).parts:
            path = os.path.normpath(source.parent / path)
            absolute = 0
        parts = tuple(part for part in PurePosixPath(path).parts if part != ".")
        if ".." in parts or not parts:
            raise Refused(f"{place}: the file name {short(reference)} leads out of the input's folder")
        near = (*source.parent.parts, *parts)
        best: list[PurePosixPath] = []
        longest = 0 if absolute else len(parts) - 1
        for name in self._named.get(parts[-1], ()):
            own = tuple(unicodedata.normalize("NFC", part) for part in name.parts)
            if own == near:
                return name
            same = _same(reversed(own), reversed(parts))
            if same > longest:
                best, longest = [name], same
            elif same == longest and best:
                best.append(name)
        if len(best) > 1:
            closest = max(_same(name.parts, source.parts) for name in best)
            best = [name for name in best if _same(name.parts, source.parts) == closest]
        if len(best) > 1:
            raise Refused(
                f"{place}: the file name {short(reference)} could be {', '.join(map(str, best[:3]))}"
                f"{' or others' if len(best) > 3 else ''}. Write enough of its path into the annotations"
            )
        return best[0] if best else None


def _same(first: Any, second: Any) -> int:
    """How many parts are the same from the start."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


@dataclass(frozen=True)
class Checked:
    """A file's size in pixels as stored, its EXIF orientation (1: as stored), its digest, and what is wrong."""

    width: int = 0
    height: int = 0
    orientation: int = 1
    digest: str = ""
    problem: str = ""

    @property
    def displayed(self) -> tuple[int, int]:
        """Width and height with the orientation applied, as Detectron2's reader and browsers do."""
        size = (self.width, self.height)
        return (size[1], size[0]) if self.orientation in SIDEWAYS else size


def check(path: Path, max_pixels: int) -> Checked:
    """Read and decode one file, once."""
    try:
        content = path.read_bytes()
        with warnings.catch_warnings(), _limit(max_pixels):
            warnings.simplefilter("ignore")  # odd metadata
            with Image.open(io.BytesIO(content), formats=DECODERS) as image:
                if image.width * image.height > max_pixels:
                    return Checked(
                        problem=f"{image.width:,} x {image.height:,} pixels; max-pixels is {max_pixels:,}"
                    )
                image.verify()
            with Image.open(io.BytesIO(content), formats=DECODERS) as image:
                if image.mode in DEEP:
                    return Checked(
                        problem=f"mode {image.mode}, which readers cut to 8 bits: convert it to 8 bits"
                    )
                orientation = image.getexif().get(ORIENTATION, 1)
                image.load()
                turned = orientation if orientation in range(2, 9) else 1
                return Checked(image.width, image.height, turned, hashlib.sha256(content).hexdigest())
    except Image.DecompressionBombError as error:
        return Checked(problem=f"{error}; max-pixels is {max_pixels:,}")
    except Image.UnidentifiedImageError:
        return Checked(problem="no image of a known format" if content else "an empty file")
    except Exception as error:  # decoders raise nearly anything for broken files
        return Checked(problem=f"{type(error).__name__}: {error}"[:200])


@contextmanager
def _limit(max_pixels: int) -> Iterator[None]:
    """Pillow's own limit, which holds within files, too: it refuses twice as much."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def check_all(root: Path, names: Sequence[PurePosixPath], max_pixels: int, processes: int) -> list[Checked]:
    """Check files in their order, in several processes where there are many. Raises Refused."""
    paths = [root / name for name in names]
    limits = [max_pixels] * len(paths)
    if len(paths) <= ALONE or processes == 1:
        return list(map(check, paths, limits))
    try:
        with ProcessPoolExecutor(processes) as pool:
            return list(pool.map(check, paths, limits, chunksize=16))
    except BrokenProcessPool as error:
        raise Refused(
            "a process that decodes images was ended, most likely for want of memory. Set --max-pixels lower, "
            "--processes 1, or take a larger instance"
        ) from error

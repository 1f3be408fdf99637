"""Pictures of an image twice: with its truth, and with what was detected in it.

Blue and solid is right, orange and dashed is wrong (missed truth, false detections), grey and dashed does not count
(crowds): two colours that the colour-blind tell apart, and no meaning that only a colour has.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matching import FALSE, Matched
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont, ImageOps

if TYPE_CHECKING:
    from dataset import Image
    from detector import Detections

Array = np.ndarray[Any, Any]
Corners = tuple[float, float, float, float]

SMALLEST, LARGEST = 500, 720  # pixels of a panel's longer side
_RIGHT, _WRONG, _OTHER = ("#0072b2", False), ("#e66100", True), ("#6b6b6b", True)  # colour, whether dashed
_PAPER, _INK = "#f6f7f9", "#14202e"
_GAP, _HEAD, _TEXT, _DASH = 10, 24, 13, 6
_LONGEST_NAME = 24


class BadPicture(Exception):
    """An image that cannot be read, or not as the data set has it; the message names its file."""


def read(image: Image) -> Array:
    """Pixels RGB, height x width x 3, upright as its EXIF says. Raises BadPicture."""
    try:
        with Pillow.open(image.file) as opened:
            pixels = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise BadPicture(f"{image.file} cannot be read: {error}") from error
    if pixels.shape != (image.height, image.width, 3):
        raise BadPicture(
            f"{image.file} is {pixels.shape[1]} x {pixels.shape[0]} pixels, its annotations say "
            f"{image.width} x {image.height}"
        )
    return pixels


def draw(
    pixels: Array, image: Image, detections: Detections, matched: Matched, classes: tuple[str, ...]
) -> Pillow.Image:
    """The picture: truth on the left, detections that reach the threshold on the right."""
    longer = max(image.width, image.height)
    scale = min(max(longer, SMALLEST), LARGEST) / longer
    size = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
    plain = Pillow.fromarray(pixels).resize(size, Pillow.Resampling.BICUBIC)
    heads = (
        f"truth: {matched.right + matched.missed}, missed {matched.missed}",
        f"detected: {matched.right + matched.false}, false {matched.false}",
    )
    wide = max(size[0], *(round(_font().getlength(head)) + 4 for head in heads))
    picture = Pillow.new("RGB", (2 * wide + 3 * _GAP, size[1] + _HEAD + 2 * _GAP), _PAPER)
    boxes = (_truth(image, matched, classes), _detected(image, detections, matched, classes))
    for number, (head, each) in enumerate(zip(heads, boxes, strict=True)):
        panel = plain.copy()
        _annotate(panel, [(tuple(side * scale for side in box), text, style) for box, text, style in each])
        at = _GAP + number * (wide + _GAP)
        picture.paste(panel, (at, _GAP + _HEAD))
        ImageDraw.Draw(picture).text((at, _GAP), head, fill=_INK, font=_font())
    return picture


def save(picture: Pillow.Image, file: Path) -> None:
    """As JPEG: photographs as PNG are ten times as large."""
    picture.save(file, "JPEG", quality=85, optimize=True)


def _truth(image: Image, matched: Matched, classes: tuple[str, ...]) -> Iterator[tuple[Any, str, Any]]:
    for box, found in zip(image.boxes, matched.found.tolist(), strict=True):
        style = _OTHER if box.crowd else _RIGHT if found else _WRONG
        corners = (box.x, box.y, box.x + box.width, box.y + box.height)
        yield corners, _short(classes[box.label]), style


def _detected(
    image: Image, detections: Detections, matched: Matched, classes: tuple[str, ...]
) -> Iterator[tuple[Any, str, Any]]:
    count = len(matched.truth_of)
    for corners, score, label, truth in zip(
        detections.boxes[:count].tolist(),
        detections.scores[:count].tolist(),
        detections.labels[:count].tolist(),
        matched.truth_of.tolist(),
        strict=True,
    ):
        style = _RIGHT if truth >= 0 else _WRONG if truth == FALSE else _OTHER
        yield corners, f"{_short(classes[label])} {score:.2f}", style


def _annotate(panel: Pillow.Image, boxes: list[tuple[Any, str, tuple[str, bool]]]) -> None:
    """All boxes first, so that none hides a text; a text that would hide another is left out."""
    pen = ImageDraw.Draw(panel)
    for box, _, (color, dashed) in boxes:
        _outline(pen, box, color, dashed)
    taken: list[Corners] = []
    # wrong ones first: their texts are what the picture is looked at for
    for box, text, (color, _) in sorted(boxes, key=lambda each: each[2] != _WRONG):
        place = _place(panel.size, box, _font().getlength(text) + 4, taken)
        if place is not None:
            taken.append(place)
            pen.rectangle(place, fill=color)
            pen.text((place[0] + 2, place[1]), text, fill="white", font=_font())


def _outline(pen: ImageDraw.ImageDraw, box: Corners, color: str, dashed: bool) -> None:
    left, top, right, bottom = box
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    sides = (
        ((left, top), (right, top)), ((right, top), (right, bottom)),
        ((left, bottom), (right, bottom)), ((left, top), (left, bottom)),
    )  # fmt: skip
    for (x, y), (end_x, end_y) in sides:
        length = (end_x - x) + (end_y - y)
        for start in np.arange(0, length, 2 * _DASH if dashed else length).tolist():
            stop = min(start + _DASH, length) if dashed else length
            across = end_x > x
            ends = [(x + at, y) if across else (x, y + at) for at in (start, stop)]
            pen.line(ends, fill="white", width=5 if dashed else 4)  # a rim that sets it off from any ground
            pen.line(ends, fill=color, width=3 if dashed else 2)


def _place(size: tuple[int, int], box: Corners, width: float, taken: list[Corners]) -> Corners | None:
    """Where a text of that width has room: above its box, below it, or inside at its top."""
    height = _TEXT + 3
    left = min(max(box[0], 0), max(size[0] - width, 0))
    for top in (box[1] - height, box[3], box[1]):
        place = (left, top, left + width, top + height)
        inside = top >= 0 and top + height <= size[1]
        if inside and not any(_touch(place, other) for other in taken):
            return place
    return None


def _touch(one: Corners, other: Corners) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _short(name: str) -> str:
    text = " ".join(name.split())
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


@functools.cache
def _font() -> Any:
    return ImageFont.load_default(_TEXT)

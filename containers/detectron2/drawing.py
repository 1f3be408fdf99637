"""An image with boxes, classes and scores drawn over it."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Sequence

from decoding import Array
from detector import Detections
from PIL import Image, ImageDraw, ImageFont

_GOLDEN = 0.618034  # steps of hue by this share keep any number of classes apart


def draw(image: Array, found: Detections, classes: Sequence[str]) -> bytes:
    """PNG of the image's own size; weak detections lie below strong ones."""
    picture = Image.fromarray(image)
    canvas = ImageDraw.Draw(picture)
    line = max(1, round(min(picture.size) / 200))
    font = ImageFont.load_default(max(10, round(min(picture.size) / 30)))
    best_last = list(zip(found.boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True))[
        ::-1
    ]
    for box, label, score in best_last:
        colour = _colour(label)
        canvas.rectangle(box, outline=colour, width=line)
        text = f"{classes[label]} {score:.2f}"
        left, top, right, bottom = canvas.textbbox((0, 0), text, font, anchor="lt")
        wide, tall = right - left + 2 * line, bottom - top + 2 * line
        x, y = box[0], max(0, box[1] - tall)  # over the box, or in it where there is no room over it
        canvas.rectangle((x, y, x + wide, y + tall), fill=colour)
        canvas.text((x + line, y + line), text, (255, 255, 255), font, anchor="lt")
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def _colour(label: int) -> tuple[int, ...]:
    """Dark enough for white text."""
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(label * _GOLDEN % 1, 1, 0.75))

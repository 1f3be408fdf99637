"""Make the example's data: photos of coloured shapes on textured ground, with a box around each shape.

    python generate.py --output FOLDER [--images 80] [--size 160] [--shapes 3] [--format coco] [--seed 0]

Shapes have any colour, so that only their form tells what they are; sides are a fifth to two fifths of the photo's.
Needs numpy and Pillow; the same arguments always give the same annotations and, with one version of Pillow, files.
"""

from __future__ import annotations

import argparse
import colorsys
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

CLASSES = ("circle", "square", "triangle")
CORNERS = {"circle": 60, "square": 4, "triangle": 3}
UPRIGHT = {"circle": 0.0, "square": np.pi / 4, "triangle": -np.pi / 2}
TILT = 0.2
SIDES = (0.22, 0.42)  # of the photo's side
SHARPER = 4  # shapes are drawn this many times larger, for smooth edges
TRIES = 20
JOB = "shapes"

Box = tuple[int, int, int, int]  # left, top, width, height in pixels


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True, help="the folder for images/ and annotations")
    parser.add_argument("--images", type=int, default=80)
    parser.add_argument("--size", type=int, default=160, help="width and height of each photo, in pixels")
    parser.add_argument("--shapes", type=int, default=3, help="at most, in a photo")
    parser.add_argument("--format", choices=("coco", "ground-truth"), default="coco")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    folder = arguments.output / "images"
    folder.mkdir(parents=True, exist_ok=True)
    labeled = []
    for number in range(arguments.images):
        generator = np.random.default_rng(
            (arguments.seed, number)
        )  # more images leave the others as they are
        image, boxes = photo(arguments.size, arguments.shapes, generator)
        name = f"shapes_{number:04d}.jpg"
        image.save(folder / name, quality=92)
        labeled.append((name, boxes))
    if arguments.format == "coco":
        text = json.dumps(coco(labeled, arguments.size), indent=1)
        (arguments.output / "annotations.json").write_text(text, encoding="utf-8")
    else:
        lines = (json.dumps(line(name, boxes, arguments.size)) + "\n" for name, boxes in labeled)
        (arguments.output / "output.manifest").write_text("".join(lines), encoding="utf-8")
    return 0


def photo(size: int, most: int, generator: np.random.Generator) -> tuple[Image.Image, list[tuple[int, Box]]]:
    """A photo, and its shapes' classes and boxes; shapes hardly overlap."""
    image = ground(size, generator)
    boxes: list[tuple[int, Box]] = []
    taken = np.zeros((size, size), bool)
    for _ in range(int(generator.integers(1, most + 1))):
        for _ in range(TRIES):
            label = int(generator.integers(len(CLASSES)))
            mask = shape(CLASSES[label], size, generator)
            solid = np.asarray(mask) > 127
            if not (solid & taken).any():
                break
        else:
            break
        image.paste(Image.new("RGB", image.size, colour(generator, 0.9)), mask=mask)
        rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
        top, left = int(rows[0]), int(columns[0])
        boxes.append((label, (left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)))
        taken[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    noise = generator.normal(0, 6, (size, size, 1))
    noisy = np.clip(np.asarray(image, float) + noise, 0, 255).astype(np.uint8)
    return Image.fromarray(noisy), boxes


def ground(size: int, generator: np.random.Generator) -> Image.Image:
    """Pale stains of two colours."""
    stains = Image.fromarray(generator.integers(0, 256, (6, 6), np.uint8)).resize(
        (size, size), Image.Resampling.BICUBIC
    )
    return Image.composite(
        *(Image.new("RGB", (size, size), colour(generator, 0.25)) for _ in range(2)), stains
    ).filter(ImageFilter.GaussianBlur(1))


def colour(generator: np.random.Generator, saturation: float) -> tuple[int, int, int]:
    hue, value = generator.uniform(), generator.uniform(0.6, 0.9)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return int(red * 255), int(green * 255), int(blue * 255)


def shape(name: str, size: int, generator: np.random.Generator) -> Image.Image:
    """A mask of one shape somewhere inside, tilted a little."""
    side = generator.uniform(*SIDES) * size
    radius = side * {"circle": 0.5, "square": 0.62, "triangle": 0.6}[name]
    middle = generator.uniform(radius + 1, size - radius - 1, 2)
    turned = UPRIGHT[name] + generator.uniform(-TILT, TILT)
    angles = turned + np.linspace(0, 2 * np.pi, CORNERS[name], endpoint=False)
    corners = middle + radius * np.column_stack([np.cos(angles), np.sin(angles)])
    mask = Image.new("L", (size * SHARPER, size * SHARPER))
    ImageDraw.Draw(mask).polygon([tuple(corner) for corner in (corners * SHARPER).tolist()], fill=255)
    return mask.resize((size, size), Image.Resampling.BOX)


def coco(labeled: Sequence[tuple[str, Sequence[tuple[int, Box]]]], size: int) -> dict[str, Any]:
    images, annotations = [], []
    for number, (name, boxes) in enumerate(labeled, 1):
        images.append({"id": number, "file_name": name, "width": size, "height": size})
        for label, box in boxes:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": label + 1,
                    "bbox": list(box),
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def line(name: str, boxes: Sequence[tuple[int, Box]], size: int) -> dict[str, Any]:
    """A line of a Ground Truth output manifest."""
    sides = ("left", "top", "width", "height")
    return {
        "source-ref": f"s3://example/shapes/images/{name}",
        JOB: {
            "image_size": [{"width": size, "height": size, "depth": 3}],
            "annotations": [
                {"class_id": label, **dict(zip(sides, box, strict=True))} for label, box in boxes
            ],
        },
        f"{JOB}-metadata": {
            "objects": [{"confidence": 1.0} for _ in boxes],
            "class-map": {str(label): CLASSES[label] for label, _ in boxes},
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": "2026-01-05T08:00:00.000000",
            "job-name": f"labeling-job/{JOB}",
        },
    }


if __name__ == "__main__":
    raise SystemExit(main())

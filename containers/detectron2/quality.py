"""What is told about the data: data_quality.json, and the same in a few lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dataset import Image
from findings import Findings

SMALL, MEDIUM = 32.0**2, 96.0**2  # COCO's bounds, square pixels
NAME = "data_quality.json"


def describe(classes: Sequence[str], parts: Mapping[str, Sequence[Image]]) -> dict[str, Any]:
    """Counts of each part and class, and how large images and boxes are."""
    images = [image for part in parts.values() for image in part]
    boxes = [box for image in images for box in image.boxes]
    sides = np.array([[box.width, box.height] for box in boxes]).reshape(-1, 2)
    area = sides.prod(axis=1)
    described: dict[str, Any] = {"parts": {}, "classes": {name: {} for name in classes}}
    for part, inside in parts.items():
        described["parts"][part] = {
            "images": len(inside),
            "boxes": sum(len(image.boxes) for image in inside),
            "crowds": sum(box.crowd for image in inside for box in image.boxes),
            "without_boxes": sum(not image.boxes for image in inside),
        }
        for label, counts in enumerate(_counts(len(classes), inside)):
            described["classes"][classes[label]][part] = counts
    described["missing_classes"] = {
        part: [name for name, counts in described["classes"].items() if not counts[part]["boxes"]]
        for part, inside in parts.items()
        if inside
    }
    described["image_width"] = _spread([image.width for image in images])
    described["image_height"] = _spread([image.height for image in images])
    described["boxes_per_image"] = _spread([len(image.boxes) for image in images])
    described["box_width"], described["box_height"] = _spread(sides[:, 0]), _spread(sides[:, 1])
    described["box_sizes"] = {
        "small": int((area < SMALL).sum()),
        "medium": int(((area >= SMALL) & (area < MEDIUM)).sum()),
        "large": int((area >= MEDIUM).sum()),
        "meaning": "by COCO's bounds of 32 x 32 and 96 x 96 pixels, in the images' own pixels",
    }
    return described


def write(report: Mapping[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    partial = folder / f"{NAME}.partial"
    partial.write_text(text, encoding="utf-8")
    partial.replace(folder / NAME)


def tell(report: Mapping[str, Any], findings: Findings) -> str:
    """The report in a few lines."""
    lines = [f"annotations: {', '.join(report['files'])}"]
    if report["ignored_files"]:
        lines.append(f"not read: {', '.join(report['ignored_files'][:5])}")
    width = max(map(len, [*report["classes"], "images without boxes"]))
    lines.append(" " * width + "".join(f"{part:>20}" for part in report["parts"]))
    for name, parts in report["classes"].items():
        told = (f"{counts['boxes']:,} in {counts['images']:,}" for counts in parts.values())
        lines.append(f"{name:<{width}}" + "".join(f"{text:>20}" for text in told))
    for name, key in (("boxes in images", "boxes"), ("images without boxes", "without_boxes")):
        told = (
            f"{part['boxes']:,} in {part['images']:,}" if key == "boxes" else f"{part[key]:,}"
            for part in report["parts"].values()
        )
        lines.append(f"{name:<{width}}" + "".join(f"{text:>20}" for text in told))
    lines += [
        f"no {name} in {part}: nothing can be said about it there"
        for part, names in report["missing_classes"].items()
        for name in names[:5]
    ]
    for reason, found in findings.as_json().items():
        if found["count"]:
            lines.append(
                f"{found['count']:,} {reason} ({found['meaning']}; {found['handling']}), first: {found['examples'][0]}"
            )
    return "\n".join(lines)


def _counts(classes: int, images: Sequence[Image]) -> list[dict[str, int]]:
    counts = [{"images": 0, "boxes": 0} for _ in range(classes)]
    for image in images:
        for label in {box.label for box in image.boxes}:
            counts[label]["images"] += 1
        for box in image.boxes:
            counts[box.label]["boxes"] += 1
    return counts


def _spread(values: Any) -> dict[str, float]:
    if not len(values):
        return {}
    names = ("min", "p10", "median", "p90", "max")
    numbers = np.percentile(values, [0, 10, 50, 90, 100]).round(2).tolist()
    return dict(zip(names, numbers, strict=True))

"""Annotations in COCO format: one JSON document with images, annotations and categories, strictly read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from findings import Refused
from labels import NOWHERE, Drawn, Labeled, is_number, numbers, short, whole_number

KEYS = ("images", "annotations", "categories")


def is_coco(document: Any) -> bool:
    """Whether a JSON document means to be one: what lacks a single key is refused later, not overlooked."""
    return isinstance(document, dict) and sum(key in document for key in KEYS) >= 2


def parse(document: dict[str, Any], source: PurePosixPath) -> tuple[dict[int, str], list[Labeled]]:
    """(class names by id, images in the document's order). Raises Refused."""
    for key in KEYS:
        if not isinstance(document.get(key), list):
            raise Refused(
                f"{source}: {key!r} is missing or no list; a COCO document has the lists {', '.join(KEYS)}"
            )
    classes = dict(_categories(document["categories"], source))
    boxes = _boxes(document["annotations"], classes, _ids(document["images"], source), source)
    return classes, [_image(image, boxes, source) for image in document["images"]]


def merge(into: dict[int, str], classes: dict[int, str], source: PurePosixPath) -> None:
    """Add the categories of one more document. Raises Refused if they contradict."""
    for number, name in classes.items():
        known = into.get(number, name)
        other = next((key for key, each in into.items() if each == name), number)
        if known != name or other != number:
            said = f"{number} is {known!r}" if known != name else f"{name!r} has id {other}"
            raise Refused(
                f"{source}: category {number} is {name!r}, but another annotation file says that {said}. "
                "Give all annotation files the same list of categories"
            )
        into[number] = name


def _categories(categories: list[Any], source: PurePosixPath) -> Iterator[tuple[int, str]]:
    names: dict[int, str] = {}
    for number, category in enumerate(categories, 1):
        place = f"{source}: category number {number}"
        identity = whole_number(_get(category, "id", place))
        name = _get(category, "name", place)
        if identity is None or not isinstance(name, str) or not name.strip():
            raise Refused(f"{place} is {short(category)}; it needs a whole number as id and a text as name")
        if identity in names or name in names.values():
            raise Refused(f"{place} has id {identity} and name {name!r}, of which one was there before")
        names[identity] = name
        yield identity, name


def _ids(images: list[Any], source: PurePosixPath) -> set[Any]:
    ids: set[Any] = set()
    for number, image in enumerate(images, 1):
        place = f"{source}: image number {number}"
        identity = _get(image, "id", place)
        if not isinstance(identity, (int, str)):
            raise Refused(f"{place} has id {short(identity)}; it needs a whole number")
        if identity in ids:
            raise Refused(f"{place} has id {short(identity)}, as an image before it. Give each its own")
        ids.add(identity)
    return ids


def _image(image: dict[str, Any], boxes: dict[Any, list[Drawn]], source: PurePosixPath) -> Labeled:
    place = f"{source}: image {short(image['id'])}"
    name = _get(image, "file_name", place)
    if not isinstance(name, str) or not name.strip():
        raise Refused(f"{place} has file_name {short(name)}; it needs the name of a file")
    size = None
    if "width" in image or "height" in image:
        width, height = whole_number(image.get("width")), whole_number(image.get("height"))
        if width is None or height is None or min(width, height) < 1:
            raise Refused(
                f"{place} ({name}) has width {short(image.get('width'))} and height "
                f"{short(image.get('height'))}; both are whole numbers of pixels above 0, or absent"
            )
        size = (width, height)
    return Labeled(name, source, place, size, tuple(boxes.get(image["id"], ())))


def _boxes(
    annotations: list[Any], classes: dict[int, str], images: set[Any], source: PurePosixPath
) -> dict[Any, list[Drawn]]:
    """Boxes by their image's id."""
    found: dict[Any, list[Drawn]] = {}
    ids: set[Any] = set()
    for number, annotation in enumerate(annotations, 1):
        place = f"{source}: annotation number {number}"
        image, category = _get(annotation, "image_id", place), _get(annotation, "category_id", place)
        identity = annotation.get("id", f"number {number}")
        if not isinstance(identity, (int, str)) or identity in ids:
            raise Refused(f"{place} has id {short(identity)}, which is none, or was there before")
        ids.add(identity)
        if not isinstance(image, (int, str)) or image not in images:
            raise Refused(
                f"{place} (id {short(identity)}) has image_id {short(image)}; there is no such image"
            )
        name = classes.get(whole_number(category)) if is_number(category) else None  # type: ignore[arg-type]
        if name is None:
            raise Refused(
                f"{place} (id {short(identity)}) has category_id {short(category)}; "
                f"there are {', '.join(f'{key} ({name})' for key, name in list(classes.items())[:10]) or 'none'}"
            )
        crowd = annotation.get("iscrowd", 0)
        if crowd not in (0, 1):
            raise Refused(f"{place} (id {short(identity)}) has iscrowd {short(crowd)}; it is 0 or 1")
        drawn = Drawn(name, _numbers(annotation), bool(crowd), f"annotation {short(identity)}")
        found.setdefault(image, []).append(drawn)
    return found


def _numbers(annotation: dict[str, Any]) -> tuple[float, float, float, float]:
    """The box; without one, that around its polygons."""
    if annotation.get("bbox") is not None:
        return numbers(annotation["bbox"])
    polygons = annotation.get("segmentation")
    if not isinstance(polygons, list) or not polygons:
        return NOWHERE
    if not all(isinstance(p, list) and len(p) >= 6 and len(p) % 2 == 0 for p in polygons):
        return NOWHERE
    if not all(is_number(value) for polygon in polygons for value in polygon):
        return NOWHERE
    across = [value for polygon in polygons for value in polygon[0::2]]
    down = [value for polygon in polygons for value in polygon[1::2]]
    return numbers([min(across), min(down), max(across) - min(across), max(down) - min(down)])


def _get(value: Any, key: str, place: str) -> Any:
    if not isinstance(value, dict):
        raise Refused(f"{place} is {short(value)}, no object")
    if key not in value:
        raise Refused(f"{place} has no {key!r}: {short(value)}")
    return value[key]

"""From what annotations and files say to the images that are learnt from: checked, mended, none in two parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import boxes
from annotations import Annotations, part_of
from findings import Findings
from image_files import SIDEWAYS, Checked
from labels import Drawn, Labeled
from splitting import Unit

ORIENTATIONS = ("auto", "displayed", "stored")
WORTH = ("test", "validation", "train", None)  # whose copy of a duplicate stays


@dataclass(frozen=True)
class Sample:
    """An image with its boxes; ``part`` as the input's folders have it, if they do."""

    name: PurePosixPath
    width: int
    height: int
    boxes: tuple[tuple[str, boxes.Numbers, bool], ...]
    digest: str
    part: str | None

    def unit(self, images: int) -> Unit:
        return Unit(str(self.name), images, frozenset(name for name, _, _ in self.boxes))


@dataclass(frozen=True)
class Rules:
    """``names``: the class that each annotated one becomes. The others as preprocess.py's options."""

    names: Mapping[str, str]
    on_bad_box: str
    orientation: str
    keeps_parts: bool


def make(read: Annotations, checked: Sequence[Checked], rules: Rules, findings: Findings) -> list[Sample]:
    """The images that can be used; ``checked`` in the order of ``read.images``."""
    for image in read.missing:
        findings.add("missing_image", f"{image.place}: {image.reference}")
    found = []
    for (name, image), file in zip(read.images.items(), checked, strict=True):
        if file.problem:
            findings.add("broken_image", f"{name}: {file.problem}")
            continue
        stored, displayed = (file.width, file.height), file.displayed
        if image.size not in (None, stored, displayed):
            width, height = image.size or (0, 0)
            findings.add(
                "other_size",
                f"{image.place}: {name} is {width} x {height} there, the file {stored[0]} x {stored[1]}",
            )
            continue
        drawn = [
            (box._replace(name=rules.names[box.name]), box.numbers)
            for box in image.boxes
            if box.name in rules.names
        ]
        for box in image.boxes:
            if box.name not in rules.names:
                findings.add("other_class", f"{image.place}, {box.place}: {box.name}")
        drawn = _turned(drawn, image, file, rules, findings, name)
        mended = tuple(
            (box.name, numbers, box.crowd)
            for box, numbers in boxes.mend(
                drawn, *displayed, rules.on_bad_box, findings, f"{image.place} ({name})"
            )
        )
        if not mended:
            findings.add("no_boxes", str(name))
        part = part_of(image.source) if rules.keeps_parts else None
        found.append(Sample(name, *displayed, mended, file.digest, part))
    return found


def _turned(
    drawn: list[tuple[Drawn, boxes.Numbers]],
    image: Labeled,
    file: Checked,
    rules: Rules,
    findings: Findings,
    name: PurePosixPath,
) -> list[tuple[Drawn, boxes.Numbers]]:
    """Boxes on the image as displayed. Which image they were drawn on, sizes tell if the file lies on its side."""
    if file.orientation == 1:
        return drawn
    findings.add("turned_image", f"{name}: EXIF orientation {file.orientation}")
    told = rules.orientation
    if told == "auto":
        lies = file.orientation in SIDEWAYS and file.width != file.height
        told = "stored" if lies and image.size == (file.width, file.height) else "displayed"
    if told == "displayed":
        return drawn
    findings.add("turned_boxes", f"{name}: drawn on {file.width} x {file.height}")
    return [(box, boxes.turn(numbers, file.orientation, file.width, file.height)) for box, numbers in drawn]


def without_duplicates(
    samples: Sequence[Sample], on_duplicate: str, findings: Findings
) -> list[list[Sample]]:
    """Groups of images that belong into one part: an image, with its duplicates if they are kept.

    Of duplicates in different parts of the input, only those of the part that measures stay.
    """
    same: dict[str, list[Sample]] = {}
    for sample in samples:
        same.setdefault(sample.digest, []).append(sample)
    groups = []
    for copies in same.values():
        copies.sort(key=lambda sample: (WORTH.index(sample.part), sample.name))
        first, *others = copies
        for other in others:
            where = f"{other.name} is {first.name}"
            findings.add("duplicate_image", where)
            if set(other.boxes) != set(first.boxes):
                findings.add("different_duplicate", where)
        same_part = [sample for sample in copies if sample.part == first.part]
        groups.append(same_part if on_duplicate == "keep" else [first])
    return groups

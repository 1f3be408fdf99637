"""Boxes as drawn become boxes that can be learnt: turned with their image, inside it, none twice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from findings import Findings
from labels import Drawn

NEAR = 1.0  # pixels over the edge that are taken for rounding
TINY = 4.0  # pixels
NOTHING = 0.01  # pixels: a side below is none
NARROW = 10.0  # times

Numbers = tuple[float, float, float, float]


def turn(numbers: Numbers, orientation: int, width: int, height: int) -> Numbers:
    """A box of an image as stored (of that size), as it is on the image displayed by this EXIF orientation."""
    x, y, w, h = numbers
    right, below = width - x - w, height - y - h
    return {
        2: (right, y, w, h),
        3: (right, below, w, h),
        4: (x, below, w, h),
        5: (y, x, h, w),
        6: (below, x, h, w),
        7: (below, right, h, w),
        8: (y, right, h, w),
    }.get(orientation, numbers)


def mend(
    drawn: Sequence[tuple[Drawn, Numbers]],
    width: int,
    height: int,
    on_bad: str,
    findings: Findings,
    where: str,
) -> Iterator[tuple[Drawn, Numbers]]:
    """The boxes that stay, inside their image; ``findings`` learns of the others. Bad ones are left out, or with
    ``on_bad`` clip cut at the edge; to refuse them is the caller's."""
    seen: set[tuple[str, bool, Numbers]] = set()
    for box, numbers in drawn:
        example = f"{where}, {box.place} ({box.name}): {_written(numbers)} in {width} x {height}"
        wrong = problem(numbers, width, height)
        if wrong:
            findings.add(wrong, example)
            if wrong != "rounded_box" and not (wrong == "box_over_edge" and on_bad == "clip"):
                continue
            numbers = clip(numbers, width, height)
        if (box.name, box.crowd, numbers) in seen:
            findings.add("duplicate_box", example)
            continue
        seen.add((box.name, box.crowd, numbers))
        short, long = sorted(numbers[2:])
        if short < TINY:
            findings.add("tiny_box", example)
        if long > NARROW * short:
            findings.add("narrow_box", example)
        yield box, numbers


def problem(numbers: Numbers, width: int, height: int) -> str:
    """What is wrong with a box, in the terms of findings; empty if nothing is."""
    if not all(map(math.isfinite, numbers)):
        return "not_a_box"
    x, y, w, h = numbers
    if w < NOTHING or h < NOTHING:
        return "empty_box"
    if min(clip(numbers, width, height)[2:]) < NOTHING:
        return "box_outside"
    over = max(-x, -y, x + w - width, y + h - height)
    if over <= 0:
        return ""
    return "box_over_edge" if over > NEAR else "rounded_box"


def clip(numbers: Numbers, width: int, height: int) -> Numbers:
    x, y, w, h = numbers
    left, top = max(x, 0.0), max(y, 0.0)
    return left, top, min(x + w, width) - left, min(y + h, height) - top


def _written(numbers: Numbers) -> str:
    return "[" + ", ".join(f"{number:g}" for number in numbers) + "]"

"""Which part each image belongs to: shares of images, each class in every part as far as there are images of it.

After iterative stratification (Sechidis et al., 2011), with sizes of parts that are kept, and with rare classes put
into every part first.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from findings import Refused

PARTS = ("train", "test", "validation")  # in the order in which they get images of a rare class
CHOICE = 50  # images of a class that are looked at, for one that has other rare classes, too


@dataclass(frozen=True)
class Unit:
    """Images that stay together: one, or one and its duplicates."""

    name: str
    images: int
    classes: frozenset[str]


def sizes(images: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Images of each part; ``shares`` has those of other parts than train. Raises Refused for too few."""
    found = {part: max(round(images * share), 1) for part, share in shares.items() if share > 0}
    if images <= len(found):
        parts = ", ".join(part for part in PARTS if part in {*found, "train"})
        raise Refused(
            f"{images} images are too few for {parts}. Give more images, or set --validation-share or "
            "--test-share to 0"
        )
    while sum(found.values()) >= images:  # rounded up, of few images
        found[max(found, key=lambda part: found[part])] -= 1
    found["train"] = images - sum(found.values())
    return {part: found.get(part, 0) for part in PARTS}


def split(units: Sequence[Unit], wanted: Mapping[str, int], seed: int) -> dict[str, str]:
    """The part of each unit by its name; ``wanted`` are the parts' images. The same however units are ordered."""
    return _Split(units, wanted, seed).parts


class _Split:
    def __init__(self, units: Sequence[Unit], wanted: Mapping[str, int], seed: int) -> None:
        ranked = sorted(units, key=lambda unit: hashlib.sha256(f"{seed}:{unit.name}".encode()).digest())
        self.free = {unit.name: unit for unit in ranked}
        self.parts: dict[str, str] = {}
        self.room = {part: size for part, size in wanted.items() if size}
        self.images = Counter(name for unit in ranked for name in unit.classes)
        whole = sum(wanted.values())
        self.desired = {
            part: {name: count * size / whole for name, count in self.images.items()}
            for part, size in self.room.items()
        }
        self.rarest = sorted(self.images, key=lambda name: (self.images[name], name))
        self._cover()
        self._fill()

    def _cover(self) -> None:
        """An image of each class into each part, as far as there are enough of them."""
        due = {
            (part, name)
            for name, count in self.images.items()
            for part in [part for part in PARTS if part in self.room][:count]
        }
        holders: dict[str, list[Unit]] = {name: [] for name in self.images}
        for unit in self.free.values():
            for name in unit.classes:
                holders[name].append(unit)
        left = Counter(self.images)  # free units of each class
        for part in sorted(self.room, key=lambda part: self.room[part]):
            for name in self.rarest:
                if (part, name) not in due:
                    continue
                fit = (
                    unit
                    for unit in holders[name]
                    if self._fits(unit, part) and self._spares(unit, part, due, left)
                )
                chosen = max(
                    islice(fit, CHOICE),
                    key=lambda unit: sum((part, each) in due for each in unit.classes),
                    default=None,
                )
                if chosen is None:
                    continue
                self._put(chosen, part)
                due -= {(part, each) for each in chosen.classes}
                left.subtract(chosen.classes)

    def _fits(self, unit: Unit, part: str) -> bool:
        return unit.name in self.free and unit.images <= self.room[part]

    def _spares(self, unit: Unit, part: str, due: set[tuple[str, str]], left: Counter[str]) -> bool:
        """Whether other parts can still get what is due to them when this one takes the unit."""
        return all(
            left[name] > sum((other, name) in due for other in self.room if other != part)
            for name in unit.classes
        )

    def _fill(self) -> None:
        for name in self.rarest:
            for unit in [unit for unit in self.free.values() if name in unit.classes]:
                self._put(unit, self._neediest(unit, name))
        for unit in sorted(self.free.values(), key=lambda unit: -unit.images):
            self._put(unit, self._neediest(unit, None))

    def _neediest(self, unit: Unit, name: str | None) -> str:
        """Where most of a class is missing, and room is."""
        roomy = [part for part in self.room if self.room[part] >= unit.images]
        if not roomy:
            return max(self.room, key=lambda part: self.room[part])
        return max(roomy, key=lambda part: (self.desired[part][name] if name else 0, self.room[part]))

    def _put(self, unit: Unit, part: str) -> None:
        del self.free[unit.name]
        self.parts[unit.name] = part
        self.room[part] -= unit.images
        for name in unit.classes:
            self.desired[part][name] -= 1

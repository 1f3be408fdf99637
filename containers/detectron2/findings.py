"""What preprocessing found wrong with the data: how often, the first places, and what was done about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 5

MEANINGS = {
    "missing_image": "annotations of an image that is not there",
    "broken_image": "an image that cannot be decoded, is larger than max-pixels, or has more than 8 bits per channel",
    "other_size": "an image whose annotations were made at another size than the file's",
    "duplicate_image": "a file with the same bytes as another one",
    "different_duplicate": "a duplicate whose boxes differ from those of the one that is kept",
    "not_annotated": "an image that no annotation file names",
    "turned_image": "an image that its EXIF orientation turns or mirrors",
    "turned_boxes": "a turned image whose boxes were drawn on the image as stored, and are turned with it",
    "no_boxes": "an image without boxes: it shows none of the classes",
    "failed_line": "a manifest's line whose labelling failed",
    "unlabeled_line": "a manifest's line that has no bounding boxes of any job",
    "labeled_again": "a manifest's line about an image that a newer line is about, too",
    "low_confidence": "a box below min-confidence",
    "other_class": "a box of a class that was not chosen",
    "empty_class": "a class without a box",
    "not_a_box": "a box without four finite numbers",
    "empty_box": "a box without width or height",
    "box_outside": "a box that lies outside its image",
    "box_over_edge": "a box that reaches over the edge of its image by more than a pixel",
    "rounded_box": "a box that reaches over the edge of its image by a pixel at most",
    "duplicate_box": "a box of a class where the image has the same one already",
    "tiny_box": "a box with a side below four pixels",
    "narrow_box": "a box with one side more than ten times the other",
}
BAD_IMAGES = ("missing_image", "broken_image", "other_size")
BAD_BOXES = ("not_a_box", "empty_box", "box_outside", "box_over_edge")


class Refused(Exception):
    """Data that cannot be meant; the message says which, where, and what to do."""


@dataclass
class Findings:
    """Collects counts and the first examples by reason; every reason is reported, also when it never came up."""

    handling: dict[str, str]
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MEANINGS, 0))
    examples: dict[str, list[str]] = field(default_factory=lambda: {reason: [] for reason in MEANINGS})

    def add(self, reason: str, example: str) -> None:
        self.counts[reason] += 1
        if len(self.examples[reason]) < EXAMPLES:
            self.examples[reason].append(example)

    def refuse(self, reasons: tuple[str, ...], option: str) -> None:
        """Raises Refused if any of these came up."""
        found = [reason for reason in reasons if self.counts[reason]]
        if found:
            more = sum(self.counts[reason] for reason in found) - 1
            raise Refused(
                f"{self.examples[found[0]][0]}: {MEANINGS[found[0]]}"
                + (f", and {more:,} more ({self.tell(found)})" if more else "")
                + f". Correct the data, or set {option}"
            )

    def tell(self, reasons: list[str]) -> str:
        return ", ".join(f"{self.counts[reason]:,} {reason}" for reason in reasons)

    def as_json(self) -> dict[str, Any]:
        return {
            reason: {
                "count": self.counts[reason],
                "meaning": meaning,
                "handling": self.handling.get(reason, "kept"),
                "examples": self.examples[reason],
            }
            for reason, meaning in MEANINGS.items()
        }

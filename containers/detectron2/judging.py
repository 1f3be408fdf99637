"""Counts of right, false and missed of one split of the data at the score threshold, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from coco_scores import Scores
from matching import FALSE, IGNORED, Matched, f1, match

if TYPE_CHECKING:
    from dataset import Dataset
    from detector import Detections

Array = np.ndarray[Any, Any]

BINS = 20
_SAMPLES = 200
_MOST_CONFUSED = 100  # classes: a matrix of more would fill the file


@dataclass(frozen=True, kw_only=True)
class Split:
    """One split of the data, what was detected in its images, and what that is worth."""

    name: str
    dataset: Dataset
    detections: Sequence[Detections]  # of each image, by falling score, whatever the score
    scores: Scores
    threshold: float
    milliseconds: float | None  # that the detector took for an image, several at once; None without images

    @cached_property
    def matched(self) -> list[Matched]:
        """Of each image, at the threshold."""
        pairs = zip(self.dataset.images, self.detections, strict=True)
        return [match(image, detections, self.threshold) for image, detections in pairs]

    @cached_property
    def class_counts(self) -> Array:
        """Right, false and missed of each class: [class, 3]."""
        counts = np.zeros((len(self.dataset.classes), 3), int)
        for truth, detections, matched in self._rows():
            labels = detections.labels[: len(matched.truth_of)]
            np.add.at(counts[:, 0], labels[matched.truth_of >= 0], 1)
            np.add.at(counts[:, 1], labels[matched.truth_of == FALSE], 1)
            np.add.at(counts[:, 2], truth[~matched.found & ~matched.crowd], 1)
        return counts

    def per_class(self) -> list[dict[str, float | None]]:
        """Of each class: boxes of truth, right, false, missed and the rates of them."""
        return [_with_rates(*counts) for counts in self.class_counts.tolist()]

    def overall(self) -> dict[str, float | None]:
        """Of all classes together, every box alike."""
        return _with_rates(*self.class_counts.sum(axis=0).tolist())

    def deviations(self) -> dict[str, float | None]:
        """Standard deviations of precision, recall and f1 over 200 draws of as many images, with replacement."""
        per_image = np.array([[each.right, each.false, each.missed] for each in self.matched])
        if len(per_image) < 2:
            return dict.fromkeys(("precision", "recall", "f1"))
        generator = np.random.default_rng(0)
        drawn = generator.multinomial(len(per_image), np.full(len(per_image), 1 / len(per_image)), _SAMPLES)
        found = [_with_rates(*sums) for sums in (drawn @ per_image).tolist()]
        return {name: _deviation([each[name] for each in found]) for name in ("precision", "recall", "f1")}

    def confusion(self) -> Array:
        """Truth by detected class; the last row is detections where no truth is, the last column missed truth."""
        size = len(self.dataset.classes)
        matrix = np.zeros((size + 1, size + 1), int)
        for truth, detections, matched in self._rows():
            for number, box in enumerate(matched.truth_of.tolist()):
                if box >= 0:
                    matrix[truth[box], detections.labels[number]] += 1
            mistaken = set(matched.mistaken_for.values())
            for box, number in matched.mistaken_for.items():
                matrix[truth[box], detections.labels[number]] += 1
            for number in np.flatnonzero(matched.truth_of == FALSE).tolist():
                if number not in mistaken:
                    matrix[size, detections.labels[number]] += 1
            for box in np.flatnonzero(~matched.found & ~matched.crowd).tolist():
                if box not in matched.mistaken_for:
                    matrix[truth[box], size] += 1
        return matrix

    def score_counts(self) -> tuple[Array, Array]:
        """How many right and how many false detections have a score in each of 20 bins, whatever the threshold."""
        right, false = np.zeros(BINS, int), np.zeros(BINS, int)
        for image, detections in zip(self.dataset.images, self.detections, strict=True):
            truth_of = match(image, detections, 0.0).truth_of
            bins = np.minimum((np.asarray(detections.scores) * BINS).astype(int), BINS - 1)
            np.add.at(right, bins[truth_of >= 0], 1)
            np.add.at(false, bins[truth_of == FALSE], 1)
        return right, false

    def worst_first(self) -> list[int]:
        """Places of the images: by F1, and of equals the one with more errors first."""

        def key(place: int) -> tuple[float, int, int]:
            matched = self.matched[place]
            return matched.f1, -matched.false - matched.missed, place

        return sorted(range(len(self.matched)), key=key)

    def as_json(self) -> dict[str, Any]:
        """AP by COCO's names, rates at the threshold, both of each class; the confusion of at most 100 classes."""
        classes = zip(self.dataset.classes, self.scores.per_class, self.per_class(), strict=True)
        few = len(self.dataset.classes) <= _MOST_CONFUSED
        return {
            **self.scores.overall.as_json(),
            **self.overall(),
            "images": len(self.dataset.images),
            "per_class": {name: score.as_json() | rates for name, score, rates in classes},
            "confusion": self.confusion().tolist() if few else None,
        }

    def _rows(self) -> list[tuple[Array, Detections, Matched]]:
        labels = [np.array([box.label for box in image.boxes], int) for image in self.dataset.images]
        return list(zip(labels, self.detections, self.matched, strict=True))


def choose(split: Split, most: int) -> list[tuple[int, bool]]:
    """Places of images to show, worst first: the worst (True) as one half, the other evenly from the rest."""
    order = split.worst_first()
    most = min(most, len(order))
    worst, rest = order[: (most + 1) // 2], order[(most + 1) // 2 :]
    count = most - len(worst)
    others = [rest[(2 * number + 1) * len(rest) // (2 * count)] for number in range(count)]
    return [(place, True) for place in worst] + [(place, False) for place in others]


def best_threshold(dataset: Dataset, detections: Sequence[Detections]) -> float:
    """The score from which on detections have the highest F1 at IoU 0.50; 0.5 where none is right."""
    scores, right = [], []
    for image, each in zip(dataset.images, detections, strict=True):
        truth_of = match(image, each, 0.0).truth_of
        scores.append(np.asarray(each.scores, np.float64)[truth_of != IGNORED])
        right.append(truth_of[truth_of != IGNORED] >= 0)
    score, is_right = np.concatenate([[], *scores]), np.concatenate([np.zeros(0, bool), *right])
    if not is_right.any():
        return 0.5
    order = np.argsort(-score, kind="stable")
    score, hits = score[order], np.cumsum(is_right[order])
    truth = sum(not box.crowd for image in dataset.images for box in image.boxes)
    last = np.append(score[1:] != score[:-1], True)  # equal scores come together
    worth = np.where(last, 2 * hits / (np.arange(1, len(score) + 1) + truth), 0.0)
    return float(score[worth.argmax()])


def _with_rates(right: int, false: int, missed: int) -> dict[str, float | None]:
    return {
        "truth": right + missed, "right": right, "false": false, "missed": missed,
        "precision": right / (right + false) if right + false else None,
        "recall": right / (right + missed) if right + missed else None,
        "f1": f1(right, false, missed) if right + false + missed else None,
    }  # fmt: skip


def _deviation(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.std(defined)) if len(defined) > 1 else None

"""Counts, rates and the choice of images, by hand-made scenes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.containers.detectron2.scenes import found, image, split

HERE, THERE = (10, 10, 20, 20), (60, 60, 20, 20)
AT_HERE, AT_THERE = (10, 10, 30, 30), (60, 60, 80, 80)


@pytest.fixture
def scene(module):
    """Four images: perfect; a cat taken for a dog; one missed and one false; nothing to see and nothing seen."""
    data = module("dataset")
    pairs = [
        (image(data, 1, (0, *HERE), (1, *THERE)), found((*AT_HERE, 0.9, 0), (*AT_THERE, 0.8, 1))),
        (image(data, 2, (0, *HERE)), found((*AT_HERE, 0.7, 1))),
        (
            image(data, 3, (1, *HERE), (1, 0, 0, 90, 90, True)),
            found((91, 91, 99, 99, 0.6, 0), (*AT_THERE, 0.55, 1)),
        ),
        (image(data, 4), found((*AT_HERE, 0.2, 0))),
    ]
    return split(module, pairs)


def test_counts_and_rates(scene):
    cat, dog = scene.per_class()
    assert (cat["truth"], cat["right"], cat["false"], cat["missed"]) == (2, 1, 1, 1)
    assert (dog["truth"], dog["right"], dog["false"], dog["missed"]) == (2, 1, 1, 1)
    overall = scene.overall()
    assert overall["precision"] == overall["recall"] == overall["f1"] == 0.5
    told = scene.as_json()
    assert told["images"] == 4 and told["AP"] == 0.5 and told["APs"] is None
    assert told["per_class"]["cat"]["AR"] == 0.5 and told["per_class"]["cat"]["recall"] == 0.5


def test_confusion(module, scene):
    assert scene.confusion().tolist() == scene.as_json()["confusion"] == [[1, 1, 0], [0, 1, 1], [1, 0, 0]]
    assert split(module, [], tuple(map(str, range(101)))).as_json()["confusion"] is None


def test_rates_of_nothing_are_none(module):
    overall = split(module, []).overall()
    assert (overall["precision"], overall["recall"], overall["f1"]) == (None, None, None)
    assert split(module, []).deviations() == {"precision": None, "recall": None, "f1": None}


def test_deviations(module, scene):
    assert 0.05 < scene.deviations()["recall"] < 0.5
    alike = split(module, [(each, scene.detections[0]) for each in [scene.dataset.images[0]] * 5])
    assert alike.deviations() == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_scores_whatever_the_threshold(scene):
    right, false = scene.score_counts()
    assert right.sum() == 2 and (right[18], right[16]) == (1, 1)
    assert false.sum() == 3 and false[4] == false[12] == false[14] == 1


def test_worst_images_first(module, scene):
    assert scene.worst_first() == [1, 2, 0, 3]
    judging = module("judging")
    assert judging.choose(scene, 9) == [(1, True), (2, True), (0, False), (3, False)]
    assert judging.choose(scene, 3) == [(1, True), (2, True), (3, False)]
    assert judging.choose(scene, 1) == [(1, True)] and judging.choose(scene, 0) == []


def test_others_are_drawn_evenly(module):
    pairs = [(image(module("dataset"), number), found()) for number in range(100)]
    places = [place for place, worst in module("judging").choose(split(module, pairs), 10) if not worst]
    assert places == [14, 33, 52, 71, 90]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], 0.5),
        ([(*AT_THERE, 0.9, 0)], 0.5),
        ([(*AT_HERE, 0.8, 0), (*AT_THERE, 0.3, 0)], 0.8),
        ([(*AT_THERE, 0.9, 0), (*AT_HERE, 0.3, 0)], 0.3),
        ([(*AT_HERE, 0.4, 0), (*AT_THERE, 0.4, 0), (0, 0, 5, 5, 0.4, 0)], 0.4),
    ],
)
def test_the_threshold_of_the_best_f1(module, rows, expected):
    data = module("dataset").Dataset(("cat",), (image(module("dataset"), 1, (0, *HERE)),))
    assert module("judging").best_threshold(data, [found(*rows)]) == pytest.approx(expected)


def test_no_threshold_is_better_than_the_best(module):
    generator = np.random.default_rng(1)
    data, pairs = module("dataset"), []
    for number in range(30):
        corners = generator.random((4, 2)) * 60
        boxes = [(int(at[0]) % 2, *at, 20, 20) for at in corners]
        rows = [(*(at + 3), *(at + 23), generator.random(), generator.integers(2)) for at in corners]
        pairs.append((image(data, number, *boxes), found(*sorted(rows, key=lambda row: -row[4]))))
    everything = split(module, pairs)
    best = module("judging").best_threshold(everything.dataset, everything.detections)
    reached = split(module, pairs, threshold=best).overall()["f1"]
    others = [split(module, pairs, threshold=at).overall()["f1"] for at in np.linspace(0.01, 0.99, 40)]
    assert reached >= max(others) > 0.2

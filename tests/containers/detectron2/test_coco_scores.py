"""COCO's measure on cases worked out by hand, and what must hold for any."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from trainyard import families

FAMILY = families.repository_root() / "containers" / "detectron2"
CASES = """
import dataclasses, json, sys
import coco_scores, dataset
import numpy as np
from scenes import found, image

def measure(pairs, classes=("cat", "dog")):
    data = dataset.Dataset(classes, tuple(each for each, _ in pairs))
    return coco_scores.measure(data, [each for _, each in pairs])

def told(pairs, classes=("cat", "dog")):
    scores = measure(pairs, classes)
    return scores.overall.as_json() | {
        "classes": [each.as_json() for each in scores.per_class],
        "curve": [scores.mean_curve.recall.tolist(), scores.mean_curve.precision.tolist()],
    }

def pair(boxes, rows, number=1, size=200):
    return image(dataset, number, *boxes, size=size), found(*rows)

def many(seed=0, scale=1.0, order=None, perfect=False):
    generator = np.random.default_rng(seed)
    pairs = []
    for number in range(1, 13):
        corners, labels = generator.random((5, 2)) * 60, generator.integers(0, 2, 5)
        sides, noise = 8 + generator.random((5, 2)) * 30, generator.normal(size=(5, 4)) * (0 if perfect else 3)
        boxes = [(int(label), *(at * scale), *(side * scale))
                 for label, at, side in zip(labels, corners, sides)]
        rows = [(*((np.hstack([at, at + side]) + off) * scale), float(generator.random()), int(label))
                for label, at, side, off in zip(labels, corners, sides, noise)]
        pairs.append((number, boxes, sorted(rows, key=lambda row: -row[4])))
    if order is not None:
        pairs = [pairs[each] for each in order]
    return [pair(boxes, rows, number, 10_000) for number, boxes, rows in pairs]

A, B, C = (0, 10, 10, 20, 20), (0, 50, 50, 20, 20), (0, 100, 100, 20, 20)
AT_A, AT_B, AT_C = (10, 10, 30, 30), (50, 50, 70, 70), (100, 100, 120, 120)
AWAY = (150, 150, 170, 170)
"""


@pytest.fixture(scope="module")
def measured(family_python, environment, tmp_path_factory):
    """All cases, measured in one process of the family's environment."""
    names = list(EXPRESSIONS)
    lines = [f"print(json.dumps({EXPRESSIONS[name]}))" for name in names]
    folder = tmp_path_factory.mktemp("cases")
    (folder / "cases.py").write_text("\n".join([CASES, *lines]))
    paths = os.pathsep.join(map(str, (FAMILY, Path(__file__).parent)))
    ran = subprocess.run(
        [str(family_python), str(folder / "cases.py")], env=environment(folder, PYTHONPATH=paths),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    answers = ran.stdout.splitlines()  # nothing else may be printed
    return dict(zip(names, map(json.loads, answers), strict=True))


EXPRESSIONS = {
    "perfect": "told(many(perfect=True))",
    "nothing found": "told([pair([A, B], [])])",
    "no truth": "told([pair([], [(*AT_A, 0.9, 0)])])",
    "no images": "told([])",
    "no classes": "told([pair([], [])], ())",
    "nan": "str(coco_scores.average_precision(dataset.Dataset(('cat',), ()), []))",
    "float": "coco_scores.average_precision(dataset.Dataset(('cat',), (pair([A], [])[0],)), [found((*AT_A, 1, 0))])",
    "one of two": "told([pair([A, B], [(*AT_A, 0.9, 0)])])",
    "false first": "told([pair([A], [(*AWAY, 0.9, 0), (*AT_A, 0.8, 0)])])",
    "false last": "told([pair([A], [(*AT_A, 0.9, 0), (*AWAY, 0.8, 0)])])",
    "false between": "told([pair([A, B], [(*AT_A, 0.9, 0), (*AWAY, 0.8, 0), (*AT_B, 0.7, 0)])])",
    "twice": "told([pair([A, B], [(*AT_A, 0.9, 0), (*AT_A, 0.8, 0), (*AT_B, 0.7, 0)])])",
    "loose": "told([pair([A], [(10, 10, 30, 37, 0.9, 0)])])",
    "elsewhere false": "told([pair([A], [(*AT_A, 0.8, 0)]), pair([], [(*AT_A, 0.9, 0)], 2)])",
    "sizes": "told([pair([A, (0, 50, 50, 40, 40), (0, 0, 100, 100, 99)],"
    " [(*AT_A, 0.9, 0), (0, 100, 100, 199, 0.8, 0)])])",
    "two classes": "told([pair([A, (1, 50, 50, 20, 20)], [(*AT_A, 0.9, 0)])])",
    "crowd": "told([pair([A, (0, 100, 100, 90, 90, True)], [(*AWAY, 0.9, 0), (*AT_C, 0.85, 0), (*AT_A, 0.8, 0)])])",
    "only a crowd": "told([pair([(0, 100, 100, 90, 90, True)], [(*AWAY, 0.9, 0)])])",
    "many": "told(many())",
    "shuffled": "told(many(order=np.random.default_rng(3).permutation(12)))",
    "scaled": "[told(many())['AP'], told(many(scale=5))['AP'], told(many(scale=5))['APl']]",
    "more than a hundred": "told([pair([A], [(*AWAY, 0.9, 0)] * 100 + [(*AT_A, 0.8, 0)])])",
}


def test_perfect_detections(measured):
    perfect = measured["perfect"]
    assert perfect["AP"] == pytest.approx(1) and perfect["AP50"] == pytest.approx(1) and perfect["AR"] == 1
    assert perfect["curve"][0][-1] == 1 and min(perfect["curve"][1]) == pytest.approx(1)
    assert measured["float"] == pytest.approx(1)


def test_where_there_is_nothing(measured):
    nothing = measured["nothing found"]
    assert nothing["AP"] == nothing["AP50"] == nothing["AR"] == 0 and nothing["curve"] == [[], []]
    assert nothing["APl"] is None and nothing["classes"][1]["AP"] is None
    for case in ("no truth", "no images", "no classes", "only a crowd"):
        assert measured[case]["AP"] is None and measured[case]["curve"] == [[], []]
        assert all(each["AP"] is None for each in measured[case]["classes"])
    assert [len(measured[case]["classes"]) for case in ("no images", "no classes")] == [2, 0]
    assert measured["nan"] == "nan"


@pytest.mark.parametrize(
    ("case", "ap50"),
    [
        ("one of two", 51 / 101),  # recalls 0 to 0.50 of 0 to 1.00, at precision 1
        ("false first", 1 / 2),
        ("false last", 1),
        ("false between", (51 + 50 * 2 / 3) / 101),
        ("twice", (51 + 50 * 2 / 3) / 101),  # the second at the same truth is false
        ("elsewhere false", 1 / 2),
        ("two classes", 1 / 2),  # the mean of 1 and 0
        ("crowd", 1),  # what lies in it does not count
        ("more than a hundred", 0),  # only the best hundred of an image count
    ],
)
def test_worked_out_by_hand(measured, case, ap50):
    assert measured[case]["AP50"] == pytest.approx(ap50)
    assert measured[case]["AP"] == pytest.approx(ap50), "boxes fit exactly, so every IoU is alike"


def test_iou_counts(measured):
    loose = measured["loose"]  # 400 of 540: IoU 0.74
    assert (loose["AP50"], loose["AP75"]) == (pytest.approx(1), 0)
    assert loose["AP"] == pytest.approx(0.5) and loose["AR"] == pytest.approx(0.5)


def test_sizes(measured):
    sizes = measured["sizes"]
    assert sizes["APs"] == pytest.approx(1) and sizes["APm"] == 0 and sizes["APl"] == pytest.approx(1)


def test_the_order_of_images_changes_nothing(measured):
    assert 0.1 < measured["many"]["AP"] < 0.95
    assert measured["shuffled"] == measured["many"]


def test_scaling_changes_nothing_but_sizes(measured):
    before, after, large = measured["scaled"]
    assert after == pytest.approx(before, abs=1e-6) and large is not None


def test_refused(module):
    """Without pycocotools: refused before it is asked."""
    coco, data = module("coco_scores"), module("dataset")
    with pytest.raises(ValueError, match="detections of 1 images for a data set of 0"):
        coco.measure(data.Dataset(("cat",), ()), [None])

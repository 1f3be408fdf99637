"""Charts are well-formed SVG that says in words what it shows, and stays inside its frame."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

CLASSES = ("dormant", "normal", "heavy", "risky")


def answers(judging, name, actual, score):
    return judging.Answers(name, CLASSES, 3, 0.5, np.array(score), np.array(actual), np.array(actual))


@pytest.fixture
def models(module):
    """Two models and their mean, one of them with an odd name."""
    generator = np.random.default_rng(0)
    actual = generator.integers(0, 4, 400)
    return [
        answers(
            module("judging"), name, actual, np.clip((actual == 3) * 0.3 + generator.random(400) * 0.7, 0, 1)
        )
        for name in ('<b>"&', "fold_1", "mean")
    ]


def drawn(svg):
    """The parsed chart; every point of it lies inside."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for shape in root.iter():
        points = [point.split(",") for point in shape.attrib.get("points", "").split()]
        points += [
            (shape.attrib[x], shape.attrib[y]) for x, y in (("cx", "cy"), ("x", "y")) if x in shape.attrib
        ]
        for x, y in points:
            assert 0 <= float(x) <= width and 0 <= float(y) <= height
    assert root.find("title").text == root.attrib["aria-label"]
    return root


@pytest.mark.parametrize("name", ["precision_recall", "receiver_operating", "calibration"])
def test_a_line_for_each_model(module, models, name):
    root = drawn(getattr(module("charts"), name)(models))
    lines = [line for line in root.iter("polyline") if "line" in line.attrib["class"].split()]
    assert [line.find("title").text for line in lines] == ['<b>"&', "fold_1", "mean"]
    assert [line.attrib["class"] for line in lines] == ["line model", "line model", "line mean"]


def test_what_the_curves_say_in_words(module, models):
    charts, judging = module("charts"), module("judging")
    value = judging.binary(models[-1])
    assert f"mean {value['au_prc']:.3f}" in charts.precision_recall(models)
    assert f"mean {value['auc']:.3f}" in charts.receiver_operating(models)
    dots = drawn(charts.precision_recall(models)).iter("circle")
    assert [dot.find("title").text for dot in dots][-1].startswith("mean at its threshold: recall 0.")


def test_scores(module, models):
    root = drawn(module("charts").scores(models[-1]))
    bars = list(root.iter("rect"))
    assert len(bars) == 40 and "threshold 0.50" in "".join(root.itertext())
    risky = int((models[-1].actual == 3).sum())
    assert root.attrib["aria-label"] == f"Scores of {risky} risky and {400 - risky} other rows"


@pytest.mark.parametrize("score", [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.2, 0.9, 1.0]])
def test_few_rows(module, score):
    charts = module("charts")
    models = [answers(module("judging"), "mean", [0, 1, 3], score)]
    for draw in (charts.precision_recall, charts.receiver_operating, charts.calibration):
        drawn(draw(models))
    drawn(charts.scores(models[0]))

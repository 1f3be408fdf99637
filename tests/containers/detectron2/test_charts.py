"""Charts are well-formed SVG that says in words what it shows, and stays inside its frame."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.containers.detectron2.scenes import found, image, split

BOX = (10, 10, 20, 20)
AT = (10, 10, 30, 30)
ODD = '<b>"&'


@pytest.fixture
def scene(module):
    data = module("dataset")
    pairs = [(image(data, 1, (0, *BOX), (1, 50, 50, 9, 9)), found((*AT, 0.91, 0), (70, 70, 80, 80, 1.0, 1)))]
    return split(module, pairs, (ODD, "dog"))


def drawn(svg):
    """The parsed chart; every point of it lies inside."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for shape in root.iter():
        points = [point.split(",") for point in shape.attrib.get("points", "").split()]
        if "x" in shape.attrib:
            points.append((shape.attrib["x"], shape.attrib["y"]))
        for x, y in points:
            assert 0 <= float(x) <= width and 0 <= float(y) <= height
    assert root.find("title").text == root.attrib["aria-label"]
    return root


def test_a_line_for_each_class_and_their_mean(module, scene):
    root = drawn(module("charts").precision_recall(scene))
    lines = list(root.iter("polyline"))
    assert [line.find("title").text for line in lines] == [ODD, "dog", "mean of the classes"]
    assert root.attrib["aria-label"] == "Precision over recall at IoU 0.50 of 2 classes; AP50 is 0.500"
    assert len(lines[0].attrib["points"].split()) == 61


def test_bars_by_class(module, scene):
    root = drawn(module("charts").class_bars(scene))
    tips = [bar.find("title").text for bar in root.iter("rect")]
    assert tips == ["dog: AP 0.500, AP50 0.500"] * 2 + [f"{ODD}: AP 0.500, AP50 0.500"] * 2


def test_bars_by_size(module, scene):
    root = drawn(module("charts").size_bars([scene, split(module, [], name="training", ap=None)]))
    tips = [bar.find("title").text for bar in root.iter("rect")]
    assert tips[:4] == [
        "testing, small: no truth of that size", "training, small: no truth of that size",
        "testing, medium: AP 0.500", "training, medium: no truth of that size",
    ]  # fmt: skip
    assert "testing small –, medium 0.500, large 0.500" in root.attrib["aria-label"]


def test_scores(module, scene):
    root = drawn(module("charts").scores(scene))
    assert root.attrib["aria-label"] == "Scores of 1 right and 1 false detections"
    tips = [bar.find("title").text for bar in root.iter("rect")]
    assert len(tips) == 40 and "score 0.90 to 0.95: 1 right, 0 false" in tips
    assert "score 0.95 to 1.00: 0 right, 1 false" in tips
    assert "threshold 0.50" in "".join(root.itertext())


def test_many_classes_stay_readable(module):
    boxes = [(label, 1, 1, 5, 5) for label in range(200)]
    scene = split(module, [(image(module("dataset"), 1, *boxes), found())], tuple(map(str, range(200))))
    charts = module("charts")
    assert charts.precision_recall(scene).count("<polyline") == charts.MOST_LINES + 1
    assert charts.class_bars(scene).count("<rect") == 2 * charts.MOST_BARS


def test_nothing_to_show(module):
    charts, empty = module("charts"), split(module, [], ap=None)
    for draw in (charts.precision_recall, charts.class_bars, charts.scores):
        drawn(draw(empty))
    drawn(charts.size_bars([empty]))

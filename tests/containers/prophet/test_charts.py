"""Charts are well-formed SVG that says in words what it shows, and stays inside its frame."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st


def drawn(svg):
    """The parsed chart; every point of its lines lies inside."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for shape in root.iter():
        for point in shape.attrib.get("points", "").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width and 0 <= y <= height
    assert root.find("title").text == root.attrib["aria-label"]
    return root


@pytest.mark.parametrize("values", [[0.5], [1.0] * 9, [0.1, 0.9, 1.1, 500.0], [0.0, 0.0]])
def test_histogram(module, values):
    root = drawn(module("charts").histogram(values, sorted(values)[len(values) // 2]))
    tips = [bar.find("title").text for bar in root.iter("rect")]
    assert sum(int(tip.split()[0]) for tip in tips) == len(values)
    assert f"{len(values)} customers" in root.attrib["aria-label"]


@pytest.mark.parametrize("count", [1, 7, 200])
def test_coverage(module, count):
    steps = [{"step": step, "coverage": step % 2} for step in range(1, count + 1)]
    root = drawn(module("charts").coverage(steps, 0.8))
    assert "nominal 80%" in root.attrib["aria-label"]
    assert len([text for text in root.iter("text") if text.text.isdigit()]) <= 13


@pytest.mark.parametrize(("points", "error"), [(1, 0.0), (4, 1e12), (60, -1e-9)])
def test_forecast(module, make_score, points, error):
    score = make_score('<b>"&', 1.0, error=error, points=points)
    root = drawn(module("charts").forecast(score))
    assert '<b>"&' in root.attrib["aria-label"]
    assert {shape.attrib["class"] for shape in root.iter("polyline")} == {
        "line history",
        "line truth",
        "line forecast",
    }


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e9))
def test_ticks_are_few_and_inside(module, low, size):
    ticks = module("charts").nice_ticks(low, low + size)
    assert len(ticks) <= 8
    assert all(low - size * 1e-6 - 1e-9 <= tick <= low + size * (1 + 1e-6) + 1e-9 for tick in ticks)


def test_short(module):
    short = module("charts").short
    assert [short(value) for value in (0, 0.5, 950, 35_000, 1.2e6, -4e9)] == [
        "0",
        "0.5",
        "950",
        "35k",
        "1.2M",
        "-4G",
    ]


def test_ticks_of_tiny_and_huge_numbers(module):
    charts = module("charts")
    assert charts.nice_ticks(0, 4e-13, 4) == [0.0, 1e-13, 2e-13, 3e-13, 4e-13]
    assert charts.short(1e15) == "1000T"

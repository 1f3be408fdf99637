"""The report about the data, and its few lines of text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def parts(module):
    dataset = module("dataset")
    boxes = (
        dataset.Box(0, 0, 0, 10, 10),
        dataset.Box(0, 0, 0, 50, 40),
        dataset.Box(1, 0, 0, 100, 100, crowd=True),
    )
    return {
        "train": [dataset.Image(Path("a"), 1, 200, 100, boxes), dataset.Image(Path("b"), 2, 300, 100, ())],
        "validation": [],
        "test": [dataset.Image(Path("c"), 1, 200, 100, boxes[:1])],
    }


def test_counts(module, parts):
    found = module("quality").describe(("cat", "dog"), parts)
    assert found["parts"]["train"] == {"images": 2, "boxes": 3, "crowds": 1, "without_boxes": 1}
    assert found["classes"]["cat"]["train"] == {"images": 1, "boxes": 2}
    assert found["classes"]["dog"]["test"] == {"images": 0, "boxes": 0}
    assert found["missing_classes"] == {"train": [], "test": ["dog"]}
    assert found["image_width"] == {"min": 200, "p10": 200, "median": 200, "p90": 280, "max": 300}
    assert [found["box_sizes"][size] for size in ("small", "medium", "large")] == [2, 1, 1]


def test_no_image_is_no_error(module):
    assert module("quality").describe(("cat",), {"train": []})["box_width"] == {}


def test_written_and_told(module, parts, tmp_path):
    quality, findings = module("quality"), module("findings").Findings({"tiny_box": "kept"})
    findings.add("tiny_box", "a.jpg, box 1")
    report = {"files": ["a.json"], "ignored_files": ["b.json"], **quality.describe(("cat", "dog"), parts)}
    quality.write(report, tmp_path / "quality")
    assert json.loads((tmp_path / "quality/data_quality.json").read_text()) == report
    assert [path.name for path in (tmp_path / "quality").iterdir()] == ["data_quality.json"]
    told = quality.tell(report, findings).splitlines()
    assert told[:2] == ["annotations: a.json", "not read: b.json"]
    assert told[3].split() == ["cat", "2", "in", "1", "0", "in", "0", "1", "in", "1"]
    assert "no dog in test: nothing can be said about it there" in told
    assert told[-1] == "1 tiny_box (a box with a side below four pixels; kept), first: a.jpg, box 1"

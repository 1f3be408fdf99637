"""Ground Truth's manifests: a folder per case, with what is read of it, or why it is refused."""

from __future__ import annotations

import json
import math
import string
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

CASES = sorted((Path(__file__).parent / "ground_truth").iterdir())
SOURCE = PurePosixPath("output.manifest")


@pytest.fixture(scope="module")
def read(module):
    """Read a case's manifests; images.txt names the files that there are."""
    annotations, ground_truth, findings = module("annotations"), module("ground_truth"), module("findings")
    image_files = module("image_files")

    def read(folder, options):
        names = [PurePosixPath(path.name) for path in sorted(folder.glob("*.manifest"))]
        images = [PurePosixPath(name) for name in (folder / "images.txt").read_text().splitlines()]
        found = findings.Findings({})
        rules = ground_truth.Rules(**{"attributes": (), **options})
        index = image_files.Index(images)
        return annotations.read(folder, [*names, *images], index, "ground-truth", rules, found), found

    return read


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_cases(module, read, folder):
    expected = json.loads((folder / "expected.json").read_text())
    if "refused" in expected:
        with pytest.raises(module("findings").Refused) as refused:
            read(folder, expected.get("options", {}))
        assert expected["refused"] in str(refused.value)
        return
    found, findings = read(folder, expected.get("options", {}))
    images = {
        str(name): {
            "size": list(image.size) if image.size else None,
            "boxes": [
                [box.name, *(None if math.isnan(n) else n for n in box.numbers)] for box in image.boxes
            ],
        }
        for name, image in found.images.items()
    }
    assert (list(found.classes), images) == (expected["classes"], expected["images"])
    assert [image.reference for image in found.missing] == expected.get("missing", [])
    counts = {reason: count for reason, count in findings.counts.items() if count}
    assert counts == expected.get("findings", {})


@pytest.fixture(scope="module")
def parse(module):
    """Parse lines by themselves."""
    ground_truth, findings = module("ground_truth"), module("findings")

    def parse(*lines):
        return ground_truth.parse(lines, SOURCE, ground_truth.Rules(), findings.Findings({}))

    return parse


def test_lines_have_a_limit(module, parse):
    line = json.dumps({"source-ref": "s3://b/a.jpg", "more": ""})
    assert parse(line[:-2] + "x" * (100_000 - len(line)) + line[-2:]) == ({}, [])
    with pytest.raises(module("findings").Refused, match="line 2 has 100,001 characters"):
        parse(line, line[:-2] + "x" * (100_001 - len(line)) + line[-2:])


def test_deep_nesting_is_refused(module, parse):
    with pytest.raises(module("findings").Refused, match="line 1 is no JSON"):
        parse("[" * 90_000)


SIDE = st.integers(0, 5000) | st.floats(0, 5000)
NAMES = st.text(string.ascii_letters + "äß -+%", min_size=1, max_size=8).filter(str.strip)


@st.composite
def lines(draw):
    """Lines as Ground Truth writes them, and what they say."""
    classes = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    boxes = draw(st.lists(st.tuples(st.integers(0, len(classes) - 1), SIDE, SIDE, SIDE, SIDE), max_size=5))
    sides = ("class_id", "left", "top", "width", "height")
    line = {
        "source-ref": f"s3://bucket/{draw(NAMES)}.jpg",
        "job": {
            "image_size": [{"width": 5000, "height": 5000, "depth": 3}],
            "annotations": [dict(zip(sides, box, strict=True)) for box in boxes],
        },
        "job-metadata": {
            "objects": [{"confidence": draw(st.floats(0, 1))} for _ in boxes],
            "class-map": {str(key): name for key, name in enumerate(classes)},
            "type": "groundtruth/object-detection",
        },
    }
    keys = draw(st.permutations(list(line)))
    return json.dumps({key: line[key] for key in keys}), [(classes[label], *sides) for label, *sides in boxes]


@settings(max_examples=60, deadline=None)
@given(lines())
def test_what_is_written_is_read(parse, written):
    text, boxes = written
    _, (image,) = parse(text)
    assert [(box.name, *box.numbers) for box in image.boxes] == boxes


@settings(max_examples=150, deadline=None)
@given(lines(), st.data())
def test_a_spoiled_line_is_read_or_refused(module, parse, written, data):
    """Whatever stands in the place of one value: no other error."""
    line = json.loads(written[0])
    inside = line
    while True:
        keys = list(inside) if isinstance(inside, dict) else range(len(inside))
        key = data.draw(st.sampled_from(list(keys)))
        if not isinstance(inside[key], dict | list) or not inside[key] or data.draw(st.booleans()):
            break
        inside = inside[key]
    odd = (None, -1, 1.5, 10**400, float("nan"), True, "", "0", [], {}, [[]], {"a": None}, "2026-03-01")
    inside[key] = data.draw(st.sampled_from(odd))
    try:
        parse(json.dumps(line))
    except module("findings").Refused as error:
        assert "line 1" in str(error)

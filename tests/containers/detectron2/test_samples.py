"""Checked images become samples: sizes, EXIF, classes, duplicates."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

BOX = (2.0, 3.0, 5.0, 4.0)


@pytest.fixture
def make(module):
    """Samples of one image of 20 x 10 as stored, annotated as the test says."""
    labels, image_files, annotations = module("labels"), module("image_files"), module("annotations")

    def make(size=(20, 10), orientation=1, rule="auto", names=None, **file):
        drawn = (labels.Drawn("dog", BOX, False, "box 1"), labels.Drawn("cat", (0, 0, 1, 1), True, "box 2"))
        name = PurePosixPath("train/a.jpg")
        image = labels.Labeled("a.jpg", PurePosixPath("train/x.json"), "place", size, drawn)
        read = annotations.Annotations(("dog", "cat"), {name: image}, [])
        findings = module("findings").Findings({})
        rules = module("samples").Rules(names or {"dog": "dog"}, "refuse", rule, True)
        checked = image_files.Checked(
            **{"width": 20, "height": 10, "orientation": orientation, "digest": "d", **file}
        )
        found = module("samples").make(read, [checked], rules, findings)
        return found, {reason: count for reason, count in findings.counts.items() if count}

    return make


def test_boxes_of_other_classes_are_left_out(make):
    (sample,), counts = make()
    assert (sample.part, sample.width, sample.height, sample.boxes) == (
        "train",
        20,
        10,
        (("dog", BOX, False),),
    )
    assert counts == {"other_class": 1}
    (merged,), counts = make(names={"dog": "animal", "cat": "animal"})
    assert [box[0] for box in merged.boxes] == ["animal", "animal"] and counts == {"tiny_box": 1}
    (empty,), counts = make(names={"bird": "bird"})
    assert empty.boxes == () and counts == {"other_class": 2, "no_boxes": 1}


@pytest.mark.parametrize(
    ("size", "orientation", "rule", "expected", "turned"),
    [
        ((10, 20), 6, "auto", BOX, False),  # drawn on what is displayed
        ((20, 10), 6, "auto", (3, 2, 4, 5), True),  # drawn on what is stored: 10 - 3 - 4 = 3
        (None, 6, "auto", BOX, False),
        ((20, 10), 3, "auto", BOX, False),  # sizes do not tell
        ((20, 10), 3, "stored", (13, 3, 5, 4), True),
        ((20, 10), 6, "displayed", BOX, False),
    ],
)
def test_boxes_of_images_that_exif_turns(make, size, orientation, rule, expected, turned):
    (sample,), counts = make(size, orientation, rule)
    assert sample.boxes[0][1] == expected
    assert (sample.width, sample.height) == ((10, 20) if orientation == 6 else (20, 10))
    assert counts["turned_image"] == 1 and counts.get("turned_boxes", 0) == turned


def test_images_that_cannot_be_used(make):
    assert make(size=(40, 20)) == ([], {"other_size": 1})
    assert make(problem="an empty file") == ([], {"broken_image": 1})


@pytest.fixture
def groups(module):
    """The names that stay of samples (name, digest, part), and what was found."""

    def groups(on_duplicate, *given):
        samples, findings = module("samples"), module("findings").Findings({})
        made = [
            samples.Sample(PurePosixPath(name), 9, 9, (("dog", BOX, False),) * (name != "odd"), digest, part)
            for name, digest, part in given
        ]
        found = samples.without_duplicates(made, on_duplicate, findings)
        return [[str(sample.name) for sample in group] for group in found], findings.counts

    return groups


def test_one_of_duplicates_stays_or_all_together(groups):
    given = [("c", "x", None), ("b", "y", None), ("a", "x", None), ("odd", "x", None)]
    found, counts = groups("drop", *given)
    assert found == [["a"], ["b"]]
    assert (counts["duplicate_image"], counts["different_duplicate"]) == (2, 1)
    assert groups("keep", *given)[0] == [["a", "c", "odd"], ["b"]]


@pytest.mark.parametrize("on_duplicate", ["drop", "keep"])
def test_what_is_tested_is_not_learnt(groups, on_duplicate):
    given = [
        ("a", "x", "train"),
        ("b", "x", None),
        ("c", "x", "test"),
        ("d", "y", "train"),
        ("e", "y", "validation"),
    ]
    assert groups(on_duplicate, *given)[0] == [["c"], ["e"]]

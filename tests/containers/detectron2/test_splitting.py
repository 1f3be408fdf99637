"""The split: shares of images, rare classes in every part, the same every time."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

SHARES = {"validation": 0.1, "test": 0.2}


@pytest.fixture(scope="module")
def splitting(module):
    return module("splitting")


@pytest.fixture(scope="module")
def units(splitting):
    """Units from their classes, one image each, or as many as ``images`` says."""

    def make(classes, images=None):
        images = images or [1] * len(classes)
        return [
            splitting.Unit(f"{number}.jpg", count, frozenset(some))
            for number, (some, count) in enumerate(zip(classes, images, strict=True))
        ]

    return make


def holding(units, parts, name):
    return Counter(parts[unit.name] for unit in units if name in unit.classes)


@pytest.mark.parametrize(
    ("images", "shares", "sizes"),
    [
        (100, SHARES, (70, 20, 10)),
        (80, {"validation": 0.1}, (72, 0, 8)),
        (3, SHARES, (1, 1, 1)),
        (3, {"validation": 0.5, "test": 0.5}, (1, 1, 1)),
        (7, {"validation": 0.0, "test": 0.5}, (3, 4, 0)),
        (1, {"validation": 0.0, "test": 0.0}, (1, 0, 0)),
    ],
)
def test_sizes(splitting, images, shares, sizes):
    assert splitting.sizes(images, shares) == dict(zip(("train", "test", "validation"), sizes, strict=True))


def test_too_few(module, splitting):
    for images in (0, 2):
        with pytest.raises(
            module("findings").Refused, match=f"{images} images are too few for train, test, validation"
        ):
            splitting.sizes(images, SHARES)


def test_rare_classes_are_in_every_part(splitting, units):
    """Four rare classes of three images among two hundred of a common one."""
    many = units([{"common"} | ({f"rare {n // 3}"} if n < 12 else set()) for n in range(200)])
    for seed in range(20):
        parts = splitting.split(many, splitting.sizes(200, SHARES), seed)
        for number in range(4):
            assert holding(many, parts, f"rare {number}") == {"train": 1, "validation": 1, "test": 1}


def test_a_class_of_one_image_is_learnt_and_of_two_is_tested(splitting, units):
    few = units([{"once", "common"}, {"twice"}, {"twice", "common"}, *[{"common"}] * 40])
    for seed in range(20):
        parts = splitting.split(few, splitting.sizes(43, SHARES), seed)
        assert holding(few, parts, "once") == {"train": 1}
        assert holding(few, parts, "twice") == {"train": 1, "test": 1}


def test_classes_are_shared_out_as_images_are(splitting, units):
    """Classes of 10 to 50 % of the images, of which images have several."""
    some = units(
        [
            {name for name, every in (("a", 10), ("b", 4), ("c", 3), ("d", 2)) if n % every == 0}
            for n in range(300)
        ]
    )
    parts = splitting.split(some, splitting.sizes(300, SHARES), 0)
    for name, count in Counter(name for unit in some for name in unit.classes).items():
        held = holding(some, parts, name)
        for part, share in (("train", 0.7), ("test", 0.2), ("validation", 0.1)):
            assert abs(held[part] - share * count) <= 0.1 * count, (name, held)


def test_another_seed_splits_otherwise(splitting, units):
    same = units([{"a"}] * 50)
    wanted = splitting.sizes(50, SHARES)
    assert splitting.split(same, wanted, 0) != splitting.split(same, wanted, 1)


CLASSES = st.lists(st.sets(st.sampled_from("abcdef")), min_size=3, max_size=40)


@settings(max_examples=100, deadline=None)
@given(CLASSES, st.floats(0, 0.5), st.floats(0, 0.4), st.integers(0, 5), st.randoms())
def test_every_image_is_in_one_part_of_the_right_size(
    splitting, units, classes, validation, test, seed, random
):
    some = units(classes)
    wanted = splitting.sizes(len(some), {"validation": validation, "test": test})
    parts = splitting.split(some, wanted, seed)
    assert parts.keys() == {unit.name for unit in some}
    assert Counter(parts.values()) == {part: size for part, size in wanted.items() if size}
    for part, share in (("validation", validation), ("test", test)):
        assert abs(wanted[part] - share * len(some)) <= 1 + 1e-9
    shuffled = random.sample(some, len(some))
    assert splitting.split(shuffled, wanted, seed) == parts, "the order does not matter"


@settings(max_examples=60, deadline=None)
@given(CLASSES, st.data())
def test_units_of_several_images_stay_whole(splitting, units, classes, data):
    sizes = [data.draw(st.integers(1, 4)) for _ in classes]
    some = units(classes, sizes)
    wanted = splitting.sizes(sum(sizes), SHARES)
    parts = splitting.split(some, wanted, 0)
    found = Counter()
    for unit in some:
        found[parts[unit.name]] += unit.images
    assert sum(found.values()) == sum(sizes)
    assert all(abs(found[part] - size) <= 4 * 3 for part, size in wanted.items())

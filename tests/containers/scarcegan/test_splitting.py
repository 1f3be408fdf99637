"""Splits: stratified, of whole users, the same for the same users, and almost the same with some more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

CLASSES = ("dormant", "normal", "heavy", "risky")


def plan(splitting, **settings):
    return splitting.Plan(**({"validation": 0.1, "test": 0.2, "folds": 4} | settings))


def users(counts, rows=1, seed=0):
    """Ranks and labels of rows in disorder; users have up to ``rows`` of them."""
    generator = np.random.default_rng(seed)
    rank = generator.permutation(sum(counts))
    label = np.repeat(np.arange(len(counts)), counts)
    repeat = generator.integers(1, rows + 1, len(rank))
    order = generator.permutation(repeat.sum())
    return np.repeat(rank, repeat)[order], np.repeat(label, repeat)[order]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(12, 60), min_size=4, max_size=4),
    st.integers(1, 4),
    st.integers(2, 5),
    st.integers(0, 99),
)
def test_rows_are_split_by_user_and_class(module, counts, rows, folds, seed):
    splitting = module("splitting")
    rank, label = users(counts, rows, seed)
    found = splitting.split(rank, label, plan(splitting, folds=folds), CLASSES)
    parts = [found.train, found.validation, found.test]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(rank)))
    owners = [set(rank[part].tolist()) for part in parts]
    assert not owners[0] & owners[1] and not owners[0] & owners[2] and not owners[1] & owners[2]
    for number, count in enumerate(counts):
        sizes = [len(np.unique(rank[part][label[part] == number])) for part in parts]
        assert sizes == [count - sizes[1] - sizes[2], max(round(0.1 * count), 1), max(round(0.2 * count), 1)]
    assert sorted(np.concatenate(found.folds).tolist()) == list(range(len(found.train)))
    inside = [set(rank[found.train][fold].tolist()) for fold in found.folds]
    assert sum(map(len, inside)) == len(set().union(*inside)), "no user is in two folds"
    for number in range(4):
        sizes = [
            len(np.unique(rank[found.train][fold][label[found.train][fold] == number]))
            for fold in found.folds
        ]
        assert max(sizes) - min(sizes) <= 1 and min(sizes) >= 1
    assert max(map(len, inside)) - min(map(len, inside)) <= 1, "the rests do not all go to the first folds"


def test_ranks_depend_on_ids_and_seed_alone(module):
    ranks = module("splitting").ranks
    names = [f"user {number}" for number in range(500)]
    found = dict(zip(names, ranks(names, 0).tolist(), strict=True))
    assert sorted(found.values()) == list(range(500))
    assert dict(zip(names[::-1], ranks(names[::-1], 0).tolist(), strict=True)) == found
    assert dict(zip(names, ranks(names, 1).tolist(), strict=True)) != found
    assert ranks([], 0).tolist() == []
    kept = sorted(names[:400], key=found.get)
    alone = dict(zip(names[:400], ranks(names[:400], 0).tolist(), strict=True))
    assert sorted(names[:400], key=alone.get) == kept, "new users come in between"


def test_who_was_for_test_stays_so_when_users_come(module):
    splitting = module("splitting")

    def tested(count):
        names = [f"u{number}" for number in range(count)]
        rank = splitting.ranks(names, 0)
        label = np.array([int(name[1:]) % 4 for name in names])
        found = splitting.split(rank, label, plan(splitting), CLASSES)
        return {names[row] for row in found.test}, {names[row] for row in found.train}

    before, after = tested(1000), tested(1050)
    assert len(before[0] & after[1]) <= 0.1 * len(before[0])
    assert len(before[0] & after[0]) >= 0.9 * len(before[0])


def test_a_class_of_three(module):
    splitting = module("splitting")
    rank, label = users([50, 50, 50, 3])
    with pytest.raises(splitting.TooFew) as raised:
        splitting.split(rank, label, plan(splitting), CLASSES)
    message = str(raised.value)
    assert message.startswith("too few labelled users: risky has 3. With 4 folds, a validation share of 0.1")
    assert "each class needs 6 at least" in message and "set --folds" in message
    rank, label = users([50, 50, 50, 6])
    splitting.split(rank, label, plan(splitting), CLASSES)
    rank, label = users([50, 50, 50, 5])
    with pytest.raises(splitting.TooFew):
        splitting.split(rank, label, plan(splitting), CLASSES)


def test_everything_held_out(module):
    splitting = module("splitting")
    rank, label = users([50, 50, 50, 50])
    with pytest.raises(
        splitting.TooFew, match=r"a validation share of 0.5 and a test share of 0.5 leave too little"
    ):
        splitting.split(rank, label, plan(splitting, validation=0.5, test=0.5), CLASSES)
    splitting.split(rank, label, plan(splitting, validation=0.3, test=0.5), CLASSES)


def test_nothing_held_out(module):
    splitting = module("splitting")
    rank, label = users([8, 8, 8, 8])
    found = splitting.split(rank, label, plan(splitting, validation=0.0, test=0.0), CLASSES)
    assert (len(found.train), len(found.validation), len(found.test)) == (32, 0, 0)


def test_unlabelled_folds(module):
    rank = np.random.default_rng(0).permutation(1003)
    folds = module("splitting").fold(rank, np.full(1003, -1), 4)
    assert sorted(map(len, folds)) == [250, 251, 251, 251]
    assert module("splitting").fold(np.empty(0, int), np.empty(0, int), 2)[1].tolist() == []

"""Who is for training, validation and test, and in which fold; always all rows of a user together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_MOST = 0.8  # of each class may be held out


class TooFew(Exception):
    """Classes with too few users to split; the message says how many there are and how many it takes."""


@dataclass(frozen=True)
class Plan:
    """Shares of each class's users that are held out, and the number of folds of the rest."""

    validation: float
    test: float
    folds: int


@dataclass(frozen=True)
class Splits:
    """Row numbers, ascending. ``folds`` are rows of ``train``, counted within it."""

    train: Array
    validation: Array
    test: Array
    folds: list[Array]


def ranks(names: Sequence[str], seed: int) -> Array:
    """Each user's place in an order by chance that depends on nothing but ids and seed.

    Next week's new users come in between; who was for test stays so, but for a few at the edges. Versions of
    a model can thus be compared on users that neither has seen.
    """
    key = str(seed).encode()
    digests = [hashlib.blake2b(name.encode(), digest_size=8, key=key).digest() for name in names]
    order = np.argsort(np.array(digests, dtype="S8").view(">u8") if digests else np.empty(0), kind="stable")
    found = np.empty(len(names), np.int64)
    found[order] = np.arange(len(names))
    return found


def split(rank: Array, label: Array, plan: Plan, classes: Sequence[str]) -> Splits:
    """Stratified by class: of each row, ``rank`` tells the user and ``label`` the class. Raises TooFew."""
    members = {name: np.unique(rank[label == index]) for index, name in enumerate(classes)}
    _check(members, plan)
    chosen: dict[str, list[Array]] = {"train": [], "validation": [], "test": []}
    for users in members.values():
        test, validation = _held_out(len(users), plan)
        chosen["test"].append(users[:test])
        chosen["validation"].append(users[test : test + validation])
        chosen["train"].append(users[test + validation :])
    rows = {name: np.flatnonzero(np.isin(rank, np.concatenate(parts))) for name, parts in chosen.items()}
    folds = fold(rank[rows["train"]], label[rows["train"]], plan.folds)
    return Splits(rows["train"], rows["validation"], rows["test"], folds)


def fold(rank: Array, label: Array, folds: int) -> list[Array]:
    """Each fold's row numbers: disjoint, all rows together, each class spread evenly, each user in one fold."""
    numbers = np.zeros(int(rank.max()) + 1 if len(rank) else 0, np.int64)
    start = 0
    for each in np.unique(label):
        users = np.unique(rank[label == each])
        numbers[users] = (np.arange(len(users)) + start) % folds
        start += len(users)  # so that the rests of the classes do not all go to the first folds
    return [np.flatnonzero(numbers[rank] == index) for index in range(folds)]


def _held_out(users: int, plan: Plan) -> tuple[int, int]:
    """How many users are for test and for validation: one at least, where any shall be."""
    test, validation = (max(round(users * share), int(share > 0)) for share in (plan.test, plan.validation))
    return test, validation


def _check(members: Mapping[str, Array], plan: Plan) -> None:
    def enough(users: int) -> bool:
        return users - sum(_held_out(users, plan)) >= plan.folds

    if plan.validation + plan.test > _MOST:
        raise TooFew(
            f"a validation share of {plan.validation:g} and a test share of {plan.test:g} leave too little to train "
            f"on: together they may be {_MOST:g} at most. Set --validation-share or --test-share lower"
        )
    few = [f"{name} has {len(users):,}" for name, users in members.items() if not enough(len(users))]
    if few:
        least = next(users for users in range(1, 100_000) if all(map(enough, range(users, users + 100))))
        raise TooFew(
            f"too few labelled users: {', '.join(few)}. With {plan.folds} folds, a validation share of "
            f"{plan.validation:g} and a test share of {plan.test:g} each class needs {least} at least: one in each "
            "fold, and one to validate and to test with. Give more users, or set --folds, --validation-share or "
            "--test-share (--set Folds=…)"
        )

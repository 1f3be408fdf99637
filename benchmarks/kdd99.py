"""KDD Cup 1999 as rare-class tasks: shifted (the contest's own test file) and in-distribution (weak labels).

The files are not part of the project. Rows labelled twice by drawing with replacement are kept once, so that no
row is on both sides of a fold. Features: the 38 numeric columns, log1p, min-max by the labelled training rows.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TRAIN, TEST = "kddcup.data_10_percent.gz", "corrected.gz"
_NAMES = (
    "duration protocol_type service flag src_bytes dst_bytes land wrong_fragment urgent hot num_failed_logins "
    "logged_in num_compromised root_shell su_attempted num_root num_file_creations num_shells num_access_files "
    "num_outbound_cmds is_host_login is_guest_login count srv_count serror_rate srv_serror_rate rerror_rate "
    "srv_rerror_rate same_srv_rate diff_srv_rate srv_diff_host_rate dst_host_count dst_host_srv_count "
    "dst_host_same_srv_rate dst_host_diff_srv_rate dst_host_same_src_port_rate dst_host_srv_diff_host_rate "
    "dst_host_serror_rate dst_host_srv_serror_rate dst_host_rerror_rate dst_host_srv_rerror_rate"
)
COLUMNS = _NAMES.split()
SYMBOLIC = (1, 2, 3)
FEATURES = [name for place, name in enumerate(COLUMNS) if place not in SYMBOLIC]
ATTACKS = {
    "normal": "normal",
    "r2l": "warezclient warezmaster spy phf multihop ftp_write guess_passwd imap",
    "u2r": "rootkit perl loadmodule buffer_overflow",
    "probe": "satan ipsweep nmap portsweep",
    "dos": "back land neptune pod smurf teardrop",
}
GROUPS = {attack: group for group, attacks in ATTACKS.items() for attack in attacks.split()}
TASKS = ("r2l", "u2r", "weak-r2l")
# labelled normal rows, draws of the rare class
_SHIFTED = {"r2l": (5000, 1000), "u2r": (2500, 90)}
_WEAK = {"probe": 200, "normal": 200, "dos": 180, "r2l": 100}


@dataclass(frozen=True)
class Task:
    """One seed of one task, scaled; the last class is the rare one."""

    classes: tuple[str, ...]
    features: np.ndarray
    labels: np.ndarray
    unlabelled: np.ndarray
    test: np.ndarray
    positive: np.ndarray  # which of the test rows are rare
    folds: list[np.ndarray]
    unlabelled_folds: list[np.ndarray]


@dataclass(frozen=True)
class Table:
    values: np.ndarray  # float64 [rows, 38], untransformed
    groups: np.ndarray  # normal, dos, probe, r2l, u2r or novel
    distinct: np.ndarray  # the first of each set of equal rows, by all columns


def read(path: Path) -> Table:
    """Read one of the two files, which takes half a minute. Raises OSError."""
    with gzip.open(path, "rt") as stream:
        lines = stream.readlines()
    rows = [line.rstrip(".\n").split(",") for line in lines]
    first: dict[str, int] = {}
    for place, line in enumerate(lines):
        first.setdefault(line, place)
    groups = np.array([GROUPS.get(row[-1], "novel") for row in rows])
    kept = [place for place in range(len(COLUMNS)) if place not in SYMBOLIC]
    return Table(
        np.array([[row[place] for place in kept] for row in rows], np.float64),
        groups,
        np.array([*first.values()]),
    )


def task(name: str, train: Table, test: Table, seed: int, folds: int = 4) -> Task:
    """The rows of one task and seed."""
    random = np.random.default_rng([seed, TASKS.index(name)])
    made = _shifted(name, train, test, random) if name in _SHIFTED else _weak(train, random)
    classes, features, labels, unlabelled, tested, positive = made
    logs = [np.log1p(np.maximum(part, 0.0)) for part in (features, unlabelled, tested)]
    low, high = logs[0].min(axis=0), logs[0].max(axis=0)
    scaled = [((part - low) / np.where(high > low, high - low, 1.0)).astype(np.float32) for part in logs]
    numbers = np.empty(len(labels), np.int64)
    for number in range(len(classes)):
        rows = random.permutation(np.flatnonzero(labels == number))
        numbers[rows] = np.arange(len(rows)) % folds
    return Task(
        tuple(classes), scaled[0], labels.astype(np.int32), scaled[1], scaled[2], positive,
        [np.flatnonzero(numbers == fold) for fold in range(folds)],
        [np.arange(fold, len(unlabelled), folds) for fold in range(folds)],
    )  # fmt: skip


def _shifted(name: str, train: Table, test: Table, random: np.random.Generator) -> tuple:
    """Normal against one attack group; the unlabelled rows are the rest of both."""
    normals, draws = _SHIFTED[name]
    normal, rare = (np.flatnonzero(train.groups == group) for group in ("normal", name))
    chosen = random.choice(normal, normals, replace=False)
    drawn = np.unique(random.choice(rare, draws, replace=True))
    labelled = np.concatenate([chosen, drawn])
    rest = np.setdiff1d(np.concatenate([normal, rare]), labelled)
    tested = (test.groups == "normal") | (test.groups == name)
    return (
        ("normal", "risky"), train.values[labelled], np.repeat([0, 1], [len(chosen), len(drawn)]),
        train.values[rest], test.values[tested], test.groups[tested] == name,
    )  # fmt: skip


def _weak(train: Table, random: np.random.Generator) -> tuple:
    """Half of the distinct rows to learn from, half to test; every tenth negative label is another one's."""
    values, groups = train.values[train.distinct], train.groups[train.distinct]
    order = np.random.default_rng(0).permutation(len(values))
    learn, tested = order[: len(order) // 2], order[len(order) // 2 :]
    picked = [
        random.choice(learn[groups[learn] == group], count, replace=False) for group, count in _WEAK.items()
    ]
    labels = np.repeat(np.arange(len(_WEAK)), list(_WEAK.values()))
    negatives = np.flatnonzero(labels < len(_WEAK) - 1)
    wrong = random.choice(negatives, len(negatives) // 10, replace=False)
    labels[wrong] = (labels[wrong] + random.integers(1, len(_WEAK) - 1, len(wrong))) % (len(_WEAK) - 1)
    labelled = np.concatenate(picked)
    rest = np.setdiff1d(learn, labelled)
    return (
        ("dormant", "normal", "heavy", "risky"), values[labelled], labels,
        values[rest], values[tested], groups[tested] == "r2l",
    )  # fmt: skip


def names(tasks: Sequence[str]) -> list[str]:
    """Raises ValueError for a task that there is not."""
    if unknown := [name for name in tasks if name not in TASKS]:
        raise ValueError(f"no task {', '.join(unknown)}; there are {', '.join(TASKS)}")
    return list(tasks)

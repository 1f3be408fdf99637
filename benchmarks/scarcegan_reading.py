"""What scarcegan_quality.py measured as one table: ScarceGAN, gradient boosting, the targets, and all of it in words.

    python3 benchmarks/scarcegan_reading.py data FOLDER
    python3 benchmarks/scarcegan_reading.py table FILE

Needs no packages. The first prints where in FOLDER the contest's files lie; the second reads what ``trainyard bench``
kept. Nothing that is said of the models is written here: each word is chosen by the numbers.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

from trainyard.cli.table import table

FILES = ("kddcup.data_10_percent.gz", "corrected.gz")
SOURCE = "http://kdd.ics.uci.edu/databases/kddcup99/"
MEASURES = {
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "ap": "AP",
    "recall_fpr1": "recall@1%FPR",
    "unknown": "unknown",
}
TASKS = {
    "r2l": "tested on the contest's own test file, whose attacks are others",
    "u2r": "tested on the contest's own test file, whose attacks are others",
    "weak-r2l": "tested on rows like those it learned from, a tenth of whose negative labels are wrong",
}
ORDER = ("better", "higher", "worse", "lower", "no clear difference")
SEEDS = 5  # the targets are for their mean
BOOSTING = {"boosting, balanced": "balanced", "boosting": "boosting"}

Numbers = dict[str, list[float]]  # measure: mean and standard deviation over seeds
Rows = dict[str, Numbers]


class Target(NamedTuple):
    """``least`` more than ``than``, or for ``unknown`` the most."""

    measure: str
    least: float
    than: str = ""


# the original algorithm's AP, as measured once with its own features (5 seeds); it is not run again here
ORIGINAL = {"r2l": 0.251, "u2r": 0.001}
TARGETS = {
    "r2l": [
        Target("recall", 0.24), Target("recall", 0.08, "boosting"),
        Target("ap", 0.48), Target("ap", -0.05, "boosting"), Target("ap", 0.20, "original"),
    ],
    "u2r": [
        Target("recall", 0.75), Target("recall", 0.15, "boosting"),
        Target("ap", 0.28), Target("ap", 0.05, "boosting"), Target("ap", 0.20, "original"),
    ],
    "weak-r2l": [Target("recall", 0.93), Target("ap", 0.55), Target("unknown", 0.12)],
}  # fmt: skip
TARGETS = {task: [*targets, Target("ap", 0.0, "one of them")] for task, targets in TARGETS.items()}


class Task:
    """One task's numbers. Where boosting is one number, it is the better of the two on that measure."""

    def __init__(self, name: str, ours: Rows, peer: Rows, seeds: int) -> None:
        self.name, self.seeds = name, seeds
        self.mean = next(key for key in ours if key.startswith("mean of "))
        self.columns: dict[str, Numbers] = {
            self.mean: ours[self.mean], "one of them": ours["single fold"], "all rows": ours["all"],
            **{short: peer[key] for key, short in BOOSTING.items()},
        }  # fmt: skip
        self.ours = ours[self.mean]

    def best_boosting(self, measure: str) -> list[float]:
        return max(self.columns[short][measure] for short in BOOSTING.values())

    def limit(self, target: Target) -> float:
        others: dict[str, Callable[[], float]] = {
            "": lambda: 0.0,
            "boosting": lambda: self.best_boosting(target.measure)[0],
            "original": lambda: ORIGINAL[self.name],
            "one of them": lambda: self.columns["one of them"][target.measure][0],
        }
        return others[target.than]() + target.least

    def met(self, target: Target) -> bool:
        ours, limit = self.ours[target.measure][0], self.limit(target)
        return ours <= limit if target.measure == "unknown" else ours >= limit

    def compared(self, measure: str) -> str:
        (ours, ours_sd), (theirs, theirs_sd) = self.ours[measure], self.best_boosting(measure)
        if abs(ours - theirs) <= max(ours_sd, theirs_sd):
            return "no clear difference"
        higher, lower = (
            ("better", "worse") if self.seeds > 1 else ("higher", "lower")
        )  # one seed has no spread
        return higher if ours > theirs else lower


def data(folder: Path) -> str:
    """Where the files are; exits with what is missing and where it can be had."""
    for place in (folder / "kddcup99", folder):
        if all((place / name).is_file() for name in FILES):
            return str(place)
    missing = [name for name in FILES if not (folder / "kddcup99" / name).is_file()]
    raise SystemExit(
        f"{folder / 'kddcup99'}: no {' and no '.join(missing)} there; UCI has both files of KDD Cup 1999 at {SOURCE} "
        f"(scikit-learn's fetch_kddcup99 downloads {FILES[0]} as well, but keeps it in a form of its own); put them "
        "there, or name another folder with --data or TRAINYARD_DATA"
    )


def read(document: dict) -> tuple[list[Task], int, list[str]]:
    """The tasks, the number of seeds, and hyperparameters that were not the defaults."""
    ours, peer = document["results"]["scarcegan"], document["results"]["peer"]
    tasks = [Task(name, rows, peer["tasks"][name], ours["seeds"]) for name, rows in ours["tasks"].items()]
    return tasks, ours["seeds"], ours["set"]


def lines(task: Task) -> list[list[str]]:
    """A line for each measure, and one more for each further target of it."""
    made = []
    for measure, name in MEASURES.items():
        cells = [_cell(numbers.get(measure), task.seeds) for numbers in task.columns.values()]
        verdicts = [
            [_target(task, target), "met" if task.met(target) else "NOT MET"]
            for target in TARGETS[task.name]
            if target.measure == measure
        ] or [["", ""]]
        made.append([task.name if not made else "", name, *cells, *verdicts[0]])
        made += [["", "", *[""] * len(cells), *verdict] for verdict in verdicts[1:]]
    return made


def _cell(numbers: list[float] | None, seeds: int) -> str:
    return "±".join(map(_short, numbers if seeds > 1 else numbers[:1])) if numbers else ""


def _short(number: float) -> str:
    return f"{number:.3f}".removeprefix("0")


def _target(task: Task, target: Target) -> str:
    sign = "<=" if target.measure == "unknown" else ">="
    more = f" {'+' if target.least > 0 else '-'} {_short(abs(target.least))[:3]}" if target.least else ""
    return f"{sign} {_short(task.limit(target))}" + (f" ({target.than}{more})" if target.than else "")


def in_words(task: Task) -> str:
    """What was found and at what price, and on which measures that is better or worse than boosting."""
    recall, precision = (round(100 * task.ours[name][0]) for name in ("recall", "precision"))
    theirs = task.best_boosting
    text = (
        f"{task.name} ({TASKS[task.name]}): of 100 rare rows it finds {recall}, boosting at best "
        f"{round(100 * theirs('recall')[0])}; of 100 rows that it flags {precision} are right, boosting's "
        f"{round(100 * theirs('precision')[0])}. Against boosting:"
    )
    verdicts = {name: task.compared(measure) for measure, name in MEASURES.items() if measure != "unknown"}
    for verdict in dict.fromkeys(sorted(verdicts.values(), key=ORDER.index)):
        text += f" {verdict} in {', '.join(name for name, one in verdicts.items() if one == verdict)};"
    return f"{text.rstrip(';')}."


def overall(tasks: list[Task], seeds: int, changed: list[str]) -> list[str]:
    """What holds for the whole table."""
    every = [(task, target) for task in tasks for target in TARGETS[task.name]]
    missed = [
        f"{task.name} {MEASURES[target.measure]} {_target(task, target)}"
        for task, target in every
        if not task.met(target)
    ]
    said = [
        f"{len(every) - len(missed)} of {len(every)} targets are met{'; not: ' * bool(missed)}{', '.join(missed)}."
    ]
    if alarms := [task.name for task in tasks if task.ours["precision"][0] < 0.5]:
        said.append(
            f"Most of what it flags is a false alarm in {', '.join(alarms)}: fit to choose whom to look at."
        )
    singles = [task.name for task in tasks if task.met(TARGETS[task.name][-1])]
    said.append(
        "The mean of a job's models ranks at least as well (AP) as one of them in "
        f"{len(singles)} of {len(tasks)} tasks."
    )
    if changed:
        said.append(f"With {', '.join(changed)}: not the configuration that the targets are for.")
    if seeds < SEEDS:
        said.append(
            f"The targets are for the mean of {SEEDS} seeds, this is {seeds}: no more than an impression."
        )
    return said


NOTES = (
    "Rows are decided by the likeliest class; unknown is the share that is none of the known ones. balanced, boosting: "
    "scikit-learn's HistGradientBoostingClassifier on the same labelled rows, with balanced class weights and without. "
    "Targets and words take the better of the two on each measure; better and worse mean by more than either's sd. "
    f"original: AP {' and '.join(f'{_short(ap)} in {task}' for task, ap in ORIGINAL.items())}, measured once before, "
    "not in this run."
)


def page(document: dict) -> str:
    tasks, seeds, changed = read(document)
    heads = ["TASK", "MEASURE", *tasks[0].columns, f"TARGET FOR THE {tasks[0].mean.upper()}", ""]
    words = [*map(in_words, tasks), *overall(tasks, seeds, changed)]
    parts = [
        f"ScarceGAN and gradient boosting on KDD Cup 1999, {f'mean±sd of {seeds} seeds' if seeds > 1 else 'one seed'}",
        table(heads, [line for task in tasks for line in lines(task)]),
        textwrap.fill(NOTES, 116),
        "\n".join(textwrap.fill(text, 116, initial_indent="- ", subsequent_indent="  ") for text in words),
    ]
    return "\n\n".join(parts)


def main(argv: list[str]) -> int:
    if len(argv) != 2 or argv[0] not in ("data", "table"):
        print(__doc__, file=sys.stderr)
        return 2
    print(data(Path(argv[1])) if argv[0] == "data" else page(json.loads(Path(argv[1]).read_text())))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""How well ScarceGAN finds KDD Cup 1999's rare attacks, with gradient boosting on the same labelled rows beside it.

    PYTHON benchmarks/scarcegan_quality.py --data FOLDER [--tasks r2l u2r weak-r2l] [--seeds 5] [--set NAME=VALUE]
        [--repeats 1] [--only scarcegan | peer] [--output FILE]

``./trainyard bench scarcegan`` runs it and reads the numbers. PYTHON has the family's packages for the one,
scikit-learn for the other. FOLDER holds the two files of the contest;
where TRAINYARD_KDD_CACHE names a folder, what was read is kept there as arrays. Four fold models per seed and their
mean, as a training job makes them, and one model on all labelled rows (``all``). Decisions by the likeliest class,
and by thresholds chosen on the folds (of the mean: the mean of their thresholds). The configuration was fixed
before measuring.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # boosting beside a busy process spins otherwise
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "shared"), str(ROOT / "containers" / "scarcegan"), str(ROOT / "benchmarks")]

import kdd99  # noqa: E402
import numpy as np  # noqa: E402


def judge(task: kdd99.Task, scores: np.ndarray, flagged: np.ndarray) -> dict[str, float]:
    from measures import average_precision, recall_and_precision

    recall, precision = recall_and_precision(task.positive, flagged)
    false = np.sort(scores[~task.positive])[-int(0.01 * (~task.positive).sum()) - 1]
    return {
        "recall": recall,
        "precision": precision,
        "f1": 2 * recall * precision / max(recall + precision, 1e-12),
        "ap": average_precision(task.positive, scores),
        "recall_fpr1": float((scores[task.positive] > false).mean()),
    }


def scarcegan(task: kdd99.Task, seed: int, options: list[str], repeats: int) -> dict[str, dict[str, float]]:
    import fitting
    import hyperparameters
    from training_data import TrainingData

    held = task.folds[0]  # the model on all rows keeps its last weights, whatever these say
    data = TrainingData(
        kdd99.FEATURES, list(task.classes), task.features, task.labels, task.unlabelled,
        task.folds, task.unlabelled_folds, {}, (task.features[held], task.labels[held]),
    )  # fmt: skip
    entries: list[dict[str, Any]] = [
        {"name": f"fold_{fold}-{repeat}", "fold": fold, "seed": seed + 1000 * repeat}
        for repeat in range(repeats)
        for fold in range(len(task.folds))
    ]
    entries += [{"name": "all", "fold": None, "selection": "last"}]
    arguments = hyperparameters.parser(None).parse_args(
        ["--models", json.dumps(entries), "--seed", str(seed), "--interval", "500", *options]
    )
    specs = hyperparameters.specifications(arguments, len(task.folds), len(task.classes), True)
    job = fitting.Job(data, "", arguments.interval, False, False, None, lambda *_: None, lambda: False)
    loops = fitting.Loops()
    models = [fitting.fit(spec, job, loops, {}) for spec in specs]
    answers = np.stack([model.probabilities(task.test) for model in models])
    risky = len(task.classes) - 1
    found: dict[str, list] = {"single fold": []}
    for model, answer in zip(models[:-1], answers[:-1], strict=True):
        found["single fold"].append(_rows(task, answer, model.threshold, risky))
    mean = answers[:-1].mean(axis=0)
    found[f"mean of {len(models) - 1}"] = [
        _rows(task, mean, float(np.mean([m.threshold for m in models[:-1]])), risky)
    ]
    found["all"] = [_rows(task, answers[-1], models[-1].threshold, risky)]
    return {
        name: {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        for name, rows in found.items()
    }


def _rows(task: kdd99.Task, answer: np.ndarray, threshold: float, risky: int) -> dict[str, float]:
    likeliest, scores = answer.argmax(axis=1), answer[:, risky]
    by_threshold = judge(task, scores, scores >= threshold)
    return {
        **judge(task, scores, likeliest == risky),
        "unknown": float((likeliest == risky + 1).mean()),
        "threshold_recall": by_threshold["recall"],
        "threshold_precision": by_threshold["precision"],
    }


def boosting(task: kdd99.Task, seed: int) -> dict[str, dict[str, float]]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    found, risky = {}, len(task.classes) - 1
    for name, weight in (("boosting, balanced", "balanced"), ("boosting", None)):
        model = HistGradientBoostingClassifier(class_weight=weight, random_state=seed)
        answer = model.fit(task.features, task.labels).predict_proba(task.test)
        found[name] = judge(task, answer[:, risky], answer.argmax(axis=1) == risky)
    return found


def summary(seeds: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, tuple[float, float]]]:
    """Mean and standard deviation over seeds."""
    return {
        name: {
            key: (float(np.mean(values)), float(np.std(values)))
            for key in seeds[0][name]
            for values in [[seed[name][key] for seed in seeds]]
        }
        for name in seeds[0]
    }


def table(task: str, results: dict[str, dict[str, tuple[float, float]]]) -> str:
    keys = [
        "recall",
        "precision",
        "f1",
        "ap",
        "recall_fpr1",
        "unknown",
        "threshold_recall",
        "threshold_precision",
    ]
    lines = [f"## {task}", "| model | " + " | ".join(keys) + " |", "|---" * (len(keys) + 1) + "|"]
    for name, row in results.items():
        cells = [f"{row[key][0]:.3f}±{row[key][1]:.3f}" if key in row else "" for key in keys]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", choices=kdd99.TASKS, default=kdd99.TASKS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], help="a hyperparameter, NAME=VALUE")
    parser.add_argument("--repeats", type=int, default=1, help="models per fold")
    parser.add_argument("--only", choices=("scarcegan", "peer"))
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args(argv)
    options = [
        part for entry in arguments.set for part in (f"--{entry.split('=')[0]}", entry.split("=", 1)[1])
    ]
    if arguments.only != "peer":
        import tensor

        tensor.be_deterministic()
    train, test = (read(arguments.data, name) for name in (kdd99.TRAIN, kdd99.TEST))
    everything: dict[str, Any] = {}
    for name in arguments.tasks:
        seeds = []
        for seed in range(arguments.seeds):
            began, task = time.monotonic(), kdd99.task(name, train, test, seed)
            rows = {} if arguments.only == "peer" else scarcegan(task, seed, options, arguments.repeats)
            seeds.append(rows if arguments.only == "scarcegan" else rows | boosting(task, seed))
            print(f"{name} seed {seed}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        everything[name] = summary(seeds)
        print(table(name, everything[name]), flush=True)
    if arguments.output:
        document = {"seeds": arguments.seeds, "set": arguments.set, "tasks": everything}
        arguments.output.write_text(json.dumps(document, indent=1))
    return 0


def read(folder: Path, name: str) -> kdd99.Table:
    """From the file, or from the arrays that an earlier run left beside it."""
    kept = Path(os.environ.get("TRAINYARD_KDD_CACHE", "")) / f"{name}.npz"
    if os.environ.get("TRAINYARD_KDD_CACHE") and kept.exists():
        with np.load(kept, allow_pickle=False) as stored:
            return kdd99.Table(**stored)
    made = kdd99.read(folder / name)
    if os.environ.get("TRAINYARD_KDD_CACHE"):
        np.savez(kept, values=made.values, groups=made.groups, distinct=made.distinct)
    return made


if __name__ == "__main__":
    raise SystemExit(main())

"""Judge the models: forecast what was held out, measure, and write the numbers, plots and a report page."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import aggregate
import customers
import fleet
import plots
import report
from scoring import Score, Task, Unscored, score_batch

from trainyard.in_image.arguments import BadArgument, Parser, between
from trainyard.in_image.metrics import emit
from trainyard.in_image.opt_ml import OptMl

BATCH = 32  # customers whose scores a process sends at once


class EvaluationFailed(Exception):
    """There is nothing to judge; the message says what is missing."""


def main(argv: list[str] | None = None) -> int:
    opt_ml = OptMl.from_environment()
    try:
        evaluate(parse(argv, opt_ml))
    except (EvaluationFailed, BadArgument, OSError) as error:
        print(f"evaluation failed: {error}", file=sys.stderr, flush=True)
        opt_ml.message.parent.mkdir(parents=True, exist_ok=True)
        opt_ml.message.write_text(str(error).encode()[:1024].decode(errors="ignore"), encoding="utf-8")
        return 1
    return 0


def parse(argv: list[str] | None, opt_ml: OptMl) -> argparse.Namespace:
    parser = Parser(__doc__)
    for folder in ("models", "test", "train", "evaluation"):
        parser.add_argument(f"--{folder}", type=Path, default=opt_ml.processing / folder)
    # two more inputs that need not be there: what preprocessing found, why customers have no model
    for folder in ("quality", "training"):
        parser.add_argument(f"--{folder}", type=Path, default=opt_ml.processing / folder)
    parser.add_argument("--processes", type=between(0, 512, int), default=0, help="0: one per core")
    return parser.parse_args(argv)


def evaluate(arguments: argparse.Namespace) -> None:
    """Raises EvaluationFailed when no customer can be judged."""
    began = time.perf_counter()
    held_out = customers.files(arguments.test)
    if not held_out:
        raise EvaluationFailed(
            f"nothing was held out in {arguments.test}: every customer is shorter than the horizon and two more"
        )
    archives = {path.name.removesuffix(".tar.gz"): path for path in arguments.models.rglob("*.tar.gz")}
    if not archives:
        raise EvaluationFailed(f"no models ({{customer}}.tar.gz) in {arguments.models}")
    tasks = [
        Task(arguments.train / path.name, path, archives.get(customers.stem_of(path))) for path in held_out
    ]
    scores, unscored = score_all(tasks, arguments.processes)
    unscored = with_reasons(unscored, arguments.training)
    if not scores:
        raise EvaluationFailed(f"none of {len(tasks)} customers could be judged; {unscored[0].reason}")
    overall = aggregate.overall(scores, unscored)
    if overall["mase"] is None:
        raise EvaluationFailed(
            f"MASE is undefined for all {len(scores)} customers: their histories repeat themselves exactly, so that "
            "seasonal naive has no error to compare with"
        )
    write(arguments, overall, scores, unscored)
    emit({f"evaluation:{name}": overall[name]["median"] for name in aggregate.MEASURES}, "(medians)")
    rest = ("coverage", "better_than_naive", "customers", "failed")
    emit({f"evaluation:{name}": overall[name] for name in rest}, f"in {time.perf_counter() - began:.1f} s")


def score_all(tasks: list[Task], processes: int) -> tuple[list[Score], list[Unscored]]:
    """Score on all cores; both lists in the order of the customers' files."""
    found: list[Score | Unscored] = []
    batches = [tasks[first : first + BATCH] for first in range(0, len(tasks), BATCH)]
    with closing(fleet.run(score_batch, batches, fleet.cores(processes), one_by_one)) as done:
        for batch, results in done:
            for result in died(batch, results.reason) if isinstance(results, fleet.Died) else results:
                found.append(result)
                emit({"models:done": len(found), "models:total": len(tasks)}, result.stem)
    found.sort(key=lambda result: result.stem)
    return (
        [result for result in found if isinstance(result, Score)],
        [result for result in found if isinstance(result, Unscored)],
    )


def one_by_one(batch: list[Task]) -> list[list[Task]]:
    return [[task] for task in batch]


def died(batch: list[Task], reason: str) -> list[Unscored]:
    stems = [customers.stem_of(task.test) for task in batch]
    return [Unscored(customers.customer_of(stem), stem, reason) for stem in stems]


def with_reasons(unscored: list[Unscored], training: Path) -> list[Unscored]:
    """Where the training's own report is at hand: why a customer has no model."""
    reasons: dict[str, str] = {}
    for path in sorted(training.rglob("training_report*.json")):
        for failure in json.loads(path.read_text(encoding="utf-8"))["failed"]:
            reasons[failure["file"]] = f"not fitted: {failure['reason']}"
    return [
        Unscored(entry.customer, entry.stem, reasons.get(f"{entry.stem}.csv", entry.reason))
        for entry in unscored
    ]


def write(
    arguments: argparse.Namespace, overall: dict[str, Any], scores: list[Score], unscored: list[Unscored]
) -> None:
    folder = arguments.evaluation
    (folder / "plots").mkdir(parents=True, exist_ok=True)
    steps = aggregate.by_step(scores)
    quality_file = arguments.quality / "data_quality.json"
    quality = json.loads(quality_file.read_text(encoding="utf-8")) if quality_file.exists() else None
    evaluation = {
        "overall": overall,
        "by_step": steps,
        "definitions": report.DEFINITIONS,
        "failed": [{"customer": entry.customer, "reason": entry.reason} for entry in unscored],
    }
    for name, content in (
        ("evaluation.json", evaluation),
        ("model_quality.json", aggregate.model_quality(scores) | aggregate.forecast_quality(overall)),
    ):
        (folder / name).write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
    aggregate.write_csv(folder / "per_customer.csv", scores, unscored)
    plots.write(folder / "plots", scores, report.selection(scores))
    page = report.page(overall, steps, scores, unscored, quality)
    (folder / "report.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())

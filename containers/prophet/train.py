"""Fit one Prophet model per customer file of this host's shard and write ``{customer}.tar.gz`` for each.

With several hosts each one's channel holds a shard of its own (ShardedByS3Key): nothing is shared.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from contextlib import closing
from pathlib import Path

import checkpoints
import customers
import engine
import fleet
import hyperparameters
import training_report
from fitting import Outcome, fit_customer

from trainyard.in_image.arguments import BadArgument
from trainyard.in_image.opt_ml import OptMl


class TrainingFailed(Exception):
    """The job as a whole cannot succeed; the message becomes SageMaker's FailureReason."""


class Terminated(Exception):
    """SIGTERM: the job is being stopped, or its spot instance is taken away."""


def main(argv: list[str] | None = None) -> int:
    signal.signal(signal.SIGTERM, terminate)
    outcomes: list[Outcome] = []
    began = time.monotonic()
    try:
        arguments = parse(argv, OptMl.from_environment())
        options = hyperparameters.options(arguments)
        files = customers.files(arguments.training)
        try:
            if files:
                train(arguments, options, files, outcomes)
        finally:
            training_report.write(arguments.output_data_dir, outcomes, len(files), time.monotonic() - began)
        judge(arguments, outcomes)
    except Terminated:
        whole = sum(outcome.status != "failed" for outcome in outcomes)
        print(f"stopped by SIGTERM: {whole} whole models stay, the next run goes on from there", flush=True)
        return 128 + signal.SIGTERM
    except (TrainingFailed, BadArgument, OSError) as error:
        training_report.fail(OptMl.from_environment().failure, str(error))
        return 1
    return 0


def parse(argv: list[str] | None, opt_ml: OptMl) -> argparse.Namespace:
    parser = hyperparameters.parser(__doc__)
    variables = os.environ
    for argument, folder in (
        ("--training", variables.get("SM_CHANNEL_TRAINING", opt_ml.channel("training"))),
        ("--model-dir", variables.get("SM_MODEL_DIR", opt_ml.model)),
        ("--output-data-dir", variables.get("SM_OUTPUT_DATA_DIR", opt_ml.output_data)),
        ("--checkpoint-dir", opt_ml.checkpoints),  # SageMaker has no variable for it; it may not exist
    ):
        parser.add_argument(argument, type=Path, default=Path(folder))
    return parser.parse_args(argv)


def train(
    arguments: argparse.Namespace, options: engine.Options, files: list[Path], outcomes: list[Outcome]
) -> None:
    """Reuse what is whole, fit the rest on all cores; ``outcomes`` grows as customers get done."""
    arguments.model_dir.mkdir(parents=True, exist_ok=True)
    tasks = []
    for task in checkpoints.tasks(files, arguments.checkpoint_dir, arguments.model_dir, options):
        if outcome := checkpoints.reuse(task):
            outcomes.append(outcome)
        else:
            tasks.append(task)
    processes = min(fleet.cores(arguments.processes), len(tasks))
    training_report.start(len(outcomes), len(files), processes)
    with closing(fleet.run(fit_customer, tasks, processes)) as done:
        for task, result in done:
            if isinstance(result, fleet.Died):
                result = Outcome(task.customer, task.data.name, "failed", result.reason)
            outcomes.append(result)
            training_report.progress(result, len(outcomes), len(files))


def judge(arguments: argparse.Namespace, outcomes: list[Outcome]) -> None:
    """Raise TrainingFailed when too many customers have no model."""
    if not outcomes:
        if len(json.loads(os.environ.get("SM_HOSTS", "[]"))) > 1:
            print("this host's shard is empty: there are more hosts than customers", flush=True)
            return
        raise TrainingFailed(
            f"no customer files ({{customer}}.csv with columns ds, y) in {arguments.training}"
        )
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if len(failed) == len(outcomes) or len(failed) > arguments.max_failed_share * len(outcomes):
        raise TrainingFailed(
            f"{len(failed)} of {len(outcomes)} customers could not be fitted, max_failed_share is "
            f"{arguments.max_failed_share:g}; the first: {failed[0].customer!r}: {failed[0].reason}"
        )


def terminate(signum: int, frame: object) -> None:
    signal.signal(signum, signal.SIG_IGN)
    raise Terminated


if __name__ == "__main__":
    raise SystemExit(main())

"""Fit one Prophet model per customer file of this host's shard and write ``{customer}.tar.gz`` for each.

With several hosts each one's channel holds a shard of its own (ShardedByS3Key): nothing is shared.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
from contextlib import closing
from pathlib import Path

import checkpoints
import customers
import engine
import fleet
import hyperparameters
import training_report
from fitting import Batch, Job, Outcome, archive, batches, fit_batch, one_by_one
from training_report import Tally

from trainyard.in_image.arguments import BadArgument
from trainyard.in_image.opt_ml import OptMl


class TrainingFailed(Exception):
    """The job as a whole cannot succeed; the message becomes SageMaker's FailureReason."""


class Terminated(Exception):
    """SIGTERM: the job is being stopped, or its spot instance is taken away."""


def main(argv: list[str] | None = None) -> int:
    signal.signal(signal.SIGTERM, terminate)
    tally = Tally()
    try:
        arguments = parse(argv, OptMl.from_environment())
        options = hyperparameters.options(arguments)
        names = customers.names(arguments.training)
        with tally.to(arguments.output_data_dir, len(names)):
            if names:
                train(arguments, options, names, tally)
        judge(arguments, tally)
    except Terminated:
        whole = tally.done - tally.counts["failed"]
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


def train(arguments: argparse.Namespace, options: engine.Options, names: list[str], tally: Tally) -> None:
    """Reuse what is whole, fit the rest on all cores; ``tally`` grows as customers get done."""
    arguments.model_dir.mkdir(parents=True, exist_ok=True)
    folders = checkpoints.folders(arguments.checkpoint_dir, arguments.model_dir)
    checkpoints.clear(folders, {archive(name) for name in names})
    processes = fleet.cores(arguments.processes)
    training_report.start(len(names), processes)
    work = batches(Job(arguments.training, folders, options, engine.identity()), names)
    with closing(fleet.run(fit_batch, work, processes, one_by_one)) as done:
        for batch, result in done:
            tally.add(died(batch, result.reason) if isinstance(result, fleet.Died) else result)


def died(batch: Batch, reason: str) -> list[Outcome]:
    stems = [(name, customers.customer_of(name.removesuffix(".csv"))) for name in batch.names]
    return [Outcome(customer, name, "failed", reason) for name, customer in stems]


def judge(arguments: argparse.Namespace, tally: Tally) -> None:
    """Raise TrainingFailed when too many customers have no model."""
    if not tally.done:
        if len(json.loads(os.environ.get("SM_HOSTS", "[]"))) > 1:
            print("this host's shard is empty: there are more hosts than customers", flush=True)
            return
        raise TrainingFailed(
            f"no customer files ({{customer}}.csv with columns ds, y) in {arguments.training}"
        )
    failed = tally.counts["failed"]
    if failed == tally.done or failed > arguments.max_failed_share * tally.done:
        first = tally.failed[0]
        raise TrainingFailed(
            f"{failed} of {tally.done} customers could not be fitted, max_failed_share is "
            f"{arguments.max_failed_share:g}; the first: {first.customer!r}: {first.reason}"
        )


def terminate(signum: int, frame: object) -> None:
    signal.signal(signum, signal.SIG_IGN)
    raise Terminated


if __name__ == "__main__":
    raise SystemExit(main())

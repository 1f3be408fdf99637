"""Train the models of a job, by default one per fold, and write them with their thresholds.

Goes on from checkpoints; TensorFlow is imported only after arguments and data were found good.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import hyperparameters
import training_data
import training_report
from hyperparameters import ModelSpec
from training_data import BadData, TrainingData

from trainyard.in_image.arguments import BadArgument
from trainyard.in_image.opt_ml import OptMl

if TYPE_CHECKING:
    from checkpoints import Progress
    from model_files import Model

_asked_to_stop = False


class TrainingFailed(Exception):
    """The job cannot succeed; the message becomes SageMaker's FailureReason."""


class Terminated(Exception):
    """SIGTERM: the job is being stopped, or its spot instance is taken away."""


def main(argv: list[str] | None = None) -> int:
    signal.signal(signal.SIGTERM, terminate)
    opt_ml = OptMl.from_environment()
    try:
        arguments = parse(argv, opt_ml)
        data = training_data.read(channels(arguments))
        specs = hyperparameters.specifications(
            arguments, len(data.folds), len(data.classes), data.validation is not None
        )
        train(arguments, data, specs)
    except Terminated:
        print("stopped by SIGTERM: the next run goes on from the checkpoints", flush=True)
        return 128 + signal.SIGTERM
    except (TrainingFailed, BadArgument, BadData, OSError) as error:
        training_report.fail(opt_ml.failure, str(error))
        return 1
    return 0


def parse(argv: list[str] | None, opt_ml: OptMl) -> argparse.Namespace:
    parser = hyperparameters.parser(__doc__)
    variables = os.environ
    folders = {"--model-dir": variables.get("SM_MODEL_DIR", opt_ml.model)}
    folders["--output-data-dir"] = variables.get("SM_OUTPUT_DATA_DIR", opt_ml.output_data)
    folders["--checkpoint-dir"] = opt_ml.checkpoints  # SageMaker has no variable for it; it may not exist
    for channel in training_data.CHANNELS + training_data.VALIDATION:
        folders[f"--{channel}"] = variables.get(f"SM_CHANNEL_{channel.upper()}", opt_ml.channel(channel))
    for argument, folder in folders.items():
        parser.add_argument(argument, type=Path, default=Path(folder))
    return parser.parse_args(argv)


def channels(arguments: argparse.Namespace) -> dict[str, Path]:
    """The folders of all channels that a job must have, and of the optional ones that are there."""
    given = {name: getattr(arguments, name) for name in training_data.CHANNELS + training_data.VALIDATION}
    return {name: path for name, path in given.items() if name in training_data.CHANNELS or path.is_dir()}


def train(arguments: argparse.Namespace, data: TrainingData, specs: list[ModelSpec]) -> None:
    """Raises Terminated, TrainingFailed."""
    import fitting
    import model_archives
    import tensor

    if arguments.deterministic == "true":
        tensor.be_deterministic()
    job = fitting.Job(
        data=data,
        digest=data.digest(),
        interval=arguments.interval,
        jit=arguments.jit == "true",
        stop_on_bad_gradients=arguments.stop_on_bad_gradients == "true",
        checkpoint_dir=arguments.checkpoint_dir if arguments.checkpoint_dir.is_dir() else None,
        tell=training_report.interval,
        stopping=lambda: _asked_to_stop,
    )
    progress: dict[str, Progress] = {}
    models: list[Model] = []
    loops, began, metrics = fitting.Loops(), time.monotonic(), {}
    try:
        for spec in specs:
            models.append(fitting.fit(spec, job, loops, progress))
        metrics = training_report.finished(models, progress, time.monotonic() - began)
    except fitting.Stopped:
        raise Terminated from None
    except fitting.BadGradients as error:
        raise TrainingFailed(str(error)) from error
    finally:
        training_report.write(arguments.output_data_dir, progress, models, metrics)
    model_archives.save(arguments.model_dir, models)


def terminate(signum: int, frame: object) -> None:
    global _asked_to_stop
    _asked_to_stop = True


if __name__ == "__main__":
    raise SystemExit(main())

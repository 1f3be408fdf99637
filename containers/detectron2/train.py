"""Train a Detectron2 detector on the channels training and validation, and write it ready to be served.

Goes on from checkpoints; torch is imported only after arguments and data were found good.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import warnings
from pathlib import Path

import configuration
import hosts
import hyperparameters
import initial_weights
import stopping
import training_data
import training_report
from configuration import BadConfiguration
from dataset import BadDataset
from hosts import BadHosts
from initial_weights import BadWeights

from trainyard.in_image.arguments import BadArgument
from trainyard.in_image.opt_ml import OptMl

_OPTIONAL = ("weights", "config")


def main(argv: list[str] | None = None) -> int:
    stopping.listen()
    opt_ml = OptMl.from_environment()
    opt_ml.failure.unlink(missing_ok=True)
    try:
        arguments = parse(argv, opt_ml)
        cluster = hosts.read(opt_ml.input_config / "resourceconfig.json")
        data = training_data.read(arguments.training, arguments.validation)
        initial_weights.find(arguments.weights, arguments.allow_pickle == "true")
        configuration.find(arguments.model_config, arguments.config)
        configuration.check_keys(arguments.overrides)
        quiet()
        import training_process

        code = training_process.start(arguments, cluster, data, opt_ml.failure)
    except (BadArgument, BadConfiguration, BadDataset, BadHosts, BadWeights, OSError) as error:
        training_report.fail(opt_ml.failure, str(error))
        return 1
    except SystemExit as ended:  # of the only process
        code = int(ended.code or 0)
    if code == training_report.STOPPED:
        kept = (
            "the next run goes on from the checkpoint"
            if arguments.checkpoint_dir.is_dir()
            else "nothing is kept"
        )
        print(f"stopped by SIGTERM: {kept}", flush=True)
    return code


def parse(argv: list[str] | None, opt_ml: OptMl) -> argparse.Namespace:
    """Raises BadArgument."""
    parser = hyperparameters.parser(__doc__)
    variables = os.environ
    folders = {"--model-dir": variables.get("SM_MODEL_DIR", opt_ml.model)}
    folders["--output-data-dir"] = variables.get("SM_OUTPUT_DATA_DIR", opt_ml.output_data)
    folders["--checkpoint-dir"] = opt_ml.checkpoints  # SageMaker has no variable for it; it may not exist
    for channel in ("training", "validation", *_OPTIONAL):
        folders[f"--{channel}"] = variables.get(f"SM_CHANNEL_{channel.upper()}", opt_ml.channel(channel))
    for argument, folder in folders.items():
        parser.add_argument(argument, type=Path, default=Path(folder))
    arguments = parser.parse_args(argv)
    for channel in _OPTIONAL:
        if not getattr(arguments, channel).is_dir():
            setattr(arguments, channel, None)
    return arguments


def quiet() -> None:
    """No warnings of torch and Detectron2 about each other in the job's log, nor in its other processes'."""
    for place in ("torch.jit._script", "torch.functional", "detectron2.engine.defaults"):
        warnings.filterwarnings("ignore", module=re.escape(place))
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    logging.getLogger("torch.fx._symbolic_trace").setLevel(logging.ERROR)


if __name__ == "__main__":
    raise SystemExit(main())

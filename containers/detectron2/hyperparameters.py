"""The hyperparameters as command-line arguments, checked; family.toml declares the same ones to the host."""

from __future__ import annotations

import argparse
import ast
import json
import math
from typing import Any

from trainyard.in_image.arguments import BadArgument, Parser, between

SWITCH = ("true", "false")
CONSTANT = "constant"
# what may change between a run and the one that goes on from its checkpoints
FREE = ("s3_path", "checkpoint_period", "evaluation_period", "log_period", "workers", "peer_timeout",
        "allow_pickle", "num_epochs", "max_iter")  # fmt: skip


def parser(description: str | None) -> argparse.ArgumentParser:
    """SageMaker passes hyperparameters as ``--name value``, all of them text; names have underscores.

    Parsing raises BadArgument.
    """
    arguments = Parser(description)
    add = arguments.add_argument
    add("--num_epochs", type=between(0, 100_000, int), default=0)
    add("--max_iter", type=between(1, 10_000_000, int), default=300)
    add("--learning_rate", type=between(1e-7, 1.0), default=0.002)
    add("--s3_path", type=_s3_path, default="")
    add("--model_config", default="small")
    add("--overrides", type=_overrides, default="[]")
    add("--image_size", type=_zero_or(32, 4096), default=0)
    add("--batch_size", type=between(1, 4096, int), default=4)
    add("--optimizer", choices=("adamw", "sgd"), default="adamw")
    add("--schedule", choices=("cosine", "steps", CONSTANT), default="cosine")
    add("--warmup_iterations", type=between(0, 1_000_000, int), default=20)
    add("--weight_decay", type=between(0.0, 1.0), default=0.01)
    add("--clip_gradients", type=between(0.0, 1000.0), default=5.0)
    add("--freeze_at", type=between(-1, 5, int), default=-1)
    add("--checkpoint_period", type=between(1, 10_000_000, int), default=500)
    add("--evaluation_period", type=between(0, 10_000_000, int), default=0)
    add("--log_period", type=between(1, 1_000_000, int), default=20)
    add("--workers", type=between(-1, 64, int), default=-1)
    add("--seed", type=between(0, 2**31 - 1, int), default=0)
    add("--peer_timeout", type=between(1, 86_400, int), default=600)
    for switch, default in (("amp", "false"), ("deterministic", "true"), ("allow_pickle", "false")):
        # the training toolkit turns "true" into True, and that into "True"
        add(f"--{switch}", type=str.lower, choices=SWITCH, default=default)
    return arguments


def iterations(arguments: argparse.Namespace, images: int) -> int:
    """How many iterations to train: ``num_epochs`` of so many images where it is above 0, else ``max_iter``."""
    if not arguments.num_epochs:
        return int(arguments.max_iter)
    return math.ceil(arguments.num_epochs * images / arguments.batch_size)


def share(arguments: argparse.Namespace, processes: int) -> int:
    """Images per process and iteration; equal, so that means over processes are means over images.

    Raises BadArgument.
    """
    if arguments.batch_size % processes:
        raise BadArgument(
            f"batch_size={arguments.batch_size} is for all processes together, and these are {processes} (one per "
            f"GPU, or per host without one): take a multiple of {processes}"
        )
    return int(arguments.batch_size // processes)


def deciding(arguments: argparse.Namespace, images: int) -> dict[str, Any]:
    """The hyperparameters that decide what is learned, by name.

    How long training lasts is among them but for a constant learning rate: else each iteration's depends on it.
    """
    names = [name for name in vars(parser(None).parse_args([])) if name not in FREE]
    values = {name: getattr(arguments, name) for name in names}
    if arguments.schedule != CONSTANT:
        values["iterations (max_iter, num_epochs)"] = iterations(arguments, images)
    return values


def _zero_or(low: int, high: int) -> Any:
    number = between(0, high, int)

    def parse(text: str) -> int:
        value = int(number(text))
        if 0 < value < low:
            raise argparse.ArgumentTypeError(
                f"{text!r} is neither 0 nor a whole number from {low} to {high:,}"
            )
        return value

    return parse


def _s3_path(text: str) -> str:
    if text and not text.startswith("s3://"):
        raise argparse.ArgumentTypeError(f"{text!r} is no prefix such as s3://bucket/checkpoints/run-1")
    return text.rstrip("/")


def _overrides(text: str) -> list[Any]:
    """A JSON list; also as Python writes it, because the training toolkit decodes JSON and prints that."""
    for read in (json.loads, ast.literal_eval):
        try:
            entries = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if not isinstance(entries, list) or len(entries) % 2 or len(entries) > 200:
            continue
        if all(isinstance(key, str) for key in entries[::2]):
            return entries
    raise argparse.ArgumentTypeError(
        f'{text[:100]!r} is no JSON list of keys and values such as ["MODEL.RPN.NMS_THRESH", 0.6]'
    )

"""The hyperparameters as command-line arguments, checked; family.toml declares the same ones to the host."""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from architecture import OUTPUTS
from measures import BadRule, Rule
from model_archives import MEAN
from variants import VARIANTS

from trainyard.in_image.arguments import BadArgument, Parser, between

SELECTIONS = ("loss", "average_precision", "last")
FOLDS, ABLATIONS = "folds", "variants"
SWITCH = ("true", "false")


@dataclass(frozen=True)
class Options:
    """What one model is trained with; each may be set per model."""

    variant: str = "full"
    steps: int = 5000
    batch_size: int = 32
    learning_rate: float = 1e-4
    alpha: float = 0.7
    risky_weight: float = 1.0
    low_density_weight: float = 0.0
    low_density_epsilon: float = 0.65
    encoding_bins: int = 0  # per feature; 0: the networks see features as they are
    body: tuple[int, ...] = (15, 21, 8)
    noise: int = 10
    generator_output: str = "relu"
    selection: str = "loss"
    threshold_rule: str = "recall_at_precision:0.5"
    prevalence: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class ModelSpec:
    """One model of the job; ``fold`` None: all labelled rows, judged on the validation channel."""

    name: str
    fold: int | None
    options: Options


def parser(description: str | None) -> argparse.ArgumentParser:
    """SageMaker passes hyperparameters as ``--name value``, all of them text; names have underscores.

    Parsing raises BadArgument.
    """
    arguments = Parser(description)
    _add_options(arguments)
    add = arguments.add_argument
    add("--models", default=FOLDS)
    add("--interval", type=between(10, 1_000_000, int), default=500)
    # the training toolkit turns "true" into True, and that into "True"
    add("--deterministic", type=str.lower, choices=SWITCH, default="true")
    add("--jit", type=str.lower, choices=SWITCH, default="false")
    add("--stop_on_bad_gradients", type=str.lower, choices=SWITCH, default="false")
    return arguments


def specifications(
    arguments: argparse.Namespace, folds: int, classes: int, validation: bool
) -> list[ModelSpec]:
    """The models of a job whose data has so many folds and classes, and validation rows or not.

    Raises BadArgument.
    """
    common = _options(arguments)
    if arguments.models == FOLDS:
        specs = [ModelSpec(f"fold_{fold}", fold, common) for fold in range(folds)]
    elif arguments.models == ABLATIONS:
        specs = [ModelSpec(name, 0, replace(common, variant=name)) for name in VARIANTS]
    else:
        specs = [_specification(entry, arguments, folds) for entry in _list(arguments.models)]
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        raise BadArgument(f"models: names must differ, there are {', '.join(names)}")
    if MEAN in names:
        raise BadArgument(f"models: {MEAN} is the name of all models together, no model's own")
    for spec in specs:
        if spec.options.batch_size % classes:
            size = spec.options.batch_size
            raise BadArgument(
                f"batch_size={size} of model {spec.name} is no multiple of the {classes} classes"
            )
        if spec.fold is None and not validation:
            raise BadArgument(
                f"models: {spec.name} has no fold, so it is judged on the channels val_data and val_label: add them"
            )
    return specs


def _add_options(parser: argparse.ArgumentParser) -> None:
    default = Options()
    kinds: dict[str, dict[str, Any]] = {
        "variant": {"choices": tuple(VARIANTS)},
        "steps": {"type": between(1, 10_000_000, int)},
        "batch_size": {"type": between(2, 65_536, int)},
        "learning_rate": {"type": between(1e-7, 1.0)},
        "alpha": {"type": between(0.01, 1.0)},
        "risky_weight": {"type": between(0.01, 1000.0)},
        "low_density_weight": {"type": between(0.0, 100.0)},
        "low_density_epsilon": {"type": between(0.01, 0.99)},
        "encoding_bins": {"type": between(0, 1000, int)},
        "body": {"type": _widths},
        "noise": {"type": between(1, 1000, int)},
        "generator_output": {"choices": OUTPUTS},
        "selection": {"choices": SELECTIONS},
        "threshold_rule": {"type": _rule},
        "prevalence": {"type": between(0.0, 0.99)},
        "seed": {"type": between(0, 2**31 - 2, int)},
    }
    for name, kind in kinds.items():
        parser.add_argument(f"--{name}", default=getattr(default, name), **kind)


def _options(arguments: argparse.Namespace) -> Options:
    return Options(**{field.name: getattr(arguments, field.name) for field in fields(Options)})


def _specification(entry: Any, arguments: argparse.Namespace, folds: int) -> ModelSpec:
    """One entry of ``models``: name, fold, and any option that differs from the job's."""
    if not isinstance(entry, dict):
        raise BadArgument(f"models: {entry!r} is no object such as {{'name': 'fold_0', 'fold': 0}}")
    own = dict(entry)
    name, fold = own.pop("name", None), own.pop("fold", None)
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,40}[A-Za-z0-9])?", name):
        raise BadArgument(f"models: name {name!r} must be 1 to 42 letters, digits, - and _")
    if fold is not None and (type(fold) is not int or not 0 <= fold < folds):
        raise BadArgument(
            f"models: {name} has fold {fold!r}, the data has folds 0 to {folds - 1}, or null for none"
        )
    known = {field.name for field in fields(Options)}
    if unknown := sorted(set(own) - known):
        raise BadArgument(f"models: {name} has {', '.join(unknown)}, possible are {', '.join(sorted(known))}")
    options = Parser(None)
    _add_options(options)
    text = [part for key, value in own.items() for part in (f"--{key}", _text(value))]
    try:
        chosen = options.parse_args(text)
    except BadArgument as error:
        raise BadArgument(f"models: {name}: {error}") from error
    values = {key: getattr(chosen if key in own else arguments, key) for key in known}
    return ModelSpec(name, fold, Options(**values))


def _list(text: str) -> Sequence[Any]:
    """A JSON list; also as Python writes it, because the training toolkit decodes JSON and prints that."""
    for read in (json.loads, ast.literal_eval):
        try:
            entries = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(entries, list) and 1 <= len(entries) <= 100:
            return entries
    raise BadArgument(
        f"models: {text[:100]!r} is neither {FOLDS} nor {ABLATIONS} nor a JSON list of 1 to 100 objects such as "
        f'[{{"name": "fold_0", "fold": 0}}]'
    )


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _widths(text: str) -> tuple[int, ...]:
    # as JSON the toolkit reads "15,21,8" as text, but "[15, 21, 8]" as a list
    parts = text.strip("[]() ").split(",")
    if not all(re.fullmatch(r"\s*[1-9]\d{0,3}\s*", part) for part in parts) or len(parts) > 10:
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to 10 widths such as 15,21,8")
    return tuple(int(part) for part in parts)


def _rule(text: str) -> str:
    try:
        Rule.parse(text)
    except BadRule as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text

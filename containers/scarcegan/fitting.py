"""Train one model: intervals of steps, each judged on the held-out rows; the best one stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import checkpoints
import gradient_health
import numpy as np
from architecture import Architecture, log_probabilities
from checkpoints import Progress
from hyperparameters import ModelSpec
from loop import CHUNK, Loop, Rows
from losses import Weighting, supervised_targets
from measures import Rule, average_precision, choose, recall_and_precision
from model_files import FORMAT, Model
from state import State, arrays, cleared, first_state, weights_of
from steps import Recipe
from tensor import tf
from training_data import Part, TrainingData
from variants import VARIANTS

MEASURED = (
    "Discriminator_Supervised_Loss",
    "Discriminator_UnSupervised_Loss",
    "Generator_Loss",
    "Accuracy_Supervised",
)


class BadGradients(Exception):
    """Gradients vanished or exploded and the job was asked to stop then, or no model is left."""


class Stopped(Exception):
    """Training was asked to end; its checkpoint is written."""


@dataclass(frozen=True)
class Job:
    """What all models of a job have in common."""

    data: TrainingData
    digest: str  # of the data
    interval: int
    jit: bool
    stop_on_bad_gradients: bool
    checkpoint_dir: Path | None
    # called with the model's name and each interval's entry of the history
    tell: Callable[[str, dict[str, Any]], None]
    # asked after each chunk of steps whether to end
    stopping: Callable[[], bool]


class Loops:
    """Compiled loops, so that models of equal recipes share one."""

    def __init__(self) -> None:
        self._made: dict[Recipe, Loop] = {}

    def of(self, recipe: Recipe) -> Loop:
        if recipe not in self._made:
            self._made[recipe] = Loop(recipe)
        return self._made[recipe]


def recipe_of(spec: ModelSpec, features: int, classes: int, risky: int, jit: bool = False) -> Recipe:
    """The graph's part of a model's options."""
    options = spec.options
    return Recipe(
        Architecture(
            features,
            classes,
            options.body,
            options.noise,
            generator_output=options.generator_output,
        ),
        VARIANTS[options.variant],
        risky,
        Weighting(
            options.alpha,
            options.risky_weight,
            low_density_weight=options.low_density_weight,
            low_density_epsilon=options.low_density_epsilon,
        ),
        options.batch_size,
        options.learning_rate,
        jit=jit,
    )


def fit(spec: ModelSpec, job: Job, loops: Loops, reports: dict[str, Progress]) -> Model:
    """Train, or go on where the checkpoint is; how it went is in ``reports``, also when it raises.

    Raises Stopped when asked to end, BadGradients when the job is to stop on them or no weights are finite,
    BadData when the model's rows are not there.
    """
    part = job.data.part(spec.fold)
    recipe = recipe_of(spec, len(job.data.columns), len(job.data.classes), job.data.risky, job.jit)
    made_from = checkpoints.fingerprint(spec, job.interval, job.digest, tf.__version__)
    path = job.checkpoint_dir / f"{spec.name}.npz" if job.checkpoint_dir else None
    progress = checkpoints.load(path, made_from) if path else None
    if progress is None:
        progress = Progress(0, first_state(recipe.architecture, (spec.options.seed, _number(spec))))
    progress.resumed_at = progress.step
    reports[spec.name] = progress
    rows, loop, steps = _rows(part, recipe.architecture), loops.of(recipe), spec.options.steps
    while progress.step < steps:
        last = min(steps, _next(progress.step, CHUNK), _next(progress.step, job.interval))
        progress.state = loop.advance(progress.state, rows, _graph_seed(spec), progress.step, last)
        progress.step = last
        whole = last == steps or last % job.interval == 0
        if whole:
            _judge(spec, job, recipe, part, progress)
        stopping = job.stopping()
        if path and (whole or stopping):
            progress.state = arrays(progress.state)
            checkpoints.save(path, progress, made_from)
        if stopping and progress.step < steps:
            raise Stopped
    if progress.best is None or progress.best_entry is None:
        raise BadGradients(
            f"model {spec.name} has no finite weights: lower learning_rate={spec.options.learning_rate:g}"
        )
    return _model(spec, job, recipe, part, progress.best, progress.best_entry)


def _judge(spec: ModelSpec, job: Job, recipe: Recipe, part: Part, progress: Progress) -> None:
    """Measure the interval that has just ended, tell it, and keep the weights if they are the best so far."""
    state = arrays(progress.state)
    steps = progress.step - (progress.history[-1]["Iteration"] if progress.history else 0)
    measured = gradient_health.means(state, steps, recipe.architecture)
    found = gradient_health.findings(measured, spec.name, progress.step)
    known = {(finding["rule"], finding["loss"], finding["tensor"]) for finding in progress.findings}
    progress.findings += [asdict(f) for f in found if (f.rule, f.loss, f.tensor) not in known]
    entry = {"Iteration": progress.step}
    entry |= {name: float(value) / steps for name, value in zip(MEASURED, state.measured, strict=True)}
    entry |= _validate(recipe, part, state)
    entry["gradients"] = measured
    progress.history.append(entry)
    progress.state = cleared(state)
    job.tell(spec.name, entry)
    if all(np.isfinite(array).all() for array in state) and _better(spec.options.selection, entry, progress):
        progress.best, progress.best_entry = cleared(state), entry
    if found and job.stop_on_bad_gradients:
        raise BadGradients(str(found[0]))


def _validate(recipe: Recipe, part: Part, state: State) -> dict[str, float]:
    """On the held-out rows: the supervised loss with each class counting alike, and how risky rows are found."""
    logs = _answers(recipe, state, part.held_out)
    if not np.isfinite(logs[:, :-1]).all():
        return {}
    targets = supervised_targets(recipe.variant, recipe.weighting, recipe.architecture.classes, recipe.risky)
    wanted = targets[part.held_out_labels]
    losses = -np.sum(wanted * np.where(wanted > 0, logs, 0.0), axis=1)
    by_class = [losses[part.held_out_labels == number].mean() for number in range(len(targets))]
    positive, likeliest = part.held_out_labels == recipe.risky, logs.argmax(axis=1)
    recall, precision = recall_and_precision(positive, likeliest == recipe.risky)
    return {
        "Validation_Supervised_Loss": float(np.mean(by_class)),
        "Validation_Accuracy": float((likeliest == part.held_out_labels).mean()),
        "Validation_Recall_Risky": recall,
        "Validation_Precision_Risky": precision,
        "Validation_Average_Precision": average_precision(positive, logs[:, recipe.risky]),
        "Validation_Unknown": float((likeliest == len(targets)).mean()),
    }


def _better(selection: str, entry: dict[str, Any], progress: Progress) -> bool:
    best = progress.best_entry
    if "Validation_Supervised_Loss" not in entry:
        return False
    if best is None or selection == "last":
        return True
    loss, before = entry["Validation_Supervised_Loss"], best["Validation_Supervised_Loss"]
    if selection == "loss":
        return bool(loss <= before)
    precision, earlier = entry["Validation_Average_Precision"], best["Validation_Average_Precision"]
    return bool((precision, -loss) >= (earlier, -before))


def _model(
    spec: ModelSpec, job: Job, recipe: Recipe, part: Part, state: State, entry: dict[str, Any]
) -> Model:
    data = job.data
    positive = part.held_out_labels == recipe.risky
    scores = np.exp(_answers(recipe, state, part.held_out)[:, recipe.risky])
    threshold = choose(Rule.parse(spec.options.threshold_rule), positive, scores, spec.options.prevalence)
    sizes = [int((part.labels == number).sum()) for number in range(len(data.classes))]
    details = {
        "format": FORMAT,
        "name": spec.name,
        "fold": spec.fold,
        "classes": data.classes,
        "risky": recipe.risky,
        "columns": data.columns,
        "leeway": recipe.variant.leeway,
        "layers": len(recipe.architecture.body),
        "architecture": asdict(recipe.architecture),
        "options": asdict(spec.options),
        "threshold": {**asdict(threshold), "rule": spec.options.threshold_rule},
        "metrics": {name: value for name, value in entry.items() if name != "gradients"},
        "trained_on": {
            "labelled": dict(zip(data.classes, sizes, strict=True)),
            "unlabelled": len(part.unlabelled),
        },
        "scaler": data.scaler,
        "data_digest": job.digest,
        "tensorflow": tf.__version__,
    }
    return Model(weights_of(state, recipe.architecture), details)


def _answers(recipe: Recipe, state: State, rows: np.ndarray) -> np.ndarray:
    weights = weights_of(state, recipe.architecture)
    return log_probabilities(weights, len(recipe.architecture.body), rows, recipe.variant.leeway)


def _rows(part: Part, architecture: Architecture) -> Rows:
    order = np.argsort(part.labels, kind="stable")
    counts = np.bincount(part.labels, minlength=architecture.classes).astype(np.int32)
    return Rows(tf.constant(part.features[order]), tf.constant(counts), tf.constant(part.unlabelled))


def _number(spec: ModelSpec) -> int:
    """Folds start from different weights."""
    return 0 if spec.fold is None else spec.fold + 1


def _graph_seed(spec: ModelSpec) -> int:
    return int(np.random.SeedSequence([spec.options.seed, _number(spec)]).generate_state(1)[0] & 0x7FFFFFFF)


def _next(step: int, multiple: int) -> int:
    return (step // multiple + 1) * multiple

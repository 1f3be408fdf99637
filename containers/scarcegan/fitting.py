"""Train one model: intervals of steps, each judged on the held-out rows; the best one stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import checkpoints
import gradient_health
import numpy as np
from candidate import Candidate
from checkpoints import Progress
from hyperparameters import ModelSpec
from loop import CHUNK, Loop, rows_of
from model_files import Model
from state import arrays, cleared, first_state
from steps import Recipe
from tensor import tf
from training_data import TrainingData

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


def fit(spec: ModelSpec, job: Job, loops: Loops, reports: dict[str, Progress]) -> Model:
    """Train, or go on where the checkpoint is; how it went is in ``reports``, also when it raises.

    Raises Stopped when asked to end, BadGradients when the job is to stop on them or no weights are finite,
    BadData when the model's rows are not there.
    """
    candidate = Candidate.of(spec, job.data, job.digest, job.jit)
    architecture, part = candidate.architecture, candidate.part
    made_from = checkpoints.fingerprint(spec, job.interval, job.digest, tf.__version__)
    path = job.checkpoint_dir / f"{spec.name}.npz" if job.checkpoint_dir else None
    progress = checkpoints.load(path, made_from) if path else None
    if progress is None:
        progress = Progress(0, first_state(architecture, candidate.seeds))
    progress.resumed_at = progress.step
    if 0 < progress.step < spec.options.steps:
        print(f"{spec.name}: resumed at iteration {progress.step}", flush=True)
    reports[spec.name] = progress
    rows = rows_of(part.features, part.labels, part.unlabelled, architecture.classes, candidate.encoding)
    loop, steps = loops.of(candidate.recipe), spec.options.steps
    while progress.step < steps:
        last = min(steps, _next(progress.step, CHUNK), _next(progress.step, job.interval))
        progress.state = loop.advance(progress.state, rows, candidate.graph_seed, progress.step, last)
        progress.step = last
        whole = last == steps or last % job.interval == 0
        if whole:
            _judge(candidate, job, progress)
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
    return candidate.model(progress.best, progress.best_entry)


def _judge(candidate: Candidate, job: Job, progress: Progress) -> None:
    """Measure the interval that has just ended, tell it, and keep the weights if they are the best so far."""
    name, state = candidate.spec.name, arrays(progress.state)
    steps = progress.step - (progress.history[-1]["Iteration"] if progress.history else 0)
    measured = gradient_health.means(state, steps, candidate.architecture)
    found = gradient_health.findings(measured, name, progress.step)
    known = {(finding["rule"], finding["loss"], finding["tensor"]) for finding in progress.findings}
    progress.findings += [asdict(f) for f in found if (f.rule, f.loss, f.tensor) not in known]
    entry = {"Iteration": progress.step}
    entry |= {key: float(value) / steps for key, value in zip(MEASURED, state.measured, strict=True)}
    entry |= candidate.measure(state)
    entry["gradients"] = measured
    progress.history.append(entry)
    progress.state = cleared(state)
    job.tell(name, entry)
    finite = all(np.isfinite(array).all() for array in state)
    if finite and candidate.better(entry, progress.best_entry):
        progress.best, progress.best_entry = cleared(state), entry
    if found and job.stop_on_bad_gradients:
        raise BadGradients(str(found[0]))


def _next(step: int, multiple: int) -> int:
    return (step // multiple + 1) * multiple

"""One training: Detectron2's model, trainer and schedule, from the start or from a checkpoint."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import checkpoints
import initial_weights
import measuring
import sampling
import torch
import training_hooks
import training_report
import training_state
from checkpoints import Checkpoint
from dataset import Dataset, records
from detectron2.engine import AMPTrainer, SimpleTrainer, create_ddp_model, hooks
from detectron2.modeling import build_model
from detectron2.solver import build_lr_scheduler
from detectron2.solver.build import get_default_optimizer_params
from detectron2.utils import comm
from loading import Examples, Reader, batches
from seeding import Seeds


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to train, of which this process takes ``share`` images of each batch; folders are None where not there."""

    arguments: argparse.Namespace
    cfg: Any
    training: Dataset
    validation: Dataset
    share: int
    settings: dict[str, Any]
    weights: Path | None
    checkpoint_dir: Path | None
    stopping: Callable[[], bool]


@dataclass
class Fitted:
    """A trained model, on its device, and what was measured; measurements are of the first process."""

    model: torch.nn.Module
    history: list[dict[str, Any]] = field(default_factory=list)


def fit(job: Job, fitted: Fitted) -> None:
    """Train ``fitted.model`` to the end; its history grows meanwhile.

    Raises Stopped, OtherTraining, BadWeights, BadImage, FloatingPointError when a loss is no number.
    """
    # it would log a traceback of each exception, also of those that are told in a line
    logging.getLogger("detectron2.engine.train_loop").disabled = True
    cfg, arguments = job.cfg, job.arguments
    model, first = fitted.model, comm.get_rank() * job.share
    optimizer = _optimizer(cfg, arguments.optimizer, model)
    scheduler = build_lr_scheduler(cfg, optimizer)
    scaler = torch.amp.GradScaler("cuda") if cfg.SOLVER.AMP.ENABLED else None
    begin = _begin(job, fitted, optimizer, scheduler, scaler)
    read = Reader(cfg.INPUT.FORMAT)

    def measure(iteration: int) -> None:
        for which, data in (("training", job.training), ("testing", job.validation)):
            most = measuring.MOST_TRAINING_IMAGES if which == "training" else len(data.images)
            ap = measuring.average_precision(model, cfg, measuring.some(data, most), read)
            if comm.is_main_process():
                training_report.average_precision(which, ap, iteration)
                fitted.history.append({"iteration": iteration, f"{which}_ap": ap})

    def save(iteration: int) -> None:
        if job.checkpoint_dir is not None and comm.is_main_process():
            kept = {**training_state.rest(optimizer, scheduler, scaler), "history": fitted.history}
            checkpoints.write(
                job.checkpoint_dir,
                iteration,
                lambda path: training_state.save(path, model, optimizer),
                job.settings,
                kept,
            )

    on_gpu = cfg.MODEL.DEVICE == "cuda"
    parallel = create_ddp_model(
        model, broadcast_buffers=False, device_ids=[comm.get_local_rank()] if on_gpu else None
    )
    data = _batches(job, read, begin)
    if scaler is None:
        trainer: Any = SimpleTrainer(parallel, data, optimizer)
    else:
        trainer = AMPTrainer(parallel, data, optimizer, grad_scaler=scaler)
    trainer.register_hooks(
        [
            Seeds(model, arguments.seed, first),
            training_hooks.Clip(model, arguments.clip_gradients) if arguments.clip_gradients else None,
            hooks.LRScheduler(optimizer, scheduler),
            training_hooks.Tell(arguments.log_period, arguments.batch_size, fitted.history)
            if comm.is_main_process()
            else None,
            training_hooks.Measure(arguments.evaluation_period, measure)
            if arguments.evaluation_period
            else None,
            training_hooks.Keep(arguments.checkpoint_period, save, job.stopping),
        ]
    )
    trainer.train(begin, cfg.SOLVER.MAX_ITER)
    measure(cfg.SOLVER.MAX_ITER)


def model_of(cfg: Any, seed: int) -> torch.nn.Module:
    """The configuration's model with weights that follow from the seed, the same in all processes."""
    torch.manual_seed(sampling.derived(seed, "weights"))
    return build_model(cfg)


def synchronized(cfg: Any) -> Any:
    """The same, with batch normalisation over all processes' images where there are several."""
    cfg = cfg.clone()
    for part in (cfg.MODEL.RESNETS, cfg.MODEL.FPN, cfg.MODEL.ROI_BOX_HEAD, cfg.MODEL.RETINANET):
        if part.get("NORM") in ("BN", "SyncBN"):
            part.NORM = "naiveSyncBN"
    return cfg


def _optimizer(cfg: Any, name: str, model: torch.nn.Module) -> torch.optim.Optimizer:
    solver = cfg.SOLVER
    groups = get_default_optimizer_params(
        model,
        base_lr=solver.BASE_LR,
        weight_decay_norm=solver.WEIGHT_DECAY_NORM,
        bias_lr_factor=solver.BIAS_LR_FACTOR,
        weight_decay_bias=solver.WEIGHT_DECAY_BIAS,
    )
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=solver.BASE_LR, weight_decay=solver.WEIGHT_DECAY)
    return torch.optim.SGD(
        groups,
        lr=solver.BASE_LR,
        momentum=solver.MOMENTUM,
        nesterov=solver.NESTEROV,
        weight_decay=solver.WEIGHT_DECAY,
    )


def _begin(job: Job, fitted: Fitted, optimizer: Any, scheduler: Any, scaler: Any) -> int:
    """Set all to where training goes on; the answer is how many iterations are done. Raises OtherTraining."""
    found = _newest(job)
    if found is not None:
        training_state.restore(found.tensors, found.rest, fitted.model, optimizer, scheduler, scaler)
        fitted.history[:] = found.rest["history"]
        _tell(f"resumed at iteration {found.iteration} of {job.cfg.SOLVER.MAX_ITER}")
        return found.iteration
    if job.weights is not None:
        _tell(f"initial weights: {initial_weights.load(fitted.model, job.weights)}")
    _tell(f"training from the start, {job.cfg.SOLVER.MAX_ITER} iterations")
    return 0


def _newest(job: Job) -> Checkpoint | None:
    """The newest checkpoint that every host has whole. Raises OtherTraining."""
    found = [] if job.checkpoint_dir is None else checkpoints.whole(job.checkpoint_dir, _tell)
    everywhere = comm.all_gather({(one.iteration, one.sha256) for one in found})
    shared = set.intersection(*everywhere)
    found = [one for one in found if (one.iteration, one.sha256) in shared]
    checkpoints.check(found, job.settings, job.arguments.s3_path)
    if found and found[0].iteration > job.cfg.SOLVER.MAX_ITER:
        raise checkpoints.OtherTraining(
            f"the newest checkpoint is after iteration {found[0].iteration}, beyond the "
            f"{job.cfg.SOLVER.MAX_ITER} of this training: raise max_iter, or give another s3_path"
        )
    return found[0] if found else None


def _batches(job: Job, read: Reader, begin: int) -> Any:
    arguments, cfg = job.arguments, job.cfg
    chosen = records(job.training)
    if cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS:
        chosen = [one for one in chosen if any(not box["iscrowd"] for box in one["annotations"])]
    keys = sampling.batches(
        arguments.seed,
        len(chosen),
        arguments.batch_size,
        begin,
        cfg.SOLVER.MAX_ITER,
        comm.get_rank(),
        job.share,
    )
    return batches(Examples(cfg, chosen, read), keys, arguments.workers)


def _tell(text: str) -> None:
    if comm.is_main_process():
        print(text, flush=True)

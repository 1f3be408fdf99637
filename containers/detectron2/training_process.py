"""What each process of a training does, from its channels to the model's files; which and how many there are."""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import configuration
import fitting
import hosts
import hyperparameters
import initial_weights
import stopping
import torch
import training_data
import training_report
from checkpoints import OtherTraining
from configuration import BadConfiguration
from dataset import Dataset
from detectron2.engine import launch
from detectron2.engine.launch import _distributed_worker
from detectron2.utils import comm
from initial_weights import BadWeights
from loading import BadImage
from training_hooks import Stopped
from training_report import STOPPED

from trainyard.in_image.arguments import BadArgument

_LOST = ("gloo", "nccl", "connection", "socket", "peer", "tcpstore", "barrier")


def start(
    arguments: argparse.Namespace, cluster: hosts.Cluster, data: tuple[Dataset, Dataset], failure: Path
) -> int:
    """Run the processes of this host, one per GPU, or one; the answer is the exit code.

    Raises BadArgument, BadConfiguration, BadWeights before any starts.
    """
    gpus = torch.cuda.device_count()
    each = max(gpus, 1)
    processes = each * len(cluster.hosts)
    share = hyperparameters.share(arguments, processes)
    if arguments.amp == "true" and not gpus:
        raise BadArgument(
            "amp=true needs a GPU, which this instance type has not: take another, or amp=false"
        )
    if arguments.workers < 0:
        arguments.workers = min(8, (os.cpu_count() or 1) // gpus) if gpus else 0
    if cluster.interface and Path("/sys/class/net", cluster.interface).exists():
        for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            os.environ.setdefault(variable, cluster.interface)
    print(f"host {cluster.current}, {cluster.rank + 1} of {len(cluster.hosts)}: {each} of {processes} processes, "
          f"{gpus} GPUs", flush=True)  # fmt: skip
    try:
        _launch(each, cluster, timedelta(seconds=arguments.peer_timeout), (arguments, data, share, failure))
    except torch.multiprocessing.ProcessExitedException as error:
        if error.exit_code == STOPPED or (error.exit_code == -signal.SIGTERM and stopping.asked()):
            return STOPPED
        training_report.fail(failure, f"a process of this host ended: {_line(error)}")
        return 1
    except torch.multiprocessing.ProcessRaisedException as error:
        training_report.fail(failure, str(error).strip().splitlines()[-1][:300])
        return 1
    except torch.distributed.DistError as error:
        missed = f"the {len(cluster.hosts)} hosts, led by {cluster.master}, did not all meet"
        training_report.fail(
            failure, f"{missed} within peer_timeout={arguments.peer_timeout} s: {_line(error)}"
        )
        return 1
    return 0


def _launch(each: int, cluster: hosts.Cluster, timeout: timedelta, given: tuple[Any, ...]) -> None:
    """Detectron2's launch; the only process of one host among several is this one, which has imported all already."""
    several = len(cluster.hosts)
    url = cluster.url(os.environ.get("TRAINING_JOB_NAME", "")) if several > 1 else "auto"
    if each == 1 and several > 1:
        _distributed_worker(0, run, several, each, cluster.rank, url, given, timeout)
    else:
        stopping.listen(telling=each > 1)
        launch(run, each, several, cluster.rank, url, given, timeout=timeout)


def run(arguments: argparse.Namespace, data: tuple[Dataset, Dataset], share: int, failure: Path) -> None:
    """One process; ends it with the exit code where that is not 0."""
    stopping.listen()
    code = 0
    try:
        _train(arguments, data, share)
    except Stopped:
        code = STOPPED
    except FloatingPointError as error:
        code = 1
        training_report.fail(
            failure,
            f"{' '.join(str(error).split())[:300]}: a lower learning_rate, more warmup_iterations or a lower "
            f"clip_gradients may help",
        )
    except (BadArgument, BadConfiguration, BadImage, BadWeights, OtherTraining, OSError) as error:
        code = 1
        training_report.fail(failure, str(error))
    except RuntimeError as error:
        code = 1
        training_report.fail(failure, _reason(error, arguments))
    finally:
        if torch.distributed.is_initialized() and code != 1:
            torch.distributed.destroy_process_group()
    if code:
        raise SystemExit(code)


def _train(arguments: argparse.Namespace, data: tuple[Dataset, Dataset], share: int) -> None:
    training, validation = data
    if arguments.deterministic == "true":
        torch.set_num_threads(1)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    iterations = hyperparameters.iterations(arguments, len(training.images))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    found = configuration.read(arguments.model_config, arguments.config)
    cfg = configuration.build(found, arguments, len(training.classes), iterations, device)
    weights = initial_weights.find(arguments.weights, arguments.allow_pickle == "true")
    settings = {
        **hyperparameters.deciding(arguments, len(training.images)),
        "data of channel training": training_data.digest(training),
        "file of channel weights": initial_weights.digest(weights),
        "configuration file": hashlib.sha256(found.dump().encode()).hexdigest(),
        "processes": comm.get_world_size(),
    }
    several = comm.get_world_size() > 1
    model = fitting.model_of(fitting.synchronized(cfg) if several else cfg, arguments.seed)
    fitted, end = fitting.Fitted(model), "failed"
    job = fitting.Job(
        arguments=arguments,
        cfg=cfg,
        training=training,
        validation=validation,
        share=share,
        settings=settings,
        weights=weights,
        checkpoint_dir=arguments.checkpoint_dir if arguments.checkpoint_dir.is_dir() else None,
        stopping=stopping.asked,
    )
    try:
        fitting.fit(job, fitted)
        end = "completed"
    except Stopped:
        end = "stopped by SIGTERM"
        raise
    finally:
        if comm.is_main_process():
            training_report.write(arguments.output_data_dir, settings, fitted.history, end)
    comm.synchronize()
    if comm.is_main_process():
        _export(job, fitted)


def _export(job: fitting.Job, fitted: fitting.Fitted) -> None:
    import detectron2
    import export

    measured = {
        name: f"{value:.4f}"
        for entry in fitted.history
        for name, value in entry.items()
        if name.endswith("_ap")
    }
    provenance = {
        "model_config": job.arguments.model_config,
        "iterations": str(job.cfg.SOLVER.MAX_ITER),
        "learning_rate": str(job.arguments.learning_rate),
        "data": job.settings["data of channel training"],
        "s3_path": job.arguments.s3_path,
        "detectron2": detectron2.__version__,
        "torch": torch.__version__,
        **measured,
    }
    job.arguments.model_dir.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    classes = job.training.classes
    export.export(fitted.model, job.cfg, classes, job.arguments.model_dir, provenance)
    print(f"model written in {time.monotonic() - began:.1f} s", flush=True)


def _reason(error: RuntimeError, arguments: argparse.Namespace) -> str:
    """What a failure of torch means here. Raises it if it means nothing known."""
    line = _line(error)
    if isinstance(error, torch.cuda.OutOfMemoryError) or "can't allocate memory" in str(error):
        return (
            f"memory ran out with batch_size={arguments.batch_size} and image_size={arguments.image_size}: lower "
            f"one of them, set amp=true on a GPU, or take a larger instance ({line})"
        )
    if comm.get_world_size() > 1 and any(word in str(error).lower() for word in _LOST):
        return (
            f"the connection to another process of this training is lost (it ended, its host is gone, or it said "
            f"nothing for peer_timeout={arguments.peer_timeout} s); its own log tells more: {line}"
        )
    raise error


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]

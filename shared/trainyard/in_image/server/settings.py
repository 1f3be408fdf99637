"""What the server reads from its environment: SageMaker's variables where there are any, ours for the rest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

POOLED, MULTI_MODEL_SERVER = "pooled", "multi-model-server"


@dataclass(frozen=True)
class Settings:
    """``workers``: threads of each of the ``processes``. ``max_queue``: requests that may wait for one of them.

    ``max_models``: 0 is no limit but memory. ``timeout`` (seconds for an answer) and ``vmargs`` (options of Java,
    for multi-model-server only) and their variables are those of sagemaker-inference, in which
    SAGEMAKER_MODEL_SERVER_TIMEOUT counts minutes. ``max_batch`` inputs are predicted in one call, where the
    handler has predict_batch_fn, and wait at most ``batch_wait`` milliseconds for each other.
    """

    program: str = "inference.py"
    host: str = "0.0.0.0"
    port: int = 8080
    multi_model: bool = False
    processes: int = 1
    workers: int = 1
    max_queue: int = 100
    max_models: int = 0
    max_body_mb: int = 6
    default_accept: str = "application/json"
    log_level: int = 20
    server: str = POOLED
    timeout: int = 3600
    max_batch: int = 1
    batch_wait: int = 2
    vmargs: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Raises BadSetting, naming the variable."""
        text = environment.get
        server = text("TRAINYARD_SERVER", cls.server)
        if server not in (POOLED, MULTI_MODEL_SERVER):
            raise BadSetting(f"TRAINYARD_SERVER is {server!r}; it must be {POOLED} or {MULTI_MODEL_SERVER}")
        multi_model = text("SAGEMAKER_MULTI_MODEL", "false").lower() == "true"
        # of many models each is small and has processes enough: multi-model-server's workers are some of its own,
        # the pooled server's processes have a thread each; of one model every process would hold a copy
        processes, workers = (available_cpus(), 1) if multi_model else (1, available_cpus())
        minutes = _whole(environment, "SAGEMAKER_MODEL_SERVER_TIMEOUT", cls.timeout // 60, 1, 10_000)
        return cls(
            program=text("SAGEMAKER_PROGRAM", cls.program),
            host=text("SAGEMAKER_BIND_ADDRESS", cls.host),
            port=_whole(environment, "SAGEMAKER_BIND_TO_PORT", cls.port, 0, 65535),
            multi_model=multi_model,
            processes=_whole(environment, "TRAINYARD_PROCESSES", processes, 1, 1024),
            workers=_whole(environment, "SAGEMAKER_MODEL_SERVER_WORKERS", workers, 1, 1024),
            max_queue=_whole(environment, "TRAINYARD_MAX_QUEUE", cls.max_queue, 0, 1_000_000),
            max_models=_whole(environment, "TRAINYARD_MAX_MODELS", cls.max_models, 0, 1_000_000_000),
            max_body_mb=_whole(environment, "SAGEMAKER_MAX_PAYLOAD_IN_MB", cls.max_body_mb, 1, 100),
            default_accept=text("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", cls.default_accept),
            log_level=_whole(environment, "SAGEMAKER_CONTAINER_LOG_LEVEL", cls.log_level, 0, 50),
            server=server,
            timeout=_whole(environment, "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS", minutes * 60, 1, 1_000_000),
            max_batch=_whole(environment, "TRAINYARD_MAX_BATCH", cls.max_batch, 1, 10_000),
            batch_wait=_whole(environment, "TRAINYARD_BATCH_WAIT_MS", cls.batch_wait, 0, 10_000),
            vmargs=text("SAGEMAKER_MODEL_SERVER_VMARGS", cls.vmargs),
        )


class BadSetting(Exception):
    """An environment variable has a value that cannot be used."""


def available_cpus() -> int:
    """The CPUs that this process may use, not those of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _whole(environment: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environment.get(name, str(default))
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise BadSetting(f"{name} is {text!r}; it must be a whole number from {low} to {high}")
    return value

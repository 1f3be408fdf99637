"""The second host of the handler: AWS's multi-model-server, a Java server with Python processes as workers.

It is started here, not by ``sagemaker_inference.model_server``, and watched until it ends or SIGTERM comes;
docs/decisions/011-two-hosts-for-one-handler.md says why. Sources: docs/configuration.md and
docs/management_api.md of awslabs/multi-model-server.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from trainyard.in_image.opt_ml import DEFAULT_BASE, OptMl
from trainyard.in_image.server.listening import free_port, listen, listens
from trainyard.in_image.server.mms_service import FAILURE
from trainyard.in_image.server.mms_worker import HANDLER
from trainyard.in_image.server.settings import BadSetting, Settings

MAX_PORT = 32766
"""The highest port that multi-model-server listens on."""

_GRACE = 20.0  # seconds from SIGTERM to SIGKILL; SageMaker's own SIGKILL comes after 30
_PAUSE = 0.05
_LONGEST = 90  # bytes of a folder's name: sockets in it have names of 107 at most
_RESPONSE_BYTES = 100 * 2**20
_LOGGING = r"""<Configuration status="error">
  <Appenders>
    <Console name="server"><PatternLayout pattern="%d{{ISO8601}} %p %m%n"/></Console>
    <Console name="worker"><PatternLayout pattern="%m%n"/></Console>
  </Appenders>
  <Loggers>
    <Logger name="MMS_METRICS" level="off"/>
    <Logger name="MODEL_METRICS" level="off"/>
    <Logger name="com.amazonaws.ml.mms.wlm.WorkerThread" level="{talk}"/>
    <Logger name="com.amazonaws.ml.mms.wlm.WorkerLifeCycle" level="{talk}" additivity="false">
      <RegexFilter regex="\w+IOStreams\(\) .*" onMatch="DENY" onMismatch="NEUTRAL"/>
      <AppenderRef ref="worker"/>
    </Logger>
    <Root level="{level}"><AppenderRef ref="server"/></Root>
  </Loggers>
</Configuration>
"""

_log = logging.getLogger("trainyard.serve")


def serve(settings: Settings, opt_ml: OptMl) -> int:
    """Run multi-model-server until SIGTERM: 0; or until it ends or has no model: 1, with one line that says so.

    The handler is tried first, in a process of its own: /ping is answered with 200 even while workers fail.
    Raises BadSetting for what multi-model-server cannot do, OSError where it cannot listen.
    """
    java, home = _find()
    port = _port(settings)
    run = Path(tempfile.mkdtemp(prefix="mms-"))
    if len(os.fsencode(run)) > _LONGEST:
        run.rmdir()
        run = Path(tempfile.mkdtemp(prefix="mms-", dir="/tmp"))
    try:
        watch = _Watch(run / "failure")
        tried = watch.run([sys.executable, "-m", "trainyard.in_image.serve", "--check"], os.environ)
        if tried or watch.stopping:
            return 0 if watch.stopping else 1
        _lay_out(run, settings, opt_ml, port)
        command = [java, *_java_options(run, home, settings), "com.amazonaws.ml.mms.ModelServer"]
        command += ["--python", str(run / "bin" / "python"), "-f", str(run / "config.properties")]
        code = watch.run(command, _environment(run, settings), cwd=run, address=(settings.host, port))
    finally:
        shutil.rmtree(run, ignore_errors=True)
    if watch.stopping:
        return 0
    sys.stderr.write(f"serve: {watch.failure or f'multi-model-server has ended with exit code {code}'}\n")
    return 1


class _Watch:
    """Runs one process after the other, each with all that it starts; SIGTERM and SIGINT end them."""

    def __init__(self, failure_file: Path) -> None:
        self.stopping = False
        self.failure = ""
        self._failure_file = failure_file
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        cwd: Path | None = None,
        address: tuple[str, int] | None = None,
    ) -> int:
        """The exit code. ``address`` is where the process is going to listen; the log says when it does."""
        process = subprocess.Popen(command, env=environment, cwd=cwd, start_new_session=True)
        deadline = 0.0
        try:
            while (code := _reap(process.pid)) is None:
                if address and listens(*address):
                    _log.info("serving on http://%s:%d", *address)
                    address = None
                if self._failure_file.exists():
                    self.failure = json.loads(self._failure_file.read_text())
                if (self.stopping or self.failure) and not deadline:
                    os.kill(process.pid, signal.SIGTERM)  # Popen's own would reap, too
                    deadline = time.monotonic() + _GRACE
                elif deadline and time.monotonic() > deadline:
                    os.kill(process.pid, signal.SIGKILL)
                time.sleep(_PAUSE)
        finally:
            _kill_group(process.pid)
        process.returncode = code
        return code

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True


def _reap(process: int) -> int | None:
    """The exit code of ``process``, once it has ended; and an end to orphans, which come to us as process 1."""
    while True:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended == process:
            return os.waitstatus_to_exitcode(status)
        if not ended:
            return None


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _find() -> tuple[str, Path]:
    """Java, and the folder in which multi-model-server is installed; raises BadSetting."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which(f"{home}/bin/java" if home else "java")
    if java is None:
        where = f"in JAVA_HOME={home}" if home else "on PATH"
        raise BadSetting(
            f"multi-model-server needs Java, and there is none {where}; install a JRE, version 8 to 17"
        )
    spec = importlib.util.find_spec("mms")
    if spec is None or not spec.submodule_search_locations:
        raise BadSetting("multi-model-server is not installed; it must be in the family's requirements.txt")
    return java, Path(next(iter(spec.submodule_search_locations))).parent


def _port(settings: Settings) -> int:
    """A port that can be listened on: that of the settings, or a free one for 0."""
    if settings.port > MAX_PORT:
        raise BadSetting(
            f"SAGEMAKER_BIND_TO_PORT is {settings.port}; multi-model-server takes ports up to {MAX_PORT}"
        )
    if settings.max_models:
        raise BadSetting(
            "TRAINYARD_MAX_MODELS is for the pooled server; multi-model-server has no such limit"
        )
    port = settings.port or free_port(MAX_PORT)
    listen(settings.host, port).close()
    return port


def _lay_out(run: Path, settings: Settings, opt_ml: OptMl, port: int) -> None:
    """Write what multi-model-server reads: its configuration, and a folder beyond which it finds no models."""
    address = f"http://{settings.host}:{port}"
    properties = {
        "inference_address": address,
        # one port for both is SageMaker's contract for many models; one model needs no managing
        "management_address": address if settings.multi_model else f"http://127.0.0.1:{free_port(MAX_PORT)}",
        "model_store": run / "store",
        "default_service_handler": HANDLER,
        "default_workers_per_model": settings.workers,
        "default_response_timeout_seconds": settings.timeout,
        "job_queue_size": max(settings.max_queue, 1),
        "max_request_size": settings.max_body_mb * 2**20,
        "max_response_size": _RESPONSE_BYTES,
        "decode_input_request": "false",
        "metric_time_interval": 2**31 - 1,
    }
    if settings.multi_model:
        models = run / "store" / DEFAULT_BASE.lstrip("/") / "models"
        models.parent.mkdir(parents=True)
        models.symlink_to(opt_ml.models.resolve())
    else:
        (run / "store" / "model").mkdir(parents=True)  # empty: a worker knows where the model is
        properties["load_models"] = "model=model"
    (run / "bin").mkdir()
    for name in ("python", "python2", "python3"):  # an archive or a request may name any of them
        (run / "bin" / name).symlink_to(Path(__file__).with_name("mms-python"))
    lines = [f"{name}={value}\n" for name, value in properties.items()]
    (run / "config.properties").write_text("".join(lines))
    level = {0: "debug", 10: "debug", 20: "info", 30: "warn"}.get(settings.log_level // 10 * 10, "error")
    talk = "info" if settings.log_level <= logging.DEBUG else "warn"  # warn: what workers write themselves
    (run / "log4j2.xml").write_text(_LOGGING.format(level=level, talk=talk))


def _java_options(run: Path, home: Path, settings: Settings) -> list[str]:
    """Options of ours, then those of SAGEMAKER_MODEL_SERVER_VMARGS, which win."""
    megabytes = 128 + 16 * settings.max_body_mb  # several copies of several bodies
    return [
        f"-Xmx{megabytes}m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError",
        f"-Djava.io.tmpdir={run}", f"-Dmodel_server_home={home}", f"-Dlog4j.configurationFile={run / 'log4j2.xml'}",
        # a model's url may not be one of the network: a proxy that nobody is
        *(f"-D{scheme}.{key}" for scheme in ("http", "https") for key in ("proxyHost=127.0.0.1", "proxyPort=1")),
        "-Dhttp.nonProxyHosts=",
        *settings.vmargs.split(),
        "-cp", str(home / "mms" / "frontend" / "model-server.jar"),
    ]  # fmt: skip


def _environment(run: Path, settings: Settings) -> dict[str, str]:
    """Ours, but for variables that would configure multi-model-server, and what its workers find again."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MMS_") and name != "MODEL_SERVER_HOME"
    }
    return {
        **kept,
        "PATH": str(run / "bin"),
        "TRAINYARD_MMS_PATH": os.environ.get("PATH", os.defpath),
        "TRAINYARD_MMS_PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "TRAINYARD_MMS_PYTHON": sys.executable,
        "TRAINYARD_MMS_CWD": str(Path.cwd()),
        # of many models, one that cannot be loaded is not the end
        FAILURE: "" if settings.multi_model else str(run / "failure"),
    }

"""Run a line of Python as a job: of the plain environment, or of a small image."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trainyard.execution.images import Images
from trainyard.execution.launchers.containers import STORE
from trainyard.execution.launchers.docker import DockerLauncher
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.request import Channel, Checkpoint, JobRequest, StopSignal
from trainyard.execution.s3 import parse_uri
from trainyard.execution.staging import stage
from trainyard.execution.targets import Target
from trainyard.images.engine import Engine

PROGRAMS = {
    "usr/local/bin/train": "#!/bin/sh\necho training $* in $(pwd)\n",
    "usr/local/bin/hello": "#!/bin/sh\necho hello $*\n",
    "usr/local/bin/serve": """#!/usr/bin/env python3
import http.server, os, signal, sys
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())
if os.environ.get("BROKEN"):
    sys.exit("no model here")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(open("/opt/ml/model/name").read().encode())
http.server.HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
""",
    "opt/ml/code/own": "the image's own code",
}


@pytest.fixture
def launch(request: pytest.FixtureRequest, store, plain_venv: Path, environments, tmp_path: Path):
    def run(code: str, *, isolate: bool = True, stop: StopSignal | None = None, **more):
        if isolate:
            request.getfixturevalue("namespaces")
        job = job_request(Target("venv", str(plain_venv)), ("python3", "-c", code), **more)
        return run_job(VenvLauncher(environments, {}, isolate=isolate), store, job, tmp_path, stop)

    return run


@pytest.fixture
def launch_in_docker(store, tiny_image: str, images: Images, tmp_path: Path):
    def run(code: str, *, stop: StopSignal | None = None, command: tuple[str, ...] | None = None, **more):
        job = job_request(
            Target("docker", tiny_image), ("python3", "-c", code) if command is None else command, **more
        )
        return run_job(DockerLauncher(images, store.home), store, job, tmp_path, stop)

    return run


@pytest.fixture(params=["launch", "launch_in_docker"])
def launch_anywhere(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param)


def job_request(target: Target, command: tuple[str, ...], **more: Any) -> JobRequest:
    fields = {"name": "job", "kind": "Training", "environment": {"MINE": "1", "PLACE": "/opt/ml/model"}}
    return JobRequest(
        image="i", target=target, command=command,
        channels=(Channel(name="data", container_path="/opt/ml/input/data/data", uri="s3://b/d/"),),
        checkpoint=Checkpoint(container_path="/opt/ml/checkpoints", uri="s3://b/ck"),
        **{**fields, **more},
    )  # fmt: skip


def run_job(launcher, store, job: JobRequest, folder: Path, stop: StopSignal | None = None):
    store.objects.put_bytes(b"original", parse_uri("s3://b/d/file"))
    hosts = stage(store.objects, job, folder / job.name)
    ended = launcher(job, hosts, stop or StopSignal(), lambda: None)
    return ended, [host.log.read_text() for host in hosts], hosts


@pytest.fixture(scope="session")
def images(engine: Engine, root: Path) -> Images:
    return Images(root)


@pytest.fixture(scope="session")
def tiny_image(engine: Engine, base_image: str) -> Iterator[str]:
    """Python, and programs called train, serve and hello."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in PROGRAMS.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o755
            tar.addfile(entry, io.BytesIO(text.encode()))
    container = engine.run("create", base_image, "true").strip()
    engine.run("cp", "-", f"{container}:/", stdin=archive.getvalue())
    changes = ['ENTRYPOINT ["/usr/bin/env"]', 'CMD ["hello", "by", "default"]', "WORKDIR /opt/ml/code"]
    given = [part for change in changes for part in ("--change", change)]
    image = engine.run("commit", *given, container).strip()
    engine.run("rm", container)
    yield image
    engine.run("rmi", "--force", image)


@pytest.fixture
def left_behind(engine: Engine) -> Callable[[Path], list[str]]:
    """The containers and networks on the engine that were made for a store."""

    def found(home: Path) -> list[str]:
        label = ("--quiet", "--filter", f"label={STORE}={home}")
        return (engine.run("ps", "--all", *label) + engine.run("network", "ls", *label)).split()

    return found

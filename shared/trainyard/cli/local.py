"""What commands that run things share: the store, the families, an executor, and their arguments."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from trainyard.errors import UserError
from trainyard.execution.events import Note, Watcher
from trainyard.execution.store import Store
from trainyard.execution.targets import Targets, parse_mapping
from trainyard.families import Family, find_families, repository_root

if TYPE_CHECKING:
    from trainyard.execution.machine import Machine


class Local:
    """One command's view of this machine."""

    def __init__(self, watch: Watcher, mappings: Sequence[str] = (), launcher: str | None = None) -> None:
        # here, or `run --help` would wait for them
        from trainyard.execution.environments import Environments
        from trainyard.execution.executor import Executor
        from trainyard.execution.images import Images
        from trainyard.execution.launchers.by_target import ByTarget
        from trainyard.execution.launchers.docker import DockerLauncher
        from trainyard.execution.launchers.venv import VenvLauncher
        from trainyard.local_aws.record import Record

        self.root = repository_root()
        self.families = find_families(self.root)
        self.store = Store()

        def say(text: str) -> None:
            watch(Note(step="", text=text))

        self.environments = Environments(self.store.home / "venvs", say)
        mapped = dict(parse_mapping(text, self.families) for text in mappings)
        images = Images(self.root, say)
        self.targets = Targets(mapped, self.families, self.root, images, as_images=launcher == "docker")
        in_venvs = VenvLauncher(self.environments, self.families)
        self._in_images = DockerLauncher(images, self.store.home)
        self.launcher = ByTarget({"family": in_venvs, "venv": in_venvs, "docker": self._in_images})
        running = Record(self.store.home).read()  # whose jobs may ask it, those of this command as well
        endpoint_url = running.url if running else ""
        self.executor = Executor(self.store, self.launcher, self.targets, watch, endpoint_url=endpoint_url)

    def sweep(self) -> None:
        """Remove the containers of jobs whose process died, where there is an engine."""
        with suppress(UserError):
            self._in_images.sweep()

    def machine(self, endpoint_url: str) -> Machine:
        """A machine of its own whose jobs find the local AWS endpoint at that address."""
        from trainyard.execution.machine import Machine

        targets = Targets(
            self.targets.mapped,
            self.families,
            self.root,
            self.targets.images,
            as_images=self.targets.as_images,
        )
        return Machine(store=self.store, launcher=self.launcher, targets=targets, endpoint_url=endpoint_url)

    def definition(self, family: Family, watch: Watcher) -> dict[str, Any]:
        from pipelines import compile as compiler

        note = Note(step="", text="compiling the pipeline with the SageMaker SDK (once)")
        patience = threading.Timer(0.5, watch, [note])
        patience.start()
        try:
            return compiler.cached_definition(family, self.store.home / "compiled")
        finally:
            patience.cancel()
            watch(Note(step="", text=""))


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="PATH", help="raw data: a file, a folder or an s3:// URI")
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a pipeline parameter; may be repeated; @FILE for those of a JSON file",
    )
    parser.add_argument(
        "--map",
        metavar="IMAGE=TARGET",
        action="append",
        default=[],
        help="what stands for an image: a family, venv:PATH or docker:IMAGE; may be repeated",
    )
    add_with_argument(parser)
    parser.add_argument("--json", action="store_true", help="print JSON at the end, and progress to stderr")


def add_with_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--with",
        choices=("venv", "docker"),
        help="what families run in: virtual environments (default), or their images in Docker",
    )

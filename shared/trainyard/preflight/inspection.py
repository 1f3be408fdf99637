"""Preflight: an image looked at without running anything of it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from trainyard.families import Family
from trainyard.images.engine import Engine, LocalImage
from trainyard.preflight import archive, configuration, programs, secrets
from trainyard.preflight.checks import Check, Result, perform
from trainyard.preflight.subject import Still, read_still

LAYERS = "reading all layers"
CONFIGURATION: tuple[Check[Still], ...] = (
    Check(name="entry point", run=configuration.entry_point),
    Check(name="labels", run=configuration.labels),
    Check(name="port, user, volumes", run=configuration.settings),
    Check(name="architecture, size", run=configuration.machine),
    Check(name="secrets in ENV and history", run=secrets.configuration),
)
FILES: tuple[Check[Still], ...] = (
    Check(name="train", run=programs.train),
    Check(name="serve", run=programs.serve),
    Check(name="entry scripts", run=programs.entry_scripts),
    Check(name="forbidden files", run=secrets.files),
    Check(name="files that mounts hide, pickles", run=secrets.hidden),
)


def inspect(engine: Engine, family: Family, image: LocalImage, *, layers: bool = True) -> Iterator[Result]:
    """Each check's result. Without ``layers`` only what the engine has on record, which takes no time.

    Raises DockerError.
    """
    yield from perform(CONFIGURATION, read_still(engine, family, image))
    if layers:
        began = time.monotonic()
        content = archive.save(engine, image.id, _is_needed)
        yield Result(name=LAYERS, seconds=time.monotonic() - began)
        yield from perform(FILES, read_still(engine, family, image, content))


def _is_needed(path: str, head: bytes) -> bool:
    return programs.is_script(head) or secrets.is_suspect(path, head)

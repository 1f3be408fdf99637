"""All that is tried of an image in containers, and the short form of it for after every change."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainyard.errors import UserError
from trainyard.execution.launchers.containers import owning
from trainyard.execution.store import Store
from trainyard.families import Family
from trainyard.images.engine import Engine, LocalImage
from trainyard.images.names import local_image
from trainyard.images.recipe import Recipe
from trainyard.preflight import example, serving, training
from trainyard.preflight.bench import Bench
from trainyard.preflight.checks import Check, Finding, Result, perform

_MARK = ("of this image", "check")  # held in a store while an image is tried in it
_STARTABLE = ("entry point", "architecture, size", "train", "entry scripts")  # of the preflight


@dataclass(frozen=True, kw_only=True)
class Tried:
    """An image and the family whose contract it must keep; ``definition`` is the family's pipeline."""

    engine: Engine
    image: LocalImage
    family: Family
    root: Path
    definition: Mapping[str, Any]


def contract(family: Family) -> tuple[Check[Bench], ...]:
    """Every check, in an order in which each finds what it needs."""
    return (
        Check(name=example.PREPARE, run=_prepared, needs=_STARTABLE),
        *training.TRAINING,
        *serving.checks(family),
    )


def smoke(family: Family) -> tuple[Check[Bench], ...]:
    """The example trains, and one request is answered."""
    needed = (training.EXAMPLE, serving.START, serving.ANSWER)
    known = Check[Bench](name=example.PREPARE, run=_prepared_once, needs=_STARTABLE)
    return (known, *(check for check in contract(family) if check.name in needed))


def examine(bench: Bench, checks: Sequence[Check[Bench]], done: Sequence[Result] = ()) -> Iterator[Result]:
    """Make the checks; nothing is left running, however this ends."""
    try:
        yield from perform(checks, bench, done)
    finally:
        bench.close()


@contextmanager
def full_bench(tried: Tried, home: Path) -> Iterator[Bench]:
    """A bench with an empty store below ``home``, which is removed at the end."""
    folder = home / "checks" / secrets.token_hex(6)
    for older in folder.parent.glob("?" * len(folder.name)):  # of checks that were killed
        _discard(older, tried.engine)
    store = Store(folder)
    try:
        with store.living(*_MARK):
            yield _bench(tried, store)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def smoke_bench(tried: Tried, home: Path) -> Iterator[Bench]:
    """A bench whose store stays, so that the steps before training need not run again.

    It is another one whenever they could have other results: for a family's own image, when any of its
    files changes but the training script, else with every image. Older ones of the family are removed.
    """
    name, key = tried.family.name, _key(tried)
    folder = home / "checks" / f"{name}-{key}"
    for older in folder.parent.glob(f"{name}-{'?' * len(key)}"):
        if older != folder:
            _discard(older, tried.engine)
    store = Store(folder)
    with store.living(*_MARK):
        yield _bench(tried, store)
    for job in (folder / "jobs").iterdir():
        shutil.rmtree(job, ignore_errors=True)


def _discard(folder: Path, engine: Engine) -> None:
    """Remove a store, and what it has left on the engine, unless a check is working in it."""
    with suppress(UserError), Store(folder).living(*_MARK), owning(engine, folder, folder):
        shutil.rmtree(folder, ignore_errors=True)


def _bench(tried: Tried, store: Store) -> Bench:
    parameters = {key: str(value) for key, value in tried.family.example.parameters.items()}
    return Bench(
        engine=tried.engine,
        image=tried.image,
        family=tried.family,
        root=tried.root,
        store=store,
        definition=tried.definition,
        parameters=parameters,
    )


def _key(tried: Tried) -> str:
    recipe = Recipe.of(tried.family, tried.root)
    script = f"containers/{tried.family.name}/train.py"
    made_from: Any = tried.image.id
    if tried.image.reference in (recipe.reference, local_image(tried.family)):
        made_from = [recipe.base, {path: digest for path, digest in recipe.files.items() if path != script}]
    return hashlib.sha256(json.dumps([tried.definition, made_from], sort_keys=True).encode()).hexdigest()[:12]


def _prepared(bench: Bench) -> Iterator[Finding]:
    example.prepare(bench)
    yield from ()


def _prepared_once(bench: Bench) -> Iterator[Finding]:
    example.prepare(bench, again=False)
    yield from ()

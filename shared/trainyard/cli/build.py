"""``trainyard build``: the families' images, built where they are missing, tagged by what they are made of."""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

from trainyard.errors import SourceUnavailable, StoreError
from trainyard.execution.store import default_home
from trainyard.families import find_families, find_family, repository_root
from trainyard.images.build import BuildOptions, build, revision
from trainyard.images.engine import Engine, LocalImage, find_engine
from trainyard.images.names import image_name
from trainyard.images.plan import InEngine, InRegistry, Planned, plan
from trainyard.images.recipe import BASE_VARIABLE, Recipe
from trainyard.images.remote import ImageRegistry, push


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("families", metavar="FAMILY", nargs="*", help="default: all families")
    parser.add_argument(
        "--changed",
        action="store_true",
        help="only images that are missing: in the registry of --push, otherwise on this machine",
    )
    parser.add_argument(
        "--plan", action="store_true", help="say what would be built and why, and build nothing"
    )
    parser.add_argument(
        "--push", metavar="REGISTRY", help="push to HOST[:PORT][/PREFIX], logged in with docker login"
    )
    parser.add_argument(
        "--cache", metavar="WHERE", default="", help="keep layers in a registry, or in a folder (./DIR)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON at the end, and progress to stderr")
    parser.epilog = (
        "The tag is the digest of the family's folder, of trainyard.in_image, of the base image and of the lock. "
        f"{BASE_VARIABLE} takes the place of the base image; PIP_CERT and PIP_INDEX_URL reach the build as secrets."
    )


def run(args: argparse.Namespace) -> int:
    root = repository_root()
    families = [find_family(root, name) for name in dict.fromkeys(args.families)] or find_families(
        root
    ).values()
    recipes = [Recipe.of(family, root) for family in families]
    # an empty name is no registry: it is a variable that was not set
    registry = None if args.push is None else ImageRegistry(args.push)
    destination = InRegistry(registry) if registry else InEngine(find_engine())
    work = _Work(root, registry, args.cache, sys.stderr if args.json else sys.stdout)
    results, unavailable = [], []
    for planned in plan(recipes, destination):
        skip = args.plan or (args.changed and planned.status == "present")
        try:
            results.append(work.describe(planned) if skip else work.build(planned))
        except (
            SourceUnavailable
        ) as error:  # which says something of this machine, and nothing of other families
            unavailable.append(error)
    if unavailable:
        raise unavailable[0]
    if args.json:
        print(json.dumps(results, indent=2))
    return 0


class _Work:
    def __init__(self, root: Path, registry: ImageRegistry | None, cache: str, to: TextIO) -> None:
        self._root = root
        self._registry = registry
        self._cache = cache
        self._to = to

    @cached_property
    def _engine(self) -> Engine:
        return find_engine(building=True)  # only when there is something to build

    def describe(self, planned: Planned) -> dict[str, Any]:
        what = "nothing to build" if planned.status == "present" else f"{planned.recipe.tag} is to be built"
        self._say(planned, f"{what}: {planned.why}")
        return self._result(planned)

    def build(self, planned: Planned) -> dict[str, Any]:
        """Build and, if asked, push one image."""
        recipe, started = planned.recipe, time.monotonic()
        log = default_home() / "builds" / f"{recipe.family.name}.log"
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{log.parent} cannot be made: {error.strerror}; set TRAINYARD_HOME to a folder of yours"
            ) from error
        self._say(planned, f"building {recipe.reference}: {planned.why}")
        image = build(recipe, self._root, self._engine, BuildOptions(revision(self._root), self._cache), log)
        seconds = round(time.monotonic() - started, 1)
        self._say(planned, f"built in {seconds} s, {image.size / 1e6:.0f} MB")
        result = {**self._result(planned), "seconds": seconds, "size": image.size, "id": image.id}
        return {**result, **self._push(planned, image)}

    def _push(self, planned: Planned, image: LocalImage) -> dict[str, Any]:
        if self._registry is None:
            return {}
        recipe = planned.recipe
        pushed = push(self._engine, image.reference, self._registry, image_name(recipe.family), recipe.tag)
        self._say(planned, f"pushed {pushed.image}")
        return {"image": pushed.image, "digest": pushed.digest, "media_type": pushed.media_type}

    def _result(self, planned: Planned) -> dict[str, Any]:
        recipe = planned.recipe
        return {
            "family": recipe.family.name,
            "reference": recipe.reference,
            "tag": recipe.tag,
            "source_digest": recipe.digest,
            "base": recipe.base,
            "status": planned.status,
            "why": planned.why,
        }

    def _say(self, planned: Planned, text: str) -> None:
        print(f"{planned.recipe.family.name}: {text}", file=self._to, flush=True)

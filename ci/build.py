"""One build of images: its families, what started it, and what its commands leave for each other in ``.build/``.

The commands of ci.release are processes of their own. What one found out lies in a file that the next reads:

    plan.json       what is to be built and why       by plan
    checked.json    family -> id of the image         by test, once its checks have passed
    scanned.json    family -> digest in the registry  by scan, once the gate has let it pass
    images.json     the images by digest              by publish
    sbom/, reports/, logs/, variables
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ci import ecr
from trainyard.errors import UsageError
from trainyard.families import Family, find_families, find_family
from trainyard.images.engine import LocalImage, find_engine
from trainyard.images.names import image_name
from trainyard.images.plan import Planned
from trainyard.images.recipe import Recipe
from trainyard.images.remote import ImageRegistry

FOLDER = ".build"
FAMILIES_VARIABLE = "TRAINYARD_FAMILIES"


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What plan decided for one family."""

    family: str
    tag: str
    status: str
    why: str


class Build:
    """The build of the repository at ``root``; the environment is CodeBuild's, or a person's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / FOLDER

    @cached_property
    def recipes(self) -> dict[str, Recipe]:
        """Of the families named in ``$TRAINYARD_FAMILIES``, or of all."""
        return {family.name: Recipe.of(family, self.root) for family in chosen_families(self.root)}

    @cached_property
    def address(self) -> str:
        return ecr.address()

    @cached_property
    def registry(self) -> ImageRegistry:
        return ImageRegistry(self.address)

    @property
    def hindrance(self) -> str:
        """Why this build must leave the registry as it is; empty where nothing hinders it.

        CodeBuild runs post_build after a failed build, too. Source: AWS CodeBuild User Guide, "Environment
        variables in build environments".
        """
        if os.environ.get("CODEBUILD_BUILD_SUCCEEDING", "1") != "1":
            return "the build has failed"
        if is_pull_request(os.environ):
            return "this is the build of a pull request"
        return ""

    def clear(self) -> None:
        """Forget an earlier build in this folder: machines are used again. Raises UsageError where that fails."""
        try:
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self.folder.mkdir()
        except OSError as error:
            raise UsageError(
                f"{error.filename} is in the way and cannot be removed: {error.strerror}"
            ) from error

    def save_plan(self, planned: list[Planned]) -> None:
        intents = [
            Intent(family=one.recipe.family.name, tag=one.recipe.tag, status=one.status, why=one.why)
            for one in planned
        ]
        self.write("plan.json", [asdict(intent) for intent in intents])

    def planned(self) -> dict[str, Recipe]:
        """All families of the plan. Raises UsageError where there is none, or where files changed since."""
        recipes = {}
        for intent in self._intents():
            recipe = self.recipes.get(intent.family)
            if recipe is None or recipe.tag != intent.tag:
                raise UsageError(
                    f"{intent.family}: the plan says {intent.tag}, but the files are "
                    f"{recipe.tag if recipe else 'not part of this build'} now: "
                    "run python -m ci.release plan again"
                )
            recipes[intent.family] = recipe
        return recipes

    def missing(self) -> dict[str, Recipe]:
        """The families of the plan whose images are to be built."""
        missing = {intent.family for intent in self._intents() if intent.status == "missing"}
        return {name: recipe for name, recipe in self.planned().items() if name in missing}

    def write(self, name: str, document: Any) -> None:
        file, temporary = self.folder / name, self.folder / f".{name}.new"
        temporary.write_text(json.dumps(document, indent=2) + "\n")
        temporary.replace(file)

    def noted(self, name: str) -> dict[str, str]:
        """What checked.json or scanned.json says; nothing where there is no such file."""
        file = self.folder / name
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def note(self, name: str, family: str, value: str) -> None:
        """Enter a family's value; an empty one takes the entry out."""
        noted = {key: old for key, old in self.noted(name).items() if key != family}
        self.write(name, {**noted, **({family: value} if value else {})})

    def sbom(self, family: str) -> Path:
        return self.folder / "sbom" / f"{family}.cdx.json"

    def _intents(self) -> list[Intent]:
        try:
            return [Intent(**one) for one in json.loads((self.folder / "plan.json").read_text())]
        except FileNotFoundError as error:
            raise UsageError(
                f"there is no {FOLDER}/plan.json: run python -m ci.release plan first"
            ) from error


def chosen_families(root: Path) -> list[Family]:
    """Those that ``$TRAINYARD_FAMILIES`` names, or all."""
    names = os.environ.get(FAMILIES_VARIABLE, "").replace(",", " ").split()
    return [find_family(root, name) for name in dict.fromkeys(names)] or list(find_families(root).values())


def is_pull_request(environment: Mapping[str, str]) -> bool:
    """Whether it was started for a pull request, by a webhook or by hand.

    Source: AWS CodeBuild User Guide, "Source version sample".
    """
    sources = (environment.get(f"CODEBUILD_{name}", "") for name in ("WEBHOOK_TRIGGER", "SOURCE_VERSION"))
    event = environment.get("CODEBUILD_WEBHOOK_EVENT", "")
    return event.startswith("PULL_REQUEST_") or any(
        source.startswith(("pr/", "refs/pull/")) for source in sources
    )


def to_build(build: Build) -> dict[str, Recipe]:
    """The images to build; says of each other one why there is nothing to do."""
    missing = build.missing()
    for name, recipe in build.planned().items():
        if name not in missing:
            say(f"{name}: {recipe.tag} is in the registry already, nothing to do")
    return missing


def local(recipe: Recipe) -> LocalImage:
    """The image on this machine; raises UsageError where there is none."""
    image = find_engine().image(recipe.reference)
    if image is None:
        raise UsageError(f"there is no {recipe.reference} here: run python -m ci.release build first")
    return image


def say(text: str) -> None:
    print(text, flush=True)


def repositories(recipes: Mapping[str, Recipe]) -> list[str]:
    return [image_name(recipe.family) for recipe in recipes.values()]

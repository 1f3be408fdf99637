"""Which images are missing at their destination, and how their files differ from the nearest one that is there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from trainyard.images.engine import Engine
from trainyard.images.names import image_name
from trainyard.images.recipe import BASE_DIGEST, BASE_NAME, FILES, Recipe, short
from trainyard.images.remote import ImageRegistry

_MOST_COMPARED = 20
_MOST_NAMED = 20


class Destination(Protocol):
    """A place that keeps images by tag: a registry, or the engine of this machine."""

    def has(self, recipe: Recipe) -> bool: ...

    # the labels of up to ``most`` other images of the family, by tag
    def others(self, recipe: Recipe, most: int) -> Mapping[str, Mapping[str, str]]: ...


@dataclass(frozen=True, kw_only=True)
class Planned:
    """``why`` is one line for people; ``status`` says whether the image has to be built."""

    recipe: Recipe
    status: Literal["present", "missing"]
    why: str


class InEngine:
    """Implements Destination."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def has(self, recipe: Recipe) -> bool:
        return self._engine.image(recipe.reference) is not None

    def others(self, recipe: Recipe, most: int) -> dict[str, Mapping[str, str]]:
        listed = self._engine.run("image", "ls", "--format", "{{.Tag}}", image_name(recipe.family)).split()
        images = {
            tag: self._engine.image(f"{image_name(recipe.family)}:{tag}") for tag in _others(listed)[:most]
        }
        return {tag: image.labels for tag, image in images.items() if image}


class InRegistry:
    """Implements Destination."""

    def __init__(self, registry: ImageRegistry) -> None:
        self._registry = registry

    def has(self, recipe: Recipe) -> bool:
        return self._registry.find(image_name(recipe.family), recipe.tag) is not None

    def others(self, recipe: Recipe, most: int) -> dict[str, Mapping[str, str]]:
        name = image_name(recipe.family)
        return {tag: self._registry.labels(name, tag) for tag in _others(self._registry.tags(name))[:most]}


def plan(recipes: Iterable[Recipe], destination: Destination) -> list[Planned]:
    """What to do for each image; raises what the destination raises."""
    planned = []
    for recipe in recipes:
        if destination.has(recipe):
            planned.append(Planned(recipe=recipe, status="present", why=f"{recipe.tag} is there already"))
        else:
            why = explain(recipe, destination.others(recipe, _MOST_COMPARED))
            planned.append(Planned(recipe=recipe, status="missing", why=why))
    return planned


def explain(recipe: Recipe, others: Mapping[str, Mapping[str, str]]) -> str:
    """How the image differs from the most similar of ``others`` (labels by tag)."""
    known = {tag: _files(labels) for tag, labels in others.items()}
    differences = {tag: _differences(recipe, others[tag], files) for tag, files in known.items() if files}
    if not differences:
        return "there is no image of this family yet"
    tag = min(differences, key=lambda tag: (len(differences[tag]), tag))
    changes = differences[tag] or ["nothing but the manifest's labels"]
    more = f" and {len(changes) - _MOST_NAMED} more" if len(changes) > _MOST_NAMED else ""
    return f"differs from {tag}: {', '.join(changes[:_MOST_NAMED])}{more}"


def _files(labels: Mapping[str, str]) -> dict[str, str]:
    """What the label says of the files; nothing where it is missing, or was written by somebody else."""
    try:
        found = json.loads(labels.get(FILES, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _differences(recipe: Recipe, labels: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    after = short(recipe.files)
    words = []
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            word = "changed" if path in before and path in after else "added" if path in after else "removed"
            words.append(f"{word} {path if path.isprintable() else ascii(path)}")
    if f"{labels.get(BASE_NAME)}@{labels.get(BASE_DIGEST)}" != recipe.base:
        words.append(f"base image {recipe.base}")
    return words


def _others(tags: Iterable[str]) -> list[str]:
    return [tag for tag in tags if tag.startswith("src-")]

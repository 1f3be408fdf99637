"""What is looked at without running it: the image's configuration, its history and its layers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from trainyard.families import Family
from trainyard.images.engine import Engine, LocalImage
from trainyard.preflight.archive import Layer
from trainyard.preflight.tree import Tree, search_path


@dataclass(frozen=True)
class Still:
    """``history`` is what made each layer or setting, oldest first; ``layers`` are the lowest first."""

    family: Family
    image: LocalImage
    history: Sequence[str]
    volumes: Sequence[str]
    layers: Sequence[Layer]

    @cached_property
    def tree(self) -> Tree:
        return Tree(self.layers)

    @property
    def search_path(self) -> str:
        return search_path(self.image.environment)

    @property
    def environment(self) -> Mapping[str, str]:
        return self.image.environment


def read_still(engine: Engine, family: Family, image: LocalImage, layers: Sequence[Layer] = ()) -> Still:
    """All but the layers comes from the engine's records, at once. Raises DockerError."""
    lines = engine.run("history", "--no-trunc", "--format", "{{json .CreatedBy}}", image.id).splitlines()
    volumes = json.loads(engine.run("image", "inspect", "--format", "{{json .Config.Volumes}}", image.id))
    return Still(
        family=family,
        image=image,
        history=[str(json.loads(line)) for line in reversed(lines)],
        volumes=sorted(volumes or {}),
        layers=layers,
    )

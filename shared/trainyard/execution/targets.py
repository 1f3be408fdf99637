"""What stands for an image on this machine: a family, a virtual environment, or with Docker an image."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainyard.errors import Unsupported, UsageError
from trainyard.execution.images import Images
from trainyard.families import Family
from trainyard.images.recipe import Recipe

_REFERENCE = re.compile(r"[A-Za-z0-9][\w./:@-]*")
_LOCAL_NAME = re.compile(r"(?:^|/)trainyard/([a-z][a-z0-9-]*)(?:[:@].*)?$")


@dataclass(frozen=True)
class Target:
    """``name`` is a family's name, a virtual environment's folder or an image's reference."""

    kind: Literal["family", "venv", "docker"]
    name: str

    def __str__(self) -> str:
        return self.name if self.kind == "family" else f"{self.kind}:{self.name}"


def parse_mapping(text: str, families: Mapping[str, Family]) -> tuple[str, Target]:
    """Read ``IMAGE_URI=TARGET`` of ``--map``; raises UsageError."""
    image, separator, target = text.partition("=")
    if not separator or not image or not target:
        raise UsageError(
            f"--map {text!r}: write IMAGE_URI=TARGET, where TARGET is a family, venv:PATH or docker:IMAGE"
        )
    return image, parse_target(target, families)


def parse_target(text: str, families: Mapping[str, Family]) -> Target:
    if text.startswith("docker:"):
        reference = text[len("docker:") :]
        if not _REFERENCE.fullmatch(reference):
            raise UsageError(
                f"target {text!r}: {reference!r} is no image; write docker:NAME:TAG or docker:NAME@DIGEST"
            )
        return Target("docker", reference)
    if text.startswith("venv:"):
        folder = Path(text[len("venv:") :]).expanduser().absolute()
        if not (folder / "bin" / "python").exists():
            raise UsageError(f"target {text!r}: {folder} is not a virtual environment (no bin/python in it)")
        return Target("venv", str(folder))
    if text not in families:
        raise UsageError(
            f"target {text!r}: no such family; there are {', '.join(families) or 'none'}; or write venv:PATH or "
            "docker:IMAGE"
        )
    return Target("family", text)


class Targets:
    """Finds the target of every image URI that a definition names.

    With ``as_images``, a family runs in the image that its files make, and any other image is run itself, as is
    one that is named by its digest.
    """

    def __init__(
        self,
        mapped: Mapping[str, Target],
        families: Mapping[str, Family],
        root: Path,
        images: Images | None = None,
        *,
        as_images: bool = False,
    ) -> None:
        self.mapped = dict(mapped)
        self.families = families
        self.images = images or Images(root)
        self.as_images = as_images
        self._root = root

    def of(self, image: str, where: str) -> Target:
        """The target of an image URI; raises Unsupported, naming the place that asks for it."""
        target = self._named(image, where)
        if self.as_images and target.kind == "family":
            return Target("docker", self.images.reference(self.families[target.name]))
        return target

    def _named(self, image: str, where: str) -> Target:
        if image in self.mapped:
            return self.mapped[image]
        local = _LOCAL_NAME.search(image)
        is_exact = self.as_images and "@" in image
        if local and local.group(1) in self.families and not is_exact:
            return Target("family", local.group(1))
        if self.as_images and _REFERENCE.fullmatch(image):
            return Target("docker", image)
        raise Unsupported(
            f"{where}: nothing here stands for the image {image!r}; say what does with --map {image}=TARGET, given "
            "to `trainyard run` or, for what is asked of the local endpoint, to `trainyard local up`; "
            f"TARGET is one of {', '.join(self.families) or 'no families'}, venv:PATH or docker:IMAGE"
        )

    def prepare(self, targets: Iterable[Target]) -> None:
        """Have the images that these targets are; raises DockerError or ImageError for one that cannot be had."""
        for name in sorted({target.name for target in targets if target.kind == "docker"}):
            self.images.ensure(name)

    def digest(self, target: Target) -> str:
        """Changes whenever what the target runs changes: a family's files, an environment's packages, an image."""
        if target.kind == "docker":
            return self.images.ensure(target.name).id.removeprefix("sha256:")
        if target.kind == "family":
            return Recipe.of(self.families[target.name], self._root).digest
        folder = Path(target.name)
        packages = sorted(path.name for path in folder.glob("lib/python*/site-packages/*.dist-info"))
        scripts = sorted(
            (path.name, path.stat().st_size, path.stat().st_mtime_ns)
            for path in (folder / "bin").iterdir()
            if path.is_file()
        )
        return hashlib.sha256(json.dumps([str(folder), packages, scripts]).encode()).hexdigest()

"""What stands for an image on this machine: a family, a virtual environment, or (with Docker) an image."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainyard import images
from trainyard.errors import Unsupported, UsageError
from trainyard.families import Family

_LOCAL_NAME = re.compile(r"(?:^|/)trainyard/([a-z][a-z0-9-]*)(?:[:@].*)?$")


@dataclass(frozen=True)
class Target:
    """``name`` is a family's name or a virtual environment's folder."""

    kind: Literal["family", "venv"]
    name: str

    def __str__(self) -> str:
        return self.name if self.kind == "family" else f"{self.kind}:{self.name}"


def parse_mapping(text: str, families: Mapping[str, Family]) -> tuple[str, Target]:
    """Read ``IMAGE_URI=TARGET`` of ``--map``; raises UsageError."""
    image, separator, target = text.partition("=")
    if not separator or not image or not target:
        raise UsageError(f"--map {text!r}: write IMAGE_URI=TARGET, where TARGET is a family or venv:PATH")
    return image, parse_target(target, families)


def parse_target(text: str, families: Mapping[str, Family]) -> Target:
    if text.startswith("docker:"):
        raise Unsupported(f"target {text!r}: images are not run here yet; map to a family or to venv:PATH")
    if text.startswith("venv:"):
        folder = Path(text[len("venv:") :]).expanduser().absolute()
        if not (folder / "bin" / "python").exists():
            raise UsageError(f"target {text!r}: {folder} is not a virtual environment (no bin/python in it)")
        return Target("venv", str(folder))
    if text not in families:
        raise UsageError(
            f"target {text!r}: no such family; there are {', '.join(families) or 'none'}; or write venv:PATH"
        )
    return Target("family", text)


class Targets:
    """Finds the target of every image URI that a definition names."""

    def __init__(self, mapped: Mapping[str, Target], families: Mapping[str, Family], root: Path) -> None:
        self.mapped = dict(mapped)
        self.families = families
        self._root = root

    def of(self, image: str, where: str) -> Target:
        """The target of an image URI; raises Unsupported, naming the place that asks for it."""
        if image in self.mapped:
            return self.mapped[image]
        local = _LOCAL_NAME.search(image)
        if local and local.group(1) in self.families:
            return Target("family", local.group(1))
        raise Unsupported(
            f"{where}: nothing here stands for the image {image!r}; say what does with "
            f"--map {image}=TARGET, where TARGET is one of {', '.join(self.families) or 'no families'}, or venv:PATH"
        )

    def digest(self, target: Target) -> str:
        """Changes whenever what the target runs changes: a family's files, or an environment's packages."""
        if target.kind == "family":
            return images.content_digest(self.families[target.name], self._root)
        folder = Path(target.name)
        packages = sorted(path.name for path in folder.glob("lib/python*/site-packages/*.dist-info"))
        scripts = sorted(
            (path.name, path.stat().st_size, path.stat().st_mtime_ns)
            for path in (folder / "bin").iterdir()
            if path.is_file()
        )
        return hashlib.sha256(json.dumps([str(folder), packages, scripts]).encode()).hexdigest()

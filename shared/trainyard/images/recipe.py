"""All that decides what a family's image is, as one value; its digest is the image's tag."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trainyard.errors import UsageError
from trainyard.families import Family
from trainyard.images.files import file_digests, image_files
from trainyard.images.names import image_name
from trainyard.images.sources import of_family

BASE_VARIABLE = "TRAINYARD_BASE_IMAGE"
"""Takes the place of every family's base image, for those who build from a mirror or on a base of their own."""

SOURCE_DIGEST = "trainyard.source-digest"
FILES = "trainyard.files"
REVISION = "org.opencontainers.image.revision"
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"
_LONGEST_LABEL = 100_000  # it is one argument of docker's, and Linux takes 128 KiB
_CAPABILITY = "com.amazonaws.sagemaker.capabilities"
_PINNED = re.compile(r"(?P<name>[a-z0-9][\w./:-]*)@(?P<digest>sha256:[0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """``base`` is pinned (``name@sha256:...``); ``files`` maps each file of the context to its digest (hex).

    ``sources`` are build arguments: where each package that is on no index comes from.
    """

    family: Family
    base: str
    sources: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, family: Family, root: Path) -> Recipe:
        """Raises ManifestError for a .dockerignore, UsageError for a base image that is not understood.

        Raises SourceUnavailable for a source that is not there; a git URL is not asked yet.
        """
        given = of_family(family)
        return cls(
            family=family,
            base=_base_image(family),
            sources={one.source.variable: one.argument for one in given},
            files=context_digests(family, root),
        )

    @property
    def build_arguments(self) -> dict[str, str]:
        return {"BASE_IMAGE": self.base, "SERVER": self.family.serving.server, **self.sources}

    @property
    def labels(self) -> dict[str, str]:
        """What the image says of itself, all that is known without the digest.

        Sources: OCI image specification, "Pre-Defined Annotation Keys"; AWS SageMaker Developer Guide,
        "Use your own inference code with hosting services" and "Build your own container for multi-model
        endpoints".
        """
        name, digest = self.base.rsplit("@", 1)
        labels = {
            "org.opencontainers.image.title": self.family.name,
            "org.opencontainers.image.authors": self.family.owner,
            BASE_NAME: name,
            BASE_DIGEST: digest,
            f"{_CAPABILITY}.accept-bind-to-port": "true",
        }
        if self.family.serving.multi_model:
            labels[f"{_CAPABILITY}.multi-models"] = "true"
        return labels

    @property
    def digest(self) -> str:
        """sha256 (hex) of the files, the base image and what the manifest puts into the image."""
        parts = [self.build_arguments, self.labels, dict(self.files)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def tag(self) -> str:
        return f"src-{self.digest[:16]}"

    @property
    def reference(self) -> str:
        """The image's name on this machine."""
        return f"{image_name(self.family)}:{self.tag}"


def context_files(family: Family, root: Path) -> dict[str, Path]:
    """Path in the build context -> file, of all that is sent: the image's files, and sources that are files."""
    sources = {name: file for one in of_family(family) for name, file in one.files.items()}
    return {**image_files(family, root), **sources}


def context_digests(family: Family, root: Path) -> dict[str, str]:
    """Path in the build context -> digest of the file."""
    sources = {name: digest for one in of_family(family) for name, digest in one.digests.items()}
    return {**file_digests(family, root), **sources}


def short(files: Mapping[str, str]) -> dict[str, str]:
    """The files' digests as the image's label keeps them: enough of each to see what has changed.

    Where there are too many for a label, folders stand for what is in them.
    """
    depth = max((path.count("/") + 1 for path in files), default=1)
    while True:
        places: dict[str, list[str]] = {}
        for path, digest in sorted(files.items()):
            places.setdefault("/".join(path.split("/")[:depth]), []).append(digest)
        shortened = {
            place: (one[0] if len(one) == 1 else hashlib.sha256("".join(one).encode()).hexdigest())[:12]
            for place, one in places.items()
        }
        if depth == 1 or len(json.dumps(shortened)) <= _LONGEST_LABEL:
            return shortened
        depth -= 1


def _base_image(family: Family) -> str:
    given = os.environ.get(BASE_VARIABLE)
    if not given:
        return family.image.base
    if not _PINNED.fullmatch(given):
        raise UsageError(f"{BASE_VARIABLE}={given}: must be pinned by its digest, as NAME@sha256:<64 hex>")
    return given

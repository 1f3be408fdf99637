"""``images.json``: the images that a build has published, by digest, for all that is to run just these."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainyard.errors import DataError
from trainyard.families import Family
from trainyard.readers import closest

_DIGEST = "sha256:[0-9a-f]{64}"
_FORMS = {
    "family": ("[a-z][a-z0-9-]*", "a family's name"),
    "image": (rf"[^\s@]+/[^\s@]+@{_DIGEST}", "REPOSITORY@sha256:<64 hex>"),
    "digest": (_DIGEST, "sha256:<64 hex>"),
    "tag": ("src-[0-9a-f]{16}", "src-<16 hex>"),
    "source_digest": ("[0-9a-f]{64}", "64 hex digits"),
    "git_revision": (r"\S+", "a revision, or unknown"),
    "base": (rf"[^\s@]+@{_DIGEST}", "NAME@sha256:<64 hex>"),
    "lock_digest": (_DIGEST, "sha256:<64 hex>"),
    "sbom_digest": (rf"{_DIGEST}|", "sha256:<64 hex>, or empty"),
}


@dataclass(frozen=True, kw_only=True)
class PublishedImage:
    """``git_revision`` is the one that the image was built from; an older one than that of the build, perhaps.

    ``base`` is the base image, ``lock_digest`` the sha256 of the family's requirements.txt. ``sbom_digest`` is
    the sha256 of the SBOM, empty where the image was not pushed by a build of ci.release.
    """

    family: str
    image: str
    digest: str
    tag: str
    source_digest: str
    git_revision: str
    base: str
    lock_digest: str
    sbom_digest: str


def to_json(images: Iterable[PublishedImage]) -> str:
    """The canonical text: the same images give the same bytes."""
    entries = [dataclasses.asdict(image) for image in sorted(images, key=lambda one: one.family)]
    return json.dumps(entries, indent=2, sort_keys=True) + "\n"


def read(files: Sequence[Path]) -> dict[str, PublishedImage]:
    """All images of all files by family; a batch build leaves a file per family.

    Raises DataError with every problem of a file, or where files differ about a family.
    """
    images: dict[str, PublishedImage] = {}
    for file in files:
        for image in _read(file):
            if images.setdefault(image.family, image) != image:
                raise DataError(
                    f"{file}: family {image.family} is {image.image}, but {images[image.family].image} before; "
                    "give the files of one build"
                )
    return images


def image_of(family: Family, images: dict[str, PublishedImage]) -> str:
    """The name by digest of a family's image. Raises DataError where there is none."""
    if family.name not in images:
        raise DataError(
            f"no image of family {family.name!r} is published there{closest(family.name, list(images))}; "
            f"there are: {', '.join(images) or 'none'}"
        )
    return images[family.name].image


def _read(file: Path) -> list[PublishedImage]:
    try:
        document = json.loads(file.read_bytes())
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{file}: not JSON: {error}") from error
    if not isinstance(document, list):
        raise DataError(f"{file}: must be a list of images, as python -m ci.release publish writes it")
    problems = [
        f"{file}: image {number}: {problem}"
        for number, entry in enumerate(document, start=1)
        for problem in _problems(entry)
    ]
    if problems:
        raise DataError("\n".join(problems))
    return [PublishedImage(**entry) for entry in document]


def _problems(entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        return [f"{entry!r}: must be an object with {', '.join(_FORMS)}"]
    found = [f"{key}: unknown; possible are {', '.join(_FORMS)}" for key in entry if key not in _FORMS]
    for key, (pattern, words) in _FORMS.items():
        value = entry.get(key)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            found.append(f"{key} = {value!r}: must be {words}")
    if not found and not entry["image"].endswith(f"@{entry['digest']}"):
        found.append(f"image = {entry['image']!r}: must end with the digest {entry['digest']}")
    return found

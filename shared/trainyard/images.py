"""Which files make a family's image, and a digest that changes exactly when one of them does."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from trainyard.errors import ManifestError
from trainyard.families import Family

IN_EVERY_IMAGE = ("shared/trainyard/__init__.py", "shared/trainyard/in_image")


def image_name(family: Family) -> str:
    return f"trainyard/{family.name}"


def image_files(family: Family, root: Path) -> dict[str, Path]:
    """Path within the repository -> file, sorted, of all that the image is made of.

    That is the family's folder without what its ``.dockerignore`` excludes, and the package
    ``trainyard.in_image``; never a ``__pycache__``. Raises ManifestError for a pattern it does not know.
    """
    ignored = _ignore_rules(family.folder / ".dockerignore")
    files = {}
    for file in _walk(family.folder):
        inside = file.relative_to(family.folder).as_posix()
        if not _is_ignored(inside, ignored):
            files[f"containers/{family.name}/{inside}"] = file
    for place in IN_EVERY_IMAGE:
        for file in _walk(root / place):
            files[file.relative_to(root).as_posix()] = file
    return dict(sorted(files.items()))


def content_digest(family: Family, root: Path) -> str:
    """sha256 (hex) of the base image's name and of each image file's path, executable bit and bytes."""
    digest = hashlib.sha256(f"{family.image.base}\0".encode())
    for path, file in image_files(family, root).items():
        if file.is_symlink():
            kind, content = "link", os.fsencode(file.readlink())
        else:
            kind, content = "program" if file.stat().st_mode & 0o100 else "file", file.read_bytes()
        digest.update(f"{kind}\0{len(content)}\0".encode() + os.fsencode(path) + b"\0" + content)
    return digest.hexdigest()


def _walk(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    found = []
    for folder, folders, files in os.walk(place):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = [name for name in folders if name != "__pycache__" and name not in links]
        found += [Path(folder, name) for name in (*files, *links)]
    return found


def _ignore_rules(file: Path) -> list[tuple[bool, re.Pattern[str]]]:
    """(excludes, pattern) per line of a .dockerignore; a pattern that fits a folder fits all below it."""
    if not file.exists():
        return []
    rules = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        excludes = not pattern.startswith("!")
        name = pattern.removeprefix("!").removesuffix("/")
        anywhere = name.startswith("**/")
        parts = name.removeprefix("**/").split("/")
        if any(part in ("", ".", "..") or "**" in part or set(part) & set("[]\\") for part in parts):
            raise ManifestError(
                f"{'/'.join(file.parts[-3:])}: line {number}: {line!r} is not understood; possible are names "
                "below this folder with * and ?, **/ in front, / behind, ! for an exception, and # comments"
            )
        inside = "/".join(re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]") for part in parts)
        before = "(?:.*/)?" if anywhere else ""
        rules.append((excludes, re.compile(f"{before}{inside}(?:/.*)?", re.DOTALL)))
    return rules


def _is_ignored(path: str, rules: list[tuple[bool, re.Pattern[str]]]) -> bool:
    """As Docker has it: the last rule that fits decides."""
    ignored = False
    for excludes, pattern in rules:
        if pattern.fullmatch(path):
            ignored = excludes
    return ignored

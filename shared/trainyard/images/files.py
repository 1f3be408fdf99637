"""Which files make a family's image, and a digest of each that changes exactly when it does."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from trainyard.errors import ImageError, ManifestError
from trainyard.families import Family

# the package that every image carries, and what building one takes
OF_EVERY_IMAGE = ("shared/trainyard/__init__.py", "shared/trainyard/in_image", "shared/docker")
_CHUNK = 2**20
_REMEDY = "remove it, make it readable, or name it in .dockerignore"


def image_files(family: Family, root: Path) -> dict[str, Path]:
    """Path within the repository -> file, sorted, of all that the image is made of.

    That is the family's folder without what its ``.dockerignore`` excludes, the package
    ``trainyard.in_image`` and the scripts that Dockerfiles call; never a ``__pycache__``. Raises
    ManifestError for a pattern it does not know or a ``.dockerignore`` it cannot read.
    """
    ignored = _ignore_rules(family.folder / ".dockerignore")
    files = {}
    for file in walk(family.folder):
        inside = file.relative_to(family.folder).as_posix()
        if not _is_ignored(inside, ignored):
            files[f"containers/{family.name}/{inside}"] = file
    for place in OF_EVERY_IMAGE:
        for file in walk(root / place):
            files[file.relative_to(root).as_posix()] = file
    return dict(sorted(files.items()))


def file_digests(family: Family, root: Path) -> dict[str, str]:
    """Path within the repository -> ``file_digest`` of each image file."""
    return {path: file_digest(file) for path, file in image_files(family, root).items()}


def file_digest(file: Path) -> str:
    """sha256 (hex) of the file's kind, executable bit and bytes.

    Raises ImageError for what cannot be read or is no file: a pipe would be waited for for ever.
    """
    try:
        if file.is_symlink():
            return hashlib.sha256(b"link\0" + os.fsencode(file.readlink())).hexdigest()
        if not (file.is_file() or file.is_dir()):
            raise ImageError(f"{file}: images are made of files, folders and links; {_REMEDY}")
        digest = hashlib.sha256(b"program\0" if is_program(file) else b"file\0")
        with file.open("rb") as content:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()
    except OSError as error:
        raise ImageError(f"{file}: cannot be read: {error.strerror}; {_REMEDY}") from error


def walk(place: Path) -> list[Path]:
    """All files below a folder, or the file that the place is; links are not followed."""
    if place.is_file():
        return [place]
    found: list[Path] = []
    unlisted: list[Path] = []  # what these are is found out when they are read, unless they are ignored
    for folder, folders, files in os.walk(place, onerror=lambda error: unlisted.append(Path(error.filename))):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = [name for name in folders if name != "__pycache__" and name not in links]
        found += [Path(folder, name) for name in (*files, *links)]
    return found + unlisted


def is_program(file: Path) -> bool:
    """Whether its owner may execute it: all that git and images keep of a file's mode."""
    return bool(file.stat().st_mode & 0o100)


def _ignore_rules(file: Path) -> list[tuple[bool, re.Pattern[str]]]:
    """(excludes, pattern) per line of a .dockerignore; a pattern that fits a folder fits all below it."""
    place = "/".join(file.parts[-3:])
    if not os.path.lexists(file):
        return []
    if not file.is_file():
        raise ManifestError(f"{place}: must be a file")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{place}: cannot be read: {error}") from error
    rules = []
    for number, line in enumerate(lines, start=1):
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        excludes = not pattern.startswith("!")
        name = pattern.removeprefix("!").removesuffix("/")
        anywhere = name.startswith("**/")
        parts = name.removeprefix("**/").split("/")
        if any(part in ("", ".", "..") or "**" in part or set(part) & set("[]\\") for part in parts):
            raise ManifestError(
                f"{place}: line {number}: {line!r} is not understood; possible are names "
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

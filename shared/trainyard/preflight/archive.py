"""The layers of an image as ``docker save`` writes them, read in one pass without unpacking anything.

Both forms are understood: a folder per layer with a ``layer.tar`` (before Docker 25), and OCI blobs. Which
layers there are, and in which order, is said at the stream's end, so every tar file in it is read as it comes.
"""

from __future__ import annotations

import json
import posixpath
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from trainyard.errors import DockerError
from trainyard.images.engine import Engine, last_line

HEAD = 65_536
"""Bytes of each file that are looked at."""

_MAGIC = 4
_CHUNK = 32_768  # tarfile copies what is left of one at every read, so larger ones are slower
_LARGEST_JSON = 16 * 2**20
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"

Keep = Callable[[str, bytes], bool]
"""Whether a file's first bytes (at most HEAD) are kept, by its path and them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, folder or link of a layer. ``path`` has no slash in front; ``target`` is of a symbolic link.

    ``magic`` is a file's first four bytes; ``head`` is its first 64 KiB where they were kept, else empty.
    """

    path: str
    mode: int
    size: int
    magic: bytes = b""
    head: bytes = b""
    target: str = ""

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What one layer adds (by path), what it deletes below it, and which folders hide all that was in them."""

    entries: Mapping[str, Entry]
    deleted: frozenset[str] = frozenset()
    opaque: frozenset[str] = frozenset()


@dataclass
class _Read:
    layers: dict[str, Layer] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    manifest: list[dict[str, Any]] = field(default_factory=list)


def save(engine: Engine, reference: str, keep: Keep) -> tuple[Layer, ...]:
    """The image's layers, lowest first. Raises DockerError."""
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(
            [engine.program, "save", reference],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            try:
                layers = read(process.stdout, keep)
            except (tarfile.TarError, LookupError, ValueError, EOFError, OSError) as error:
                process.kill()
                process.wait()
                errors.seek(0)
                said = errors.read()
                reason = last_line(said) if said else f"its output is not understood ({error})"
                raise DockerError(f"docker save {reference}: {reason}") from error
        if process.returncode:
            errors.seek(0)
            raise DockerError(f"docker save {reference}: {last_line(errors.read())}")
    return layers


def read(stream: IO[bytes], keep: Keep) -> tuple[Layer, ...]:
    """The layers in a stream that ``docker save`` wrote, lowest first.

    Raises TarError, LookupError or ValueError for what is no such stream.
    """
    found = _Read()
    with tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK) as outer:
        for member in outer:
            if member.issym():
                target = posixpath.join(posixpath.dirname(member.name), member.linkname)
                found.aliases[member.name] = posixpath.normpath(target)
            elif member.islnk():
                found.aliases[member.name] = member.linkname
            elif member.isfile():
                _take(found, member, outer.extractfile(member), keep)
    while stream.read(_CHUNK):  # whoever writes it waits until all is read
        pass
    names = [str(name) for name in found.manifest[0]["Layers"]]
    return tuple(found.layers[found.aliases.get(name, name)] for name in names)


def _take(found: _Read, member: tarfile.TarInfo, content: Any, keep: Keep) -> None:
    start = content.peek(tarfile.BLOCKSIZE)
    if member.name == "manifest.json":
        found.manifest = json.loads(content.read(_LARGEST_JSON))
    elif start[:4] == b"\x28\xb5\x2f\xfd":
        raise ValueError(f"{member.name} is compressed with zstd")
    elif (
        start[:2] == b"\x1f\x8b"
        or start[257:262] == b"ustar"
        or (start[:1] not in (b"{", b"[") and member.size >= tarfile.BLOCKSIZE)
    ):
        with tarfile.open(fileobj=content, mode="r|*", bufsize=_CHUNK) as inner:
            found.layers[member.name] = _layer(inner, keep)


def _layer(layer: tarfile.TarFile, keep: Keep) -> Layer:
    entries: dict[str, Entry] = {}
    deleted, opaque = set(), set()
    for member in layer:
        path = posixpath.normpath("/" + member.name).lstrip("/")
        folder, name = posixpath.split(path)
        if name == _OPAQUE:
            opaque.add(folder)
        elif name.startswith(_WHITEOUT):
            deleted.add(posixpath.join(folder, name.removeprefix(_WHITEOUT)))
        elif member.islnk():
            original = entries.get(posixpath.normpath("/" + member.linkname).lstrip("/"))
            if original:
                entries[path] = Entry(
                    path, original.mode, original.size, original.magic, original.head, original.target
                )
        elif path:
            entries[path] = _entry(layer, member, path, keep)
        layer.members = []  # type: ignore[attr-defined]  # it would remember every one of them
    return Layer(entries=entries, deleted=frozenset(deleted), opaque=frozenset(opaque))


def _entry(layer: tarfile.TarFile, member: tarfile.TarInfo, path: str, keep: Keep) -> Entry:
    if member.isfile():
        content = layer.extractfile(member)
        head = content.read(HEAD) if content else b""
        kept = head if keep(path, head) else b""
        return Entry(path, stat.S_IFREG | member.mode, member.size, head[:_MAGIC], kept)
    if member.issym():
        return Entry(path, stat.S_IFLNK | member.mode, 0, target=member.linkname)
    kind = stat.S_IFDIR if member.isdir() else stat.S_IFIFO
    return Entry(path, kind | member.mode, 0)

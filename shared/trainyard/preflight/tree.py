"""The file system that an image's layers make together: links followed, programs looked up as the kernel would."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trainyard.preflight.archive import Entry, Layer

_MOST_LINKS = 40  # as Linux


@dataclass(frozen=True, kw_only=True)
class Program:
    """A name that was looked up: ``path`` is where it was found, empty where it was not.

    ``entry`` is the file behind it, None for a link that leads nowhere; ``broken`` is that link.
    """

    path: str
    entry: Entry | None = None
    broken: str = ""


class Tree:
    """``entries`` by path, without a slash in front."""

    def __init__(self, layers: Iterable[Layer]) -> None:
        self.entries: dict[str, Entry] = {}
        for layer in layers:
            self._hide(layer)
            self.entries.update(layer.entries)

    def _hide(self, layer: Layer) -> None:
        replaced = {
            path
            for path, entry in layer.entries.items()
            if not entry.is_folder and path in self.entries and self.entries[path].is_folder
        }
        gone = layer.deleted | replaced
        if not gone and not layer.opaque:
            return
        for path in list(self.entries):
            folders = _folders(path)
            if path in gone or any(folder in gone or folder in layer.opaque for folder in folders):
                del self.entries[path]

    def follow(self, path: str) -> Program:
        """The file or folder behind an absolute path, whatever links are on the way."""
        rest, place = path.strip("/").split("/"), ""
        link, links = "", 0
        while rest:
            part = rest.pop(0)
            if part in ("", "."):
                continue
            if part == "..":
                place = posixpath.dirname(place)
                continue
            place = posixpath.join(place, part)
            entry = self.entries.get(place)
            if entry and entry.target:
                if not rest:
                    link = link or f"/{place} -> {entry.target}"
                links += 1
                if links > _MOST_LINKS:
                    return Program(path=path, broken=link)
                rest = [*entry.target.split("/"), *rest]
                place = "" if entry.target.startswith("/") else posixpath.dirname(place)
        found = self.entries.get(place)
        return Program(path=path, entry=found, broken="" if found else link)

    def look_up(self, name: str, search_path: str, working_folder: str = "/") -> Program:
        """What running ``name`` would run; a path when it has a slash, else the first on the search path.

        Where none is executable, the first that has the name.
        """
        if "/" in name:
            found = self.follow(posixpath.join(working_folder or "/", name))
            return found if found.entry or found.broken else Program(path="")
        candidates: list[Program] = []
        for folder in search_path.split(":"):
            found = self.follow(posixpath.join(working_folder or "/", folder, name))
            if found.entry and found.entry.is_file and found.entry.mode & 0o111:
                return found
            if found.broken or (found.entry and found.entry.is_file):
                candidates.append(found)
        return candidates[0] if candidates else Program(path="")

    def below(self, folder: str) -> Sequence[Entry]:
        """All that is not a folder below an absolute path."""
        prefix = f"{folder.strip('/')}/"
        return [e for path, e in self.entries.items() if path.startswith(prefix) and not e.is_folder]


def _folders(path: str) -> Iterable[str]:
    folder = posixpath.dirname(path)
    while folder:
        yield folder
        folder = posixpath.dirname(folder)


def search_path(environment: Mapping[str, str]) -> str:
    """The image's PATH, or what Docker gives a container that has none."""
    return environment.get("PATH") or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

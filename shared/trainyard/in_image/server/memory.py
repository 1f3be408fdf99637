"""How much memory this container may use and uses: its control group's, where it has a limit, or the machine's.

Sources: Linux, Documentation/admin-guide/cgroup-v2.rst ("memory.current", "memory.stat") and
cgroup-v1/memory.rst. The page cache counts as free but for what is mapped. Kubernetes counts the active part of
it as used; but a file that two workers have read is active, and the kernel drops it all the same.
"""

from __future__ import annotations

import ctypes
import gc
import threading
from pathlib import Path

RESERVE = 0.05
"""The share of the limit that loading a model must leave free, for the requests to it."""


class Memory:
    """``root`` is where the kernel's /proc and /sys are. ``limit`` and ``free()`` are bytes."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._meminfo = root / "proc" / "meminfo"
        self._group: tuple[Path, Path, tuple[str, ...]] | None = None  # usage, statistics, keys in them
        self.limit = self._machine("MemTotal")
        for limit, usage, statistics, keys in _groups(root):
            allowed = _number(limit)
            if allowed is not None and allowed < self.limit and _number(usage) is not None:
                self.limit, self._group = allowed, (usage, statistics, keys)

    def free(self) -> int:
        if self._group is None:
            return self._machine("MemAvailable")
        usage, statistics, keys = self._group
        inactive, active, mapped = (_entry(statistics, key) for key in keys)
        return self.limit - (_number(usage) or 0) + max(0, inactive + active - mapped)

    def is_short(self, more: int = 0) -> bool:
        """Whether too little is left when ``more`` bytes are taken."""
        return self.free() - more < RESERVE * self.limit

    def _machine(self, key: str) -> int:
        return _entry(self._meminfo, f"{key}:") * 1024


def give_back() -> None:
    """Return to the system what was freed: glibc keeps it for itself otherwise."""
    with _COLLECTING:  # or the collector would do nothing, because it is at work in another thread
        gc.collect()
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)


_LIBC = ctypes.CDLL(None)
_COLLECTING = threading.Lock()


def _groups(root: Path) -> list[tuple[Path, Path, Path, tuple[str, ...]]]:
    """(limit, usage, statistics, keys in them) of this process's control group and of those it lies in."""
    try:
        lines = (root / "proc" / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers == "":  # version 2
            base, names = root / "sys/fs/cgroup", ("memory.max", "memory.current")
            keys: tuple[str, ...] = ("inactive_file", "active_file", "file_mapped")
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            keys = ("total_inactive_file", "total_active_file", "total_mapped_file")
        else:
            continue
        folder = base / path.strip("/")
        while True:
            found.append((folder / names[0], folder / names[1], folder / "memory.stat", keys))
            if folder == base:
                break
            folder = folder.parent
    return found


def _number(file: Path) -> int | None:
    """None where there is no such file, or no limit in it ("max")."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _entry(file: Path, key: str) -> int:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return next((int(words[1]) for words in map(str.split, lines) if words[:1] == [key]), 0)

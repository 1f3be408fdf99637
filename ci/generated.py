"""A file at the repository's root that is generated from the families: printed, written, or checked."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainyard.errors import UserError
from trainyard.families import Family, find_families, repository_root

Families = Mapping[str, Family]


@dataclass(frozen=True, kw_only=True)
class Generated:
    """``module`` generates the file ``name``: ``text`` is what it makes of some families.

    ``is_stale`` judges the file's text by the families there are and the names of those that git tracks.
    """

    name: str
    module: str
    text: Callable[[Families], str]
    is_stale: Callable[[str, Families, set[str]], bool]


def main(generated: Generated, description: str | None, argv: list[str] | None = None) -> int:
    """``--write`` it, ``--check`` that it is not stale (1 if it is), or print it."""
    parser = argparse.ArgumentParser(prog=f"python -m {generated.module}", description=description)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", action="store_true", help="write the file")
    action.add_argument("--check", action="store_true", help="fail if the file is stale")
    args = parser.parse_args(argv)
    root = repository_root()
    file = root / generated.name
    try:
        families = find_families(root)
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if args.check:
        present = file.read_text() if file.exists() else ""
        if generated.is_stale(present, families, tracked_families(root)):
            print(f"{generated.name} is stale; run: python -m {generated.module} --write", file=sys.stderr)
            return 1
    elif args.write:
        file.write_text(generated.text(families))
    else:
        print(generated.text(families), end="")
    return 0


def tracked_families(root: Path) -> set[str]:
    """The families whose manifest git tracks; all where ``root`` is no work tree of git's."""
    command = ["git", "-C", str(root), "ls-files", "containers/*/family.toml"]
    listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode or not (root / ".git").exists():
        return set(find_families(root))
    return {line.split("/")[1] for line in listed.stdout.splitlines()}

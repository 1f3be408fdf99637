"""CODEOWNERS, generated from the owners in the families' manifests.

    PYTHONPATH=shared python -m ci.codeowners [--write | --check]

A family that git does not track yet may be missing: a new family edits no file until it is added.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from trainyard.errors import UserError
from trainyard.families import Family, find_families, repository_root

HEADER = ["# Generated from containers/*/family.toml by: python -m ci.codeowners --write"]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.codeowners", description=__doc__)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", action="store_true", help="write the file")
    action.add_argument("--check", action="store_true", help="fail if the file is stale")
    args = parser.parse_args(argv)
    root = repository_root()
    try:
        if args.check:
            return _check(root)
        text = codeowners(find_families(root).values())
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if args.write:
        (root / "CODEOWNERS").write_text(text)
    else:
        print(text, end="")
    return 0


def codeowners(families: Iterable[Family]) -> str:
    """The text for these families; GitHub takes the last line that fits a file."""
    lines = list(HEADER)
    for family in families:
        module = family.name.replace("-", "_")
        places = (f"containers/{family.name}/", f"pipelines/{module}.py", f"tests/containers/{family.name}/")
        lines += [f"/{place} {family.owner}" for place in places]
    return "\n".join(lines) + "\n"


def is_stale(text: str, families: dict[str, Family], tracked: set[str]) -> bool:
    """Whether a line is wrong or too many, or a tracked family's is missing."""
    possible = codeowners(families.values()).splitlines()
    needed = codeowners(family for name, family in families.items() if name in tracked).splitlines()
    present = text.splitlines()
    return present != [line for line in possible if line in present or line in needed]


def tracked_families(root: Path) -> set[str]:
    """The families whose manifest git tracks; all where ``root`` is no work tree of git's."""
    command = ["git", "-C", str(root), "ls-files", "containers/*/family.toml"]
    listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode or not (root / ".git").exists():
        return set(find_families(root))
    return {line.split("/")[1] for line in listed.stdout.splitlines()}


def _check(root: Path) -> int:
    file = root / "CODEOWNERS"
    if is_stale(file.read_text() if file.exists() else "", find_families(root), tracked_families(root)):
        print("CODEOWNERS is stale; run: python -m ci.codeowners --write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

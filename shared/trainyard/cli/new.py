"""``trainyard new``: a family that already trains and serves, in new files only."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tempfile
from pathlib import Path

from trainyard.errors import UsageError
from trainyard.families import load, repository_root
from trainyard.manifest import FAMILY

TEMPLATES = Path(__file__).with_name("templates")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="lower-case letters, digits and -")
    parser.add_argument("--owner", required=True, help="who owns it on GitHub, such as @organization/team")
    parser.add_argument("--description", default="", metavar="TEXT", help="one line for lists and the README")


def run(args: argparse.Namespace) -> int:
    root = repository_root()
    made = make_family(root, args.name, args.owner, args.description)
    print(f"{args.name} is ready:", *(f"  {path.relative_to(root)}" for path in made), sep="\n")
    print(f"try: ./trainyard run {args.name}; what each file is: containers/{args.name}/README.md")
    return 0


def make_family(root: Path, name: str, owner: str, description: str = "") -> list[Path]:
    """Make ``containers/<name>``, its pipeline module and its tests; the answer is those three paths.

    All of it or nothing. Raises UsageError for a name, owner or description that no family can have, and
    where something of that name is already there.
    """
    module = name.replace("-", "_")
    description = description or f"The {name} family: ridge regression on a table, to start from."
    _check(name=name, owner=owner, description=description)
    places = ("tests/containers/NAME", "pipelines/MODULE.py", "containers/NAME")
    targets = [root / place.replace("NAME", name).replace("MODULE", module) for place in places]
    for target in targets:
        if target.exists():
            raise UsageError(
                f"{target.relative_to(root)} is already there; choose another name, or delete it"
            )
    values = {
        "name": name,
        "module": module,
        "owner": owner,
        "description": description,
        "description_toml": json.dumps(description, ensure_ascii=False),
    }
    try:
        with tempfile.TemporaryDirectory(prefix=".new-family-", dir=root) as folder:
            drafts = [_render(place, Path(folder), values) for place in places]
            load(drafts[-1])
            _move(drafts, targets)
    except OSError as error:
        raise UsageError(f"{name} cannot be made in {root}: {error}; nothing was left behind") from error
    return targets


def _check(**values: str) -> None:
    problems: list[str] = []
    for key, value in values.items():
        FAMILY[key].reader(value, key, problems)
    if problems:
        raise UsageError("\n".join(problems))


def _render(place: str, folder: Path, values: dict[str, str]) -> Path:
    """One file or folder of the templates, filled in, below ``folder``."""
    source = TEMPLATES / place
    templates = sorted(path for path in source.rglob("*.tmpl")) or [Path(f"{source}.tmpl")]
    for template in templates:
        inside = template.relative_to(TEMPLATES).with_suffix("").as_posix()
        target = folder / inside.replace("NAME", values["name"]).replace("MODULE", values["module"])
        target.parent.mkdir(parents=True, exist_ok=True)
        text = template.read_text(encoding="utf-8")
        text = re.sub(r"\{\{(\w+)\}\}", lambda match: values[match.group(1)], text)
        target.write_text(text, encoding="utf-8")
    return folder / place.replace("NAME", values["name"]).replace("MODULE", values["module"])


def _move(drafts: list[Path], targets: list[Path]) -> None:
    """Put the drafts in place, the folder that makes it a family last; take them back if one cannot be."""
    moved: list[Path] = []
    try:
        for draft, target in zip(drafts, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.rename(target)
            moved.append(target)
    except OSError:
        for path in moved:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise

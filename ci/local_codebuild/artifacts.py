"""Collect the files that a buildspec names as artifacts or reports.

In a pattern ``*`` and ``?`` stay in one folder, ``**`` crosses folders; hidden files match too. Links to files
are collected as the files, links to folders are not followed; with ``enable-symlinks`` links stay links.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ci.local_codebuild.buildspec import Files

Expand = Callable[[str], str | None]


class Uncollected(Exception):
    """Why nothing could be collected."""


def collect(files: Files, source: Path, to: Path, apart: Path, expand: Expand) -> list[str]:
    """Copy the files below ``to``; their paths there, in order.

    ``source``: the build's folder; ``apart``: the outputs, of which nothing is collected; ``expand``: what the
    shell makes of a text. Raises Uncollected where no folder or no file matches, or a name cannot be used.
    """
    base_directory = _expanded(files.base_directory, expand)
    bases = [base for base in _bases(source, base_directory) if base.is_dir()]
    if not bases:
        raise Uncollected(f"no matching base directory: {base_directory}")
    patterns = [_expanded(pattern, expand) for pattern in files.patterns]
    wanted, unwanted = _regex(patterns), _regex(files.exclude_paths)
    found: dict[str, Path] = {}
    for base in bases:
        for name in _walk(base, apart, files.keep_links):
            if wanted.fullmatch(name) and not unwanted.fullmatch(name):
                found[Path(name).name if files.discard_paths else name] = base / name
    if not found:
        raise Uncollected(f"no file matches {', '.join(patterns)} in {base_directory}")
    for name in sorted(found):
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(found[name], target, follow_symlinks=not files.keep_links)
    return sorted(found)


def folder_name(files: Files, expand: Expand) -> str:
    """Where artifacts lie below the output: ``name``, which may have folders in it; raises Uncollected."""
    name = _expanded(files.name or ".", expand)
    if not name or name.startswith("/") or ".." in name.split("/"):
        raise Uncollected(
            f"the artifact's name {files.name} becomes {name!r}, which is no path below the output"
        )
    return name


def _expanded(text: str, expand: Expand) -> str:
    if "$" not in text and "`" not in text:
        return text
    expanded = expand(text)
    if expanded is None:
        raise Uncollected(f"the shell cannot expand {text}")
    return expanded


def _bases(source: Path, pattern: str) -> list[Path]:
    """The folder of that name, or all folders at the top whose names match."""
    if not re.search(r"[*?\[]", pattern):
        return [source / pattern]
    regex = _regex([pattern])
    return sorted(path for path in source.iterdir() if regex.fullmatch(path.name))


def _walk(base: Path, apart: Path, keep_links: bool) -> Iterator[str]:
    for folder, folders, names in os.walk(base):
        folders[:] = sorted(name for name in folders if Path(folder, name).resolve() != apart)
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in [*names, *links]:
            path = Path(folder, name)
            if path.is_symlink() if keep_links and path.is_symlink() else path.is_file():
                yield path.relative_to(base).as_posix()


def _regex(patterns: Sequence[str]) -> re.Pattern[str]:
    """One that fits what any of the patterns fits; nothing where there are none."""
    return re.compile("|".join(map(_one_regex, patterns)) or "(?!)", re.DOTALL)


def _one_regex(pattern: str) -> str:
    parts = []
    for token in re.findall(r"\*\*/|\*\*|\[!?\]?[^]]*\]|.", pattern.removeprefix("./"), re.DOTALL):
        match token:
            case "**/":
                parts.append("(?:.*/)?")
            case "**":
                parts.append(".*")
            case "*":
                parts.append("[^/]*")
            case "?":
                parts.append("[^/]")
            case _ if len(token) > 2 and token.startswith("["):
                inside = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
                parts.append(f"[{'^' + inside[1:] if inside.startswith('!') else inside}]")
            case _:
                parts.append(re.escape(token))
    return "".join(parts)

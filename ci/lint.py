"""Dockerfiles: what hadolint finds, and what the oldest engine that must build them cannot do.

    python -m ci.lint [FAMILY ...]

Docker 20.10 (Debian 12, and CodeBuild's older images) has the Dockerfile frontend 1.2 in it and may reach no
network to get another. Images are pinned by digest, or come through BASE_IMAGE, which is.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ci.build import FAMILIES_VARIABLE, FOLDER, chosen_families
from trainyard.errors import SetupError, UserError
from trainyard.families import Family, find_family, repository_root
from trainyard.preflight import junit
from trainyard.preflight.checks import Finding, Result

REPORT = Path(FOLDER, "reports", "lint.xml")
FLAGS = {
    "FROM": {"platform"},
    "RUN": {"mount"},
    "COPY": {"from", "chown", "chmod"},
    "ADD": {"chown", "chmod"},
    "HEALTHCHECK": {"interval", "timeout", "start-period", "retries"},
}
BASE = "BASE_IMAGE"
_PINNED = re.compile(r".+@sha256:[0-9a-f]{64}")
_HEREDOC = re.compile(r"(?<!<)<<-?(?P<quote>[\"']?)[A-Za-z_]\w*(?P=quote)(?=\s|$)")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class Problem(NamedTuple):
    line: int
    text: str


class Instruction(NamedTuple):
    line: int
    name: str
    flags: list[tuple[str, str]]
    rest: str


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.lint", description=__doc__)
    parser.add_argument(
        "families", metavar="FAMILY", nargs="*", help=f"default: those in ${FAMILIES_VARIABLE}, or all"
    )
    args = parser.parse_args(argv)
    root = repository_root()
    try:
        families = [find_family(root, name) for name in args.families] or chosen_families(root)
        problems = {family.name: lint(family) for family in families}
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    results = []
    for name, found in problems.items():
        lines = [f"containers/{name}/Dockerfile:{line}: {text}" for line, text in found]
        print("\n".join(lines) or f"{name}: the Dockerfile is in order")
        findings = tuple(Finding(rule="dockerfile", message=line) for line in lines)
        results.append(Result(name=name, findings=findings))
    junit.write(root / REPORT, "lint", results)
    return int(any(result.failed for result in results))


def lint(family: Family) -> list[Problem]:
    """All problems of the family's Dockerfile in order of line; raises SetupError where hadolint is missing."""
    file = family.folder / "Dockerfile"
    if not file.is_file():
        return [Problem(1, "there is no such file: every family is an image")]
    return sorted({*problems(file.read_text(encoding="utf-8")), *_hadolint(file)})


def problems(text: str) -> Iterator[Problem]:
    """What Docker 20.10 cannot build, and images that are not pinned."""
    for number, line in enumerate(text.splitlines(), start=1):
        directive = re.match(r"#\s*(\w+)\s*=", line)
        if not directive:
            break
        if directive[1].lower() == "syntax":
            yield Problem(number, "# syntax= makes the build fetch a frontend from the network: leave it out")
    stages: list[str] = []
    arguments: dict[str, str] = {}
    for instruction in instructions(text):
        yield from _flag_problems(instruction)
        if instruction.name in ("RUN", "COPY", "ADD") and _HEREDOC.search(instruction.rest):
            yield Problem(instruction.line, f"{instruction.name} <<EOF needs the Dockerfile frontend 1.4")
        if instruction.name == "ARG" and not stages:
            name, _, default = instruction.rest.partition("=")
            arguments[name.strip()] = default.strip().strip("\"'")
        if instruction.name == "FROM":
            image, *words = instruction.rest.split() or [""]
            yield from _image_problems(instruction.line, image, stages, arguments)
            stages.append(words[1].lower() if len(words) == 2 and words[0].lower() == "as" else "")
        for image in _copied_from(instruction):
            yield from _image_problems(instruction.line, image, stages, arguments)


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions with the lines they begin on; continued lines are joined, comments are left out."""
    start, joined = 0, ""
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        stripped = line.strip()
        if stripped.startswith("#") or (not stripped and joined and number <= len(text.splitlines())):
            continue
        start = start if joined else number
        joined += stripped.removesuffix("\\") + " " if stripped.endswith("\\") else stripped
        if stripped.endswith("\\") or not joined:
            continue
        name, _, rest = joined.partition(" ")
        joined, flags = "", []
        while flag := re.match(r"\s*--([a-z-]+)(?:=(\S*))?(?:\s+|$)", rest):
            flags.append((flag[1], flag[2] or ""))
            rest = rest[flag.end() :]
        yield Instruction(start, name.upper(), flags, rest.strip())


def _flag_problems(instruction: Instruction) -> Iterator[Problem]:
    possible = FLAGS.get(instruction.name, set())
    for flag, _ in instruction.flags:
        if flag not in possible:
            known = ", ".join(f"--{name}" for name in sorted(possible)) or "none"
            yield Problem(
                instruction.line,
                f"{instruction.name} --{flag}: Docker 20.10 does not know it; it knows {known}",
            )


def _copied_from(instruction: Instruction) -> Iterator[str]:
    for flag, value in instruction.flags:
        if flag == "from":
            yield value
        if flag == "mount":
            yield from (part[5:] for part in value.split(",") if part.startswith("from="))


def _image_problems(line: int, image: str, stages: list[str], arguments: dict[str, str]) -> Iterator[Problem]:
    named = _VARIABLE.fullmatch(image)
    name = (named[1] or named[2]) if named else ""
    if name == BASE and not arguments.get(BASE):
        return
    resolved = arguments.get(name, "") if named else image
    is_stage = image.lower() in stages or (image.isdigit() and int(image) < len(stages))
    if not (is_stage or image == "scratch" or _PINNED.fullmatch(resolved)):
        yield Problem(
            line,
            f"{image}{f' is {resolved!r} and' if named else ''} is no stage above and is not pinned: "
            f"write NAME@sha256:<64 hex>, or ${{{BASE}}} with ARG {BASE} without a default",
        )


def _hadolint(file: Path) -> list[Problem]:
    program = Path(sys.prefix) / "bin" / "hadolint"
    command = [str(program), "--no-fail", "--format", "json", str(file)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise SetupError(f"there is no {program}; install it with: python3 -m ci.setup") from error
    try:
        found = json.loads(ended.stdout)
    except ValueError as error:
        raise SetupError(f"{' '.join(command)}: {ended.stderr.strip() or ended.stdout.strip()}") from error
    return [
        Problem(one["line"], f"{one['code']} {one['message']}") for one in found if one["level"] != "info"
    ]


if __name__ == "__main__":
    raise SystemExit(main())

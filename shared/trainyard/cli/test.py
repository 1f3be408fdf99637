"""``trainyard test``: the repository's tests, or one family's, in the .venv that has what they need."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from trainyard.errors import UsageError
from trainyard.families import Family, find_family, repository_root


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "trainyard test [FAMILY [--source PATH]] [PYTEST ARGUMENT ...]"
    parser.add_argument(
        "--source",
        metavar="PATH",
        help="where the family's package that is on no index comes from: a folder, a wheel or a git URL",
    )
    parser.add_argument("-k", dest="keyword", metavar="EXPRESSION", help="only tests whose names fit it")
    parser.epilog = (
        "For a FAMILY, its environment is made first, and its own tests are run. "
        "For example: trainyard test tests/cli -k models -x"
    )


def run(args: argparse.Namespace) -> int:
    import pytest

    root = repository_root()
    family = _family(root, args.passed_on)
    if family is not None:
        arguments = [*_its_tests(root, family), *args.passed_on[1:]]
        keyword = f"{family.name} and ({args.keyword})" if args.keyword else family.name
        _make_environment(family, args.source)
    elif args.source:
        raise UsageError(
            "--source is where a family's package comes from: trainyard test FAMILY --source PATH"
        )
    else:
        arguments, keyword = args.passed_on, args.keyword
    os.chdir(root)
    return int(pytest.main([*arguments, *(["-k", keyword] if keyword else [])]))


def _family(root: Path, arguments: list[str]) -> Family | None:
    """The one that the first argument names; a name with a / is a path."""
    name = arguments[0] if arguments else ""
    is_family = name and "/" not in name and (root / "containers" / name / "family.toml").exists()
    return find_family(root, name) if is_family else None


def _its_tests(root: Path, family: Family) -> list[str]:
    """Relative to the root; the conformance tests are every family's, so that its name must choose among them."""
    module = family.name.replace("-", "_")
    own = (f"tests/containers/{family.name}", f"tests/pipelines/test_{module}.py", "tests/conformance")
    return [path for path in own if (root / path).exists()]


def _make_environment(family: Family, source: str | None) -> None:
    """Make the family's environment if need be; its source is the tests' as well."""
    from trainyard.execution.environments import Environments
    from trainyard.execution.store import default_home
    from trainyard.images.sources import given

    if source is not None:
        if len(family.image.sources) != 1:
            variables = " and ".join(one.variable for one in family.image.sources)
            why = (
                f"several packages come as source: set {variables}"
                if variables
                else "no package comes as source"
            )
            raise UsageError(f"--source {source}: of {family.name} {why}")
        [package] = family.image.sources
        os.environ[package.variable] = given(package, {package.variable: source}).value
    Environments(default_home() / "venvs", _say).python(family)


def _say(text: str) -> None:
    if text:
        print(f"trainyard: {text}", file=sys.stderr, flush=True)

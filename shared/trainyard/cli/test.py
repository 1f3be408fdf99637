"""``trainyard test``: the repository's tests, in the .venv that has what they need."""

from __future__ import annotations

import argparse
import os

from trainyard.families import repository_root


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "trainyard test [PYTEST ARGUMENT ...]"
    parser.epilog = "For example: trainyard test tests/cli -k models -x"


def run(args: argparse.Namespace) -> int:
    import pytest

    os.chdir(repository_root())
    return int(pytest.main(args.passed_on))

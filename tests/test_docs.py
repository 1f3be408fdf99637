"""The README names every command and every key of family.toml; it or docs/ names every option."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainyard import manifest
from trainyard.cli.main import COMMANDS, _parser

README = Path(__file__).parents[1] / "README.md"
TABLES = {
    "": manifest.FAMILY,
    "image": manifest.IMAGE,
    "image.sources": manifest.SOURCE,
    "training": manifest.TRAINING,
    "training.metrics": manifest.METRIC,
    "training.hyperparameters": manifest.HYPERPARAMETER,
    "serving": manifest.SERVING,
    "example": manifest.EXAMPLE,
}


@pytest.fixture(scope="module")
def code() -> str:
    """What the README sets as code: fenced, indented or between backticks."""
    return " ".join(re.findall(r"```(?s:.*?)```|`[^`]+`|^    .*$", README.read_text(), re.MULTILINE))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_described(command, code):
    assert re.search(rf"trainyard {command}\b", code), f"`trainyard {command}` is not in the README"


@pytest.mark.parametrize(("table", "key"), [(table, key) for table, keys in TABLES.items() for key in keys])
def test_every_key_of_the_manifest_is_described(table, key, code):
    assert re.search(rf"\b{key}\b", code), f"{table}.{key} of family.toml is not in the README"


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from options(below)
        yield from (text for text in action.option_strings if text.startswith("--"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_described(command, code):
    guide = (README.parent / "docs" / "local-aws.md").read_text()
    parser = next(
        action.choices[command]
        for action in _parser(command)[0]._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    missing = {
        name
        for name in options(parser)
        if name != "--help" and not re.search(rf"{name}\b", f"{code} {guide}")
    }
    assert not missing, (
        f"{missing} of `trainyard {command}` are neither in the README nor in docs/local-aws.md"
    )


def commands() -> list[str]:
    """The lines of the README that a reader would type."""
    text = README.read_text().replace("\\\n", " ")
    return [line.removeprefix("$ ./trainyard ").removesuffix(" &") for line in text.splitlines()
            if line.startswith("$ ./trainyard")]  # fmt: skip


@pytest.mark.parametrize("line", commands())
def test_every_command_line_of_the_readme_is_understood(line):
    """The arguments exist as the README writes them; that the commands work is what CI runs."""
    words = shlex.split(line)
    parser, module = _parser(words[0])
    args, unknown = parser.parse_known_args(words)
    assert module is not None
    assert not unknown or COMMANDS[words[0]].passes_on, unknown
    assert args.command == words[0]

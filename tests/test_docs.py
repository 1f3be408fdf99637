"""The README names every command and every key of family.toml."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from trainyard import manifest
from trainyard.cli.main import COMMANDS, _parser

README = Path(__file__).parents[1] / "README.md"
TABLES = {
    "": manifest.FAMILY,
    "image": manifest.IMAGE,
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

"""The README names every command and every key of family.toml."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trainyard import manifest
from trainyard.cli.main import COMMANDS

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

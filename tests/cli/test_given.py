from __future__ import annotations

import pytest

from trainyard.cli.local import read_definition, settings
from trainyard.errors import DefinitionError, UsageError


def test_settings_may_hold_equals_signs() -> None:
    assert settings(["A=1", "B=x=y", "C="]) == {"A": "1", "B": "x=y", "C": ""}
    with pytest.raises(UsageError, match="--set '=1'"):
        settings(["=1"])


def test_read_definition(tmp_path) -> None:
    (tmp_path / "d.json").write_text('{"Version": "x"}')
    assert read_definition(str(tmp_path / "d.json")) == {"Version": "x"}
    with pytest.raises(UsageError, match="holds no JSON object"):
        (tmp_path / "d.json").write_text("3")
        read_definition(str(tmp_path / "d.json"))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"Version": "2020-12-01", "Version": "x", "Steps": []}'])
def test_definition_files_that_cannot_be_read(tmp_path, text: str) -> None:
    (tmp_path / "d.json").write_text(text)
    with pytest.raises((UsageError, DefinitionError)):
        read_definition(str(tmp_path / "d.json"))

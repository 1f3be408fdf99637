from __future__ import annotations

import pytest

from trainyard.cli.local import read_definition, settings
from trainyard.errors import UsageError


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

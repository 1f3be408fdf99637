from __future__ import annotations

import json
import subprocess

import pytest

from trainyard.cli.given import read_definition, settings, with_revision
from trainyard.errors import DefinitionError, UsageError


def test_settings_may_hold_equals_signs() -> None:
    assert settings(["A=1", "B=x=y", "C="]) == {"A": "1", "B": "x=y", "C": ""}
    with pytest.raises(UsageError, match="--set '=1'"):
        settings(["=1"])


def test_settings_of_files_are_overridden_by_later_ones(tmp_path) -> None:
    ours, aws = tmp_path / "ours.json", tmp_path / "aws.json"
    ours.write_text(json.dumps({"Steps": 3000, "Alpha": 0.7, "Body": "15,21", "Jit": True}))
    aws.write_text(json.dumps([{"Name": "Steps", "Value": "5000"}]))
    assert settings(["Alpha=1", f"@{ours}", f"@{aws}", "Body=8"]) == {
        "Steps": "5000", "Alpha": "0.7", "Body": "8", "Jit": "true"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3", "holds no parameters"),
        ('[{"Name": "A"}]', "holds no parameters"),
        ('{"A": 1, "A": 2}', "same key twice"),
        (None, "cannot be read"),
    ],
)
def test_files_that_hold_no_settings(tmp_path, text, said) -> None:
    file = tmp_path / "f.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError, match=rf"--set '@.*f\.json'.*{said}"):
        settings([f"@{file}"])


def test_the_revision_is_given_to_those_who_ask_for_it(tmp_path) -> None:
    def git(*words: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    asks = {"Parameters": [{"Name": "GitRevision", "Type": "String", "DefaultValue": ""}]}
    assert with_revision(asks, {"A": "1"}, tmp_path) == {"A": "1"}  # no repository
    git("init", "-q")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-qm", "one")
    commit = git("rev-parse", "HEAD")
    assert with_revision(asks, {"A": "1"}, tmp_path) == {"A": "1", "GitRevision": commit}
    assert with_revision({"Parameters": []}, {}, tmp_path) == {}
    assert with_revision(asks, {"GitRevision": "mine"}, tmp_path) == {"GitRevision": "mine"}
    (tmp_path / "file").write_text("two")
    assert with_revision(asks, {}, tmp_path) == {"GitRevision": f"{commit}-dirty"}


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

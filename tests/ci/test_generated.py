from __future__ import annotations

import subprocess

from ci import generated
from ci.generated import Generated

FILE = Generated(
    name="NAMES",
    module="ci.names",
    text=" ".join,
    is_stale=lambda text, families, tracked: not tracked <= set(text.split()) <= set(families),
)


def test_tracked_are_the_families_that_git_knows(tmp_path, monkeypatch):
    monkeypatch.setattr(generated, "find_families", lambda root: dict.fromkeys(["a", "b"]))
    assert generated.tracked_families(tmp_path) == {"a", "b"}
    for name in ("a", "b"):
        (tmp_path / "containers" / name).mkdir(parents=True)
        (tmp_path / "containers" / name / "family.toml").touch()
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert generated.tracked_families(tmp_path) == set()
    subprocess.run(["git", "-C", tmp_path, "add", "containers/a"], check=True)
    assert generated.tracked_families(tmp_path) == {"a"}


def test_it_is_written_checked_and_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(generated, "repository_root", lambda: tmp_path)
    monkeypatch.setattr(generated, "find_families", lambda root: dict.fromkeys(["a", "b"]))
    assert generated.main(FILE, "", ["--check"]) == 1
    assert capsys.readouterr().err == "NAMES is stale; run: python -m ci.names --write\n"
    assert generated.main(FILE, "", ["--write"]) == 0
    assert (tmp_path / "NAMES").read_text() == "a b"
    assert generated.main(FILE, "", ["--check"]) == 0
    assert generated.main(FILE, "", []) == 0
    assert capsys.readouterr().out == "a b"
    monkeypatch.setattr(generated, "find_families", lambda root: {"b": None})
    assert generated.main(FILE, "", ["--check"]) == 1


def test_a_manifest_that_cannot_be_read_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "containers" / "a").mkdir(parents=True)
    (tmp_path / "containers" / "a" / "family.toml").write_text("name = ")
    monkeypatch.setattr(generated, "repository_root", lambda: tmp_path)
    assert generated.main(FILE, "", []) == 10
    assert "containers/a/family.toml: not TOML" in capsys.readouterr().err

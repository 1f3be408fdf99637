from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trainyard.cli.new import make_family
from trainyard.errors import UsageError
from trainyard.families import load, repository_root

ROOT = repository_root()
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".trainyard", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"
)


def contents(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def test_a_family_is_made_of_new_files_with_its_name_in_them(tmp_path):
    made = make_family(tmp_path, "tiny-line", "@acme/ml", 'A "tiny" line.')
    assert [str(path.relative_to(tmp_path)) for path in made] == [
        "tests/containers/tiny-line",
        "pipelines/tiny_line.py",
        "containers/tiny-line",
    ]
    family = load(tmp_path / "containers" / "tiny-line")
    assert (family.name, family.owner, family.description) == ("tiny-line", "@acme/ml", 'A "tiny" line.')
    assert (tmp_path / "tests" / "containers" / "tiny-line" / "test_tiny_line.py").exists()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 16
    assert not [path for path in files if path.suffix == ".tmpl" or "{{name}}" in path.read_text()]
    assert not [path for path in contents(tmp_path) if ".new-family" in path]


def test_what_is_made_is_formatted_and_without_complaint(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    make_family(tmp_path, "a-name-of-twenty-chr", "@acme/ml")
    for command in (["format", "--check"], ["check"]):
        ended = subprocess.run(
            [sys.executable, "-m", "ruff", *command, tmp_path], capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    ("name", "owner", "description", "message"),
    [
        ("Line", "@acme/ml", "", 'name = "Line": must be 1 to 63 lower-case letters'),
        ("../line", "@acme/ml", "", 'name = "../line": must be'),
        ("9", "@acme/ml", "", 'name = "9": must be'),
        ("line-", "@acme/ml", "", 'name = "line-": must be'),
        ("line", "acme", "", 'owner = "acme": must be a team or a person'),
        ("line", "@acme/ml", "a\nb", 'description = "a\\nb": must be one line'),
    ],
)
def test_what_no_family_can_have_is_refused(tmp_path, name, owner, description, message):
    with pytest.raises(UsageError) as error:
        make_family(tmp_path, name, owner, description)
    assert message in str(error.value)
    assert contents(tmp_path) == set()


@pytest.mark.parametrize("there", ["containers/line", "pipelines/line.py", "tests/containers/line"])
def test_nothing_that_is_there_is_touched(tmp_path, there):
    (tmp_path / there).mkdir(parents=True)
    before = contents(tmp_path)
    with pytest.raises(UsageError, match=f"{there} is already there; choose another name, or delete it"):
        make_family(tmp_path, "line", "@acme/ml")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("blocked", ["containers", "pipelines", "tests"])
def test_it_is_all_or_nothing(tmp_path, blocked):
    (tmp_path / blocked).touch()  # a file where a folder is needed
    with pytest.raises(UsageError, match=r"tiny cannot be made in .*; nothing was left behind"):
        make_family(tmp_path, "tiny", "@acme/ml")
    assert [path for path in contents(tmp_path) if "tiny" in path] == []


@pytest.mark.slow
def test_a_family_is_added_run_tested_and_deleted_without_a_trace(tmp_path):
    """In a copy of this repository, as somebody would who has just cloned it."""
    root = tmp_path / "trainyard"
    shutil.copytree(ROOT, root, ignore=NOT_COPIED, symlinks=True)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{root / 'shared'}:{root}",
        "TRAINYARD_HOME": str(tmp_path / "home"),
    }
    environment |= {"PYTHONDONTWRITEBYTECODE": "1"}

    def call(*command: str | Path) -> str:
        ended = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    cli = (sys.executable, "-m", "trainyard.cli")
    call("git", "init", "-q")
    call("git", "add", "-A")
    call("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "before")
    call(*cli, "new", "tiny-line", "--owner", "@acme/ml")
    changes = call("git", "status", "--porcelain").splitlines()
    assert changes
    assert all(change.startswith("?? ") and "tiny" in change for change in changes), changes
    call(sys.executable, "-m", "ci.codeowners", "--check")

    assert "Succeeded" in call(*cli, "run", "tiny-line")
    (group,) = json.loads(call(*cli, "models", "--json"))
    assert (group["ModelPackageGroupName"], group["versions"]) == ("tiny-line", 1)
    pytest_too = (*cli, "test", "-p", "no:cacheprovider")
    call(*pytest_too, "tests/containers/tiny-line", "tests/conformance", "-k", "tiny")
    structure = (f"tests/test_{name}.py" for name in ("import_directions", "budgets", "namesakes"))
    complaints = subprocess.run(
        (*pytest_too, *structure), cwd=root, env=environment, capture_output=True, text=True
    )
    assert "tiny" not in complaints.stdout
    assert " passed" in complaints.stdout

    for change in changes:
        place = root / change.removeprefix("?? ")
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    assert call("git", "status", "--porcelain") == ""
    call(sys.executable, "-m", "ci.codeowners", "--check")
    assert "tiny-line" not in call(*cli, "families")

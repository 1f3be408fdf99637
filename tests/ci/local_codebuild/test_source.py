from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ci.local_codebuild.source import Origin, copy, origin
from trainyard.errors import SetupError

NAMES = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@b",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@b",
}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    environment = {**os.environ, **NAMES}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


@pytest.fixture
def repository(source):
    """With a tracked, a changed, a deleted, an untracked and an ignored file, and a link."""
    git(source, "init", "-q", "-b", "main")
    for name in ("tracked", "changed", "deleted", "sub/one.sh"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text("old")
    (source / "sub/one.sh").chmod(0o755)
    (source / ".gitignore").write_text("ignored\n")
    (source / "link").symlink_to("nowhere")
    git(source, "add", "-A")
    git(source, "commit", "-qm", "one")
    git(source, "commit", "-qm", "two", "--allow-empty")
    (source / "changed").write_text("new")
    (source / "deleted").unlink()
    (source / "ignored").write_text("x")
    (source / "sub/ä ö\n").write_text("x")
    return source


def files(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return {str(path) for path in found if path.parts[0] != ".git"}


def test_the_copy_is_what_git_would_commit(repository, tmp_path):
    to = tmp_path / "out/src"
    assert copy(repository, to, tmp_path / "out") == []
    assert files(to) == {".gitignore", "tracked", "changed", "sub/one.sh", "sub/ä ö\n", "link"}
    assert (to / "changed").read_text() == "new" and (to / "link").is_symlink()
    assert os.access(to / "sub/one.sh", os.X_OK)


def test_the_copy_is_a_clone_at_the_same_commit(repository, tmp_path):
    git(repository, "remote", "add", "origin", "https://host/r.git")
    to = tmp_path / "src"
    copy(repository, to, tmp_path / "out")
    assert git(to, "rev-parse", "HEAD") == git(repository, "rev-parse", "HEAD")
    assert git(to, "status", "--porcelain", "-z") == git(repository, "status", "--porcelain", "-z")
    assert git(to, "remote", "get-url", "origin") == "https://host/r.git"
    assert git(to, "log", "--format=%s").split() == ["two", "one"]
    git(to, "commit", "-qam", "three")
    assert git(repository, "log", "--format=%s").split() == ["two", "one"]


def test_a_folder_of_a_repository_is_copied_without_git(repository, tmp_path):
    to = tmp_path / "src"
    copy(repository / "sub", to, tmp_path / "out")
    assert files(to) == {"one.sh", "ä ö\n"} and not (to / ".git").exists()


def test_a_repository_without_commits(source, tmp_path):
    git(source, "init", "-q")
    (source / "a").write_text("a")
    copy(source, tmp_path / "src", tmp_path / "out")
    assert files(tmp_path / "src") == {"a"} and (tmp_path / "src/.git").is_dir()


def test_a_folder_that_is_no_repository_is_copied_whole(source, tmp_path):
    (source / "deep").mkdir()
    (source / "deep/a").write_text("a")
    (source / "link").symlink_to("deep")
    os.mkfifo(source / "pipe")
    assert copy(source, tmp_path / "src", tmp_path / "out") == []
    assert files(tmp_path / "src") == {"deep/a", "link"} and (tmp_path / "src/link").is_symlink()


@pytest.mark.parametrize("is_repository", [True, False])
def test_outputs_below_the_source_are_not_copied(source, is_repository):
    if is_repository:
        git(source, "init", "-q")
    (source / "a").write_text("a")
    out = source / "out"
    (out / "build").mkdir(parents=True)
    (out / "result.json").write_text("{}")
    copy(source, out / "build/src", out)
    assert files(out / "build/src") == {"a"}


def test_repositories_inside_are_left_out(repository, tmp_path):
    git(repository, "clone", "-q", str(repository), str(repository / "inner"))
    git(repository, "add", "inner")
    (note,) = copy(repository, tmp_path / "src", tmp_path / "out")
    assert note == "inner is a repository of its own (a submodule?) and is left out"


def test_git_is_asked_about_this_folder_alone(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))  # as in a hook of another repository
    copy(repository, tmp_path / "src", tmp_path / "out")
    assert "tracked" in files(tmp_path / "src")


def test_what_git_refuses_is_said(repository, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/x").touch()
    with pytest.raises(SetupError, match=r"the source cannot be copied: .*already exists"):
        copy(repository, tmp_path / "src", tmp_path / "out")


def test_where_a_source_comes_from(repository):
    git(repository, "remote", "add", "origin", "https://me:token@host/r.git")
    assert origin(repository) == Origin(
        url="https://host/r.git",
        branch="main",
        commit=git(repository, "rev-parse", "HEAD"),
        previous=git(repository, "rev-parse", "HEAD~1"),
    )
    git(repository, "checkout", "-q", "--detach", "HEAD~1")
    found = origin(repository)
    assert found.branch is None and found.previous is None and found.commit


def test_a_folder_that_comes_from_nowhere(source):
    assert origin(source) == Origin(url=source.as_uri())

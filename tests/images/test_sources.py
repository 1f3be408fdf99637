from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from trainyard.errors import SourceUnavailable
from trainyard.families import Source
from trainyard.images import sources
from trainyard.images.sources import given, require

COMMIT = "0" * 40
PACKAGE = Source(
    package="thing", variable="THING_SOURCE", default=f"git+https://host.invalid/thing@{COMMIT}", compiled=False
)  # fmt: skip


def at(value: Path | str) -> sources.Given:
    return given(PACKAGE, {"THING_SOURCE": str(value)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "setup.py",
        "thing/__init__.py",
        "build/old.o",
        ".git/config",
        "thing.egg-info/x",
        "thing/build",
    ):
        file = tmp_path / "thing" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path / "thing"


def test_without_the_variable_it_is_the_default():
    for environment in ({}, {"THING_SOURCE": ""}):
        found = given(PACKAGE, environment)
        assert found.value == found.identity == found.argument == PACKAGE.default
        assert found.path is None and found.files == {}


def test_a_folder_is_what_is_in_it_without_what_builds_leave_there(folder, tmp_path):
    found = at(folder)
    names = [f"sources/thing/{name}" for name in ("setup.py", "thing/__init__.py", "thing/build")]
    assert list(found.files) == list(found.digests) == names
    assert found.argument == "/sources/thing"
    before = found.identity
    (folder / "build" / "old.o").write_text("other")
    moved = folder.rename(tmp_path / "elsewhere")
    assert at(moved).identity == before
    (moved / "thing" / "__init__.py").write_text("other")
    assert at(moved).identity != before


@pytest.mark.parametrize("name", ["thing-1-py3-none-any.whl", "thing-1.tar.gz", "thing.zip"])
def test_a_file_is_its_bytes_whatever_link_leads_to_it(tmp_path, name):
    file, link = tmp_path / name, tmp_path / f"link-{name}"
    file.write_bytes(b"one")
    link.symlink_to(file)
    assert at(link) == at(file)
    assert list(at(file).files) == [f"sources/thing/{name}"] and at(file).argument == f"/sources/thing/{name}"
    before = at(file).identity
    file.write_bytes(b"two")
    assert at(link).identity != before


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere", "nowhere: there is no such file or folder"),
        ("empty", "empty: that folder has neither a pyproject.toml nor a setup.py"),
        ("text", "text: that file is none of .whl, .tar.gz, .zip"),
        (
            "https://host/thing.whl",
            "THING_SOURCE=https://host/thing.whl: that is no git URL such as git+https://",
        ),
    ],
)
def test_what_is_no_source_is_said_with_the_two_ways_out(tmp_path, name, reason):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").touch()
    with pytest.raises(SourceUnavailable) as refused:
        at(name if "://" in name else tmp_path / name)
    message = str(refused.value)
    assert message.startswith("thing is on no package index, and its source cannot be had: THING_SOURCE=")
    assert reason in message and "\n" not in message
    assert (
        "make that reachable, or set THING_SOURCE to a git URL (git+https://HOST/PATH@COMMIT), a folder"
        in message
    )


def test_a_repository_is_asked_for_without_its_commit(tmp_path):
    repository = tmp_path / "thing.git"
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        if command[0] == "init":
            subprocess.run(["git", *command, str(repository)], check=True)
        else:
            subprocess.run(["git", "-C", str(repository), *identity, *command], check=True)
    require(at(f"git+file://{repository}@{COMMIT}#egg=thing"))
    with pytest.raises(SourceUnavailable, match=r"git\+file://.*elsewhere.*does not (exist|appear)"):
        require(at(f"git+file://{tmp_path}/elsewhere@{COMMIT}"))


def test_a_host_that_does_not_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(sources, "_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"git+https://me:secret@127.0.0.1:{silent.getsockname()[1]}/thing"
        start = time.monotonic()
        with pytest.raises(SourceUnavailable, match=r"no answer from there within 0\.5 s") as refused:
            require(at(url))
    assert time.monotonic() - start < 5
    assert "secret" not in str(refused.value)


def test_nobody_is_asked_for_a_password(monkeypatch):
    """A server that wants one: git gives up at once, and its reason is said in one line."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(
                        b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n"
                        b"Connection: close\r\n\r\n"
                    )

        threading.Thread(target=refuse, daemon=True).start()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with pytest.raises(SourceUnavailable, match="fatal: ") as refused:
            require(at(f"git+http://127.0.0.1:{server.getsockname()[1]}/thing"))
        server.shutdown(socket.SHUT_RDWR)
    assert "\n" not in str(refused.value)


def test_without_git_that_is_the_reason(monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(SourceUnavailable, match="git cannot be run: "):
        require(at(PACKAGE.default))


def test_git_trusts_whom_pip_trusts(tmp_path, monkeypatch):
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    for name in ("GIT_SSL_CAINFO", *sources.CA_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    assert "GIT_SSL_CAINFO" not in sources.git_variables()
    monkeypatch.setenv("PIP_CERT", str(bundle))
    assert sources.git_variables()["GIT_SSL_CAINFO"] == str(bundle)
    monkeypatch.setenv("GIT_SSL_CAINFO", "/theirs")
    assert "GIT_SSL_CAINFO" not in sources.git_variables()

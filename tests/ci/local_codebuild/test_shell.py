from __future__ import annotations

import contextlib
import os
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci.local_codebuild.shell import Shell

SHELLS = pytest.mark.parametrize("program", ["sh", "bash"])
PATH = os.environ["PATH"]


@contextlib.contextmanager
def shell_of(program: str, **variables: str) -> Iterator[tuple[Shell, Path]]:
    """A shell that starts in an empty folder, and the file that its commands print to."""
    with TemporaryDirectory() as name, Path(name, "printed").open("wb") as printed:
        base = Path(name)
        for each in ("start", "scratch"):
            (base / each).mkdir()
        environment = {"PATH": PATH, "CODEBUILD_BUILD_ID": f"test:{name}", **variables}
        shell = Shell(program, environment, base / "start", printed.fileno(), base / "scratch")
        try:
            yield shell, base / "printed"
        finally:
            shell.close()


@pytest.fixture(params=["sh", "bash"])
def started(request):
    with shell_of(request.param, GIVEN="it") as (shell, printed):
        yield shell, printed


def wait_for(file: Path) -> str:
    for _ in range(500):
        if file.exists() and file.read_text().endswith("\n"):
            return file.read_text().strip()
        time.sleep(0.01)
    raise AssertionError(f"{file} was not written")


VALUES = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30
) | st.text(alphabet="'\"\\$`\n\t !*~#;&|(){}[]<>=äé€😀\x01\x7f\x81", max_size=12)
NAMES = st.from_regex(r"X[A-Za-z0-9_]{0,5}", fullmatch=True)


@SHELLS
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    first=st.dictionaries(NAMES, VALUES, max_size=4),
    changed=st.dictionaries(NAMES, VALUES, max_size=3),
    removed=st.lists(NAMES, max_size=2),
    name=st.text(alphabet="a '\"$\n-äé*\\", min_size=1, max_size=8),
)
def test_variables_and_the_folder_are_carried_over_exactly(program, first, changed, removed, name):
    with shell_of(program, **first) as (shell, printed):
        folder = printed.parent / "start" / name
        folder.mkdir()
        lines = [f"export {key}={shlex.quote(value)}" for key, value in changed.items()]
        lines += [f"unset {key}" for key in removed]
        assert shell.run("\n".join([f"cd ./{shlex.quote(name)}", *lines])) == 0
        assert shell.run(":") == 0
        assert shell.run("env -0 > seen") == 0
        seen = dict(line.split(b"=", 1) for line in (folder / "seen").read_bytes().split(b"\0") if line)
        expected = {key: value for key, value in {**first, **changed}.items() if key not in removed}
        found = {os.fsdecode(key): os.fsdecode(value) for key, value in seen.items() if key[:1] == b"X"}
        assert found == expected
        assert {key: shell.value(key) for key in expected} == expected
        assert os.fsdecode(seen[b"PWD"]) == str(folder)


@pytest.mark.parametrize(
    ("first", "second", "printed"),
    [
        ("export A=1", "echo $A", "1"),
        ("A=1", "echo [$A]", "[]"),
        ("unset GIVEN", "echo [$GIVEN]", "[]"),
        ("GIVEN=changed", "echo $GIVEN", "changed"),
        ("f() { echo f; }", "f || echo none", "none"),
        ("set -eu", "false; echo $NOT_SET on", "on"),
        ("mkdir x y; cd x; cd ../y", "basename $PWD; basename $OLDPWD", "y\nx"),
        ("export A=1; exit 3", "echo $A", "1"),
        ("export A=1; false", "echo $A", "1"),
        ("export A=1; set -e; false; export A=2", "echo $A", "1"),
        ("set -u; export A=1; echo $NOT_SET", "echo $A", "1"),
        ("set -Cf; touch x; export A=1", "echo $A *; echo over > x", "1 x"),
        ("set -x; export A=1", "echo $A", "1"),
        ("trap 'echo bye' EXIT; export A=1", "echo $A", "bye\n1"),
        ("(cd /; export A=1)", "echo [$A]", "[]"),
        ("export A=1; kill -9 $$", "echo [$A]", "[]"),
        ("export A=1; exec true", "echo [$A]", "[]"),
        ("export A=1 \\", "echo $A", "1"),
        ("export A=1 # a comment", "echo $A", "1"),
        ("cat <<X\ntext\nX", "echo after", "text\nafter"),
        ("IFS=x; export A=axb", 'echo "$A"', "axb"),
        ("read line || echo nothing to read", "true", "nothing to read"),
        ("mkdir x; cd x; rmdir ../x", "echo this is not run", ""),
    ],
)
def test_what_one_command_leaves_to_the_next(started, first, second, printed):
    shell, file = started
    shell.run(first)
    shell.run(second)
    lines = file.read_text().splitlines()
    found = [line for line in lines if not line.startswith("+") and "script.sh" not in line]
    assert "\n".join(found) == printed


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("true", 0),
        ("exit 7", 7),
        ("false\ntrue", 0),
        ("false | true", 0),
        ("set -e\nfalse\ntrue", 1),
        ("(exit 5)", 5),
        ("false && true", 1),
        ("trap 'true' EXIT; exit 4", 4),
        ("trap 'true' EXIT; (exit 4)", 4),
        ("no_such_command_here", 127),
        ("kill -9 $$", 137),
        ("kill -TERM $$", 143),
    ],
)
def test_the_status_of_a_command(started, command, status):
    assert started[0].run(command) == status


@pytest.mark.parametrize("command", ["if true", "echo 'open", "fi", "echo ) x"])
def test_a_command_that_the_shell_cannot_read_fails_alone(started, command):
    shell, _ = started
    shell.run("export A=1")
    assert shell.run(command) not in (0, None)
    assert shell.value("A") == "1"


def test_only_bash_has_what_bash_has():
    for program, status in (("bash", 0), ("sh", 127)):
        with shell_of(program) as (shell, _):
            assert shell.run("[[ a == a ]]") == status


def test_variables_of_one_command_are_on_top(started):
    shell, printed = started
    shell.run("export CODEBUILD_BUILD_SUCCEEDING=5")
    shell.run("echo $CODEBUILD_BUILD_SUCCEEDING", CODEBUILD_BUILD_SUCCEEDING="0")
    assert printed.read_text() == "0\n"


def test_names_are_expanded_as_between_double_quotes(started):
    shell, _ = started
    shell.run("export A='x  y'")
    assert shell.expand('n-$A-$(echo "q  r")-`echo b`-*') == "n-x  y-q  r-b-*"
    assert shell.expand("$(exit 3") is None
    assert shell.value("NOT_SET") is None


@pytest.mark.parametrize("start", ["", "setsid ", "nohup ", "trap '' TERM; "])
def test_what_runs_on_is_not_waited_for_and_ends_with_the_build(program_and_folder, start):
    program, folder = program_and_folder
    begin = time.monotonic()
    with shell_of(program) as (shell, _):
        file = shlex.quote(str(folder / "pid"))
        assert shell.run(f"{start}sh -c 'echo $$ > {file}; while :; do sleep 1; done' &") == 0
        pid = int(wait_for(folder / "pid"))
        assert shell.run("true") == 0
        assert Path(f"/proc/{pid}").exists()
    assert not is_running(pid) and time.monotonic() - begin < 10


@pytest.fixture(params=["sh", "bash"])
def program_and_folder(request, tmp_path):
    return request.param, tmp_path


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from trainyard import __version__
from trainyard.cli import main as cli
from trainyard.errors import NotFound
from trainyard.families import repository_root

ROOT = repository_root()
START_BUDGET = 0.2


def trainyard(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "trainyard", *arguments], capture_output=True, text=True, **options)


@pytest.fixture
def command(monkeypatch):
    """Make ``trainyard families`` run a function of the test's, with other settings if it wants."""

    def make(run, **settings):
        module = type(
            "module", (), {"add_arguments": staticmethod(lambda parser: None), "run": staticmethod(run)}
        )
        monkeypatch.setitem(sys.modules, "trainyard.cli.made_up", module)
        monkeypatch.setitem(
            cli.COMMANDS, "made-up", cli.Command("trainyard.cli.made_up", "for tests", **settings)
        )

    return make


def fail(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_that_end_a_command_let_it_put_things_away(number):
    code = (
        "import os, sys\nfrom trainyard.cli import main\n"
        "main._run = lambda *given: os.kill(os.getpid(), int(sys.argv[1]))\nraise SystemExit(main.main([]))"
    )
    command = [sys.executable, "-c", code, str(int(number))]
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "shared")}
    ended = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (130, "trainyard: interrupted\n")
    command = ["nohup", *command]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert ended.returncode == (0 if number == signal.SIGHUP else 130)


@pytest.mark.parametrize(
    ("run", "code", "message"),
    [
        (lambda args: 7, 7, ""),
        (lambda args: fail(NotFound("no such thing")), 23, "trainyard: no such thing\n"),
        (lambda args: fail(KeyboardInterrupt()), 130, "trainyard: interrupted\n"),
    ],
)
def test_an_expected_failure_is_one_line_and_its_exit_code(command, capsys, run, code, message):
    command(run)
    assert cli.main(["made-up"]) == code
    assert capsys.readouterr().err == message


def test_a_bug_keeps_its_traceback(command):
    command(lambda args: fail(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(["made-up"])


def test_the_environment_is_entered_after_the_arguments_are_found_right(command):
    entered = []
    command(lambda args: 0, lock="host")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["made-up", "--wrong"], enter=lambda *call: entered.append(call))
    assert entered == []
    cli.main(["made-up"], enter=lambda *call: entered.append(call))
    assert entered == [("host", ["made-up"])]


def test_a_command_without_lock_enters_nothing(command):
    command(lambda args: 0)
    assert cli.main(["made-up"], enter=lambda lock, arguments: fail(AssertionError())) == 0


def test_arguments_are_passed_on_in_their_order(command):
    seen = []
    command(lambda args: seen.append(args.passed_on) or 0, passes_on=True)
    assert cli.main(["made-up", "-k", "a or b", "tests/cli", "-x", "--co"]) == 0
    assert seen == [["-k", "a or b", "tests/cli", "-x", "--co"]]


def test_an_unknown_command_is_answered_with_what_there_is(capsys):
    assert cli.main(["famlies"]) == 2
    message = capsys.readouterr().err
    assert message.startswith(
        "trainyard: no command 'famlies'; did you mean families?; there are: run, step,"
    )


def test_help_lists_every_command_without_importing_it(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    page = capsys.readouterr().out
    assert all(name in page and command.help in page for name, command in cli.COMMANDS.items())
    assert cli.main([]) == 0
    assert capsys.readouterr().out == page


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_keeps_the_contract(name, capsys):
    module = importlib.import_module(cli.COMMANDS[name].module)
    module.add_arguments(argparse.ArgumentParser(allow_abbrev=False))
    assert callable(module.run)
    with pytest.raises(SystemExit, match="0"):
        cli.main([name, "--help"])
    assert f"usage: trainyard {name}" in capsys.readouterr().out


def test_a_reader_that_leaves_early_is_not_an_error():
    command = f"{ROOT / 'trainyard'} families --json | head -c 1"
    ended = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert ended.stderr == ""
    assert ended.returncode in (0, 141)


def test_ctrl_c_ends_with_130():
    program = """if True:
        import sys, types, time
        from trainyard.cli import main as cli
        module = types.ModuleType("slow")
        module.add_arguments = lambda parser: None
        module.run = lambda args: print("ready", flush=True) or time.sleep(60)
        sys.modules["slow"] = module
        cli.COMMANDS["slow"] = cli.Command("slow", "waits")
        sys.exit(cli.main(["slow"]))"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "shared")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10)[1] == "trainyard: interrupted\n"
    assert process.returncode == 130


def test_version():
    assert trainyard("--version").stdout == f"trainyard {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["families"], ["models"], ["new", "--help"], ["run", "--help"], ["step", "--help"]],
)
def test_commands_that_need_no_sdk_start_at_once(arguments, tmp_path):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        assert trainyard(*arguments, env={**os.environ, "TRAINYARD_HOME": str(tmp_path)}).returncode == 0
        times.append(time.perf_counter() - start)
    assert min(times) < START_BUDGET, times


def test_the_json_of_a_light_command_is_all_of_its_output():
    ended = trainyard("families", "--json")
    assert json.loads(ended.stdout)
    assert ended.stderr == ""


def test_names_of_files_that_are_no_text_can_be_printed(capsys, monkeypatch):
    monkeypatch.setattr("trainyard.cli.families.run", lambda args: print("caf\udce9.py") or 0)
    assert cli.main(["families"]) == 0
    assert capsys.readouterr().out == "caf\\udce9.py\n"

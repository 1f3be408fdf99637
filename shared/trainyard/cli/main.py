"""Import and run the one command that was asked for, and turn expected failures into exit codes."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, cast

from trainyard import __version__
from trainyard.errors import UsageError, UserError
from trainyard.readers import closest


class Command(NamedTuple):
    module: str
    help: str
    # The packages it needs, see cli.environment.LOCKS; without any it starts at once.
    lock: str = ""
    # Arguments it does not know are no error: it finds them in args.passed_on.
    passes_on: bool = False


class CommandModule(Protocol):
    """What the module of a command offers."""

    # Describe the arguments; imports nothing heavy.
    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    # Do it; the answer is the exit code. Expected failures are raised as UserError.
    def run(self, args: argparse.Namespace) -> int: ...


COMMANDS = {
    "run": Command("trainyard.cli.run", "run a family's pipeline, or any pipeline definition", "host"),
    "step": Command("trainyard.cli.step", "run one step of a family's pipeline alone", "host"),
    "executions": Command("trainyard.cli.executions", "list executions, or show one with its steps"),
    "logs": Command("trainyard.cli.logs", "show or follow the log of a step"),
    "callback": Command("trainyard.cli.callback", "answer a callback step that waits, or list those that do"),
    "models": Command("trainyard.cli.models", "list, compare, approve and reject model packages"),
    "serve": Command("trainyard.cli.serve", "serve a registered model package over HTTP", "host"),
    "invoke": Command("trainyard.cli.invoke", "send a request to a served model", "host"),
    "local": Command(
        "trainyard.cli.local_aws", "AWS on this machine, for boto3, the aws CLI and the SDK", "host"
    ),
    "s3": Command("trainyard.cli.s3", "list and copy objects of the local S3"),
    "families": Command("trainyard.cli.families", "list families, or show what a family's manifest says"),
    "build": Command("trainyard.cli.build", "build the families' images, and push them to a registry"),
    "check": Command("trainyard.cli.check", "check an image against SageMaker's container contract", "host"),
    "bench": Command(
        "trainyard.cli.bench", "measure a family's quality on public data, beside a peer's", "host", True
    ),
    "new": Command("trainyard.cli.new", "make a new family that already trains and serves"),
    "test": Command(
        "trainyard.cli.test", "run all tests, or those that pytest's arguments choose", "test", True
    ),
}


def main(argv: Sequence[str] | None = None, enter: Callable[[str, Sequence[str]], None] | None = None) -> int:
    """Run one command and return its exit code (trainyard.errors lists them).

    ``enter`` is called with the command's lock before a command that has one runs.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files are any bytes
    _heed_signals()
    try:
        code = _run(arguments, enter)
        sys.stdout.flush()
    except UserError as error:
        print(f"trainyard: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("trainyard: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


def _heed_signals() -> None:
    """SIGTERM and the terminal's end interrupt a command as Ctrl-C does: it may have things to put away."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores
            signal.signal(number, signal.default_int_handler)


def _run(arguments: list[str], enter: Callable[[str, Sequence[str]], None] | None) -> int:
    chosen = next((argument for argument in arguments if not argument.startswith("-")), "")
    if chosen and chosen not in COMMANDS:
        raise UsageError(
            f"no command {chosen!r}{closest(chosen, list(COMMANDS))}; there are: {', '.join(COMMANDS)}"
        )
    parser, module = _parser(chosen)
    args, unknown = parser.parse_known_args(arguments)
    if module is None:
        parser.print_help()
        return 0 if not arguments else 2
    command = COMMANDS[chosen]
    if command.passes_on:
        args.passed_on = unknown
    elif unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if enter and command.lock:
        enter(command.lock, arguments)
    return module.run(args)


def _parser(chosen: str) -> tuple[argparse.ArgumentParser, CommandModule | None]:
    """A parser that knows all commands by name, and the arguments of the chosen one."""
    parser = argparse.ArgumentParser(
        prog="trainyard",
        description="SageMaker pipelines of many model families, run on this machine.",
        epilog="`trainyard COMMAND --help` says what a command takes.",
        allow_abbrev=False,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=16),
    )
    parser.add_argument("--version", action="version", version=f"trainyard {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands", dest="command")
    module = None
    for name, command in COMMANDS.items():
        its_parser = commands.add_parser(
            name,
            help=command.help,
            description=f"{command.help[0].upper()}{command.help[1:]}.",
            allow_abbrev=False,
        )
        if name == chosen:
            module = cast(CommandModule, importlib.import_module(command.module))
            module.add_arguments(its_parser)
    return parser, module

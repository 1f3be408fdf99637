"""Whether ``train`` and ``serve`` are there and can start: where on PATH, mode, links, interpreter, line ends."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator

from trainyard.preflight.archive import Entry
from trainyard.preflight.checks import Finding
from trainyard.preflight.configuration import INITS, SHELLS, shell_form
from trainyard.preflight.subject import Still
from trainyard.preflight.tree import Program

_ELF = b"\x7fELF"
_CARRIAGE = "lines end in CRLF"
_FIX_LINES = "convert it with `sed -i 's/\\r$//'` and keep it so with `*.sh text eol=lf` in .gitattributes"


def is_script(head: bytes) -> bool:
    return head.startswith(b"#!")


def train(still: Still) -> Iterator[Finding]:
    yield from _contract_program(still, "train")


def serve(still: Still) -> Iterator[Finding]:
    yield from _contract_program(still, "serve")


def _contract_program(still: Still, name: str) -> Iterator[Finding]:
    found = still.tree.look_up(name, still.search_path, still.image.working_folder)
    if found.path:
        yield from _startable(still, name, found)
        return
    needed = _runs_its_arguments(still.image.entrypoint)
    where = f"no file {name!r} on the image's PATH ({still.search_path})"
    if needed:
        yield Finding(
            rule=f"no-{name}",
            message=f"{where}: SageMaker runs `docker run IMAGE {name}`; add an executable file of that name",
        )
    else:
        yield Finding(
            rule=f"no-{name}",
            severity="warning",
            message=f"{where}: the entry point {list(still.image.entrypoint)} must know the argument `{name}` itself",
        )


def entry_scripts(still: Still) -> Iterator[Finding]:
    """The entry point's program, and every script that it is given by name."""
    entrypoint = still.image.entrypoint
    words = [*entrypoint[:1], *_words(entrypoint[2])] if shell_form(entrypoint) else list(entrypoint)
    for number, word in enumerate(words):
        found = still.tree.look_up(word, still.search_path, still.image.working_folder)
        starts = number == 0 or (number == 1 and shell_form(entrypoint))
        if starts and not found.path:
            yield Finding(
                rule="no-entry-point",
                message=f"ENTRYPOINT {list(entrypoint)}: there is no {word!r} in the image; the container cannot start",
            )
        elif starts:
            yield from _startable(still, word, found)
        elif found.entry and found.entry.is_file and "/" in word:
            yield from _line_ends(found.entry)


def _runs_its_arguments(entrypoint: tuple[str, ...]) -> bool:
    """Whether what comes behind the entry point is run as a program, as far as that can be known.

    A shell form runs nothing of it, but was hardly meant so.
    """
    return (
        not entrypoint
        or shell_form(entrypoint)
        or posixpath.basename(entrypoint[0]) in (*INITS, "env", "exec", "nohup", "setpriv", "gosu")
    )


def _startable(still: Still, name: str, found: Program) -> Iterator[Finding]:
    entry = found.entry
    if entry is None:
        yield Finding(
            rule="broken-link", message=f"{name}: {found.broken} leads to nothing in the image; mend the link"
        )
        return
    if not entry.is_file:
        yield Finding(rule="no-file", message=f"{name}: {found.path} is no file")
        return
    if not entry.mode & 0o111:
        yield Finding(
            rule="not-executable",
            message=f"{name}: /{entry.path} has mode {entry.mode & 0o7777:04o}, not executable; "
            f"chmod 755 it before COPY, or RUN chmod +x /{entry.path}",
        )
    if entry.magic != _ELF:
        yield from _line_ends(entry)
        yield from _interpreter(still, name, entry)


def _line_ends(entry: Entry) -> Iterator[Finding]:
    """The kernel takes a shebang's carriage return for part of the name; shells stumble over any other."""
    first, _, rest = entry.head.partition(b"\n")
    if not is_script(entry.head):
        return
    interpreter = first.rstrip(b"\r").split(b"/")[-1].split()
    shell = bool(interpreter) and interpreter[-1].decode("utf-8", "replace") in SHELLS
    if first.endswith(b"\r"):
        text = first.rstrip(b"\r").decode("utf-8", "replace")
        yield Finding(
            rule="crlf",
            message=f"/{entry.path}: its {_CARRIAGE}: the kernel looks for the interpreter {text.removeprefix('#!')!r} "
            f"with a carriage return behind it; {_FIX_LINES}",
        )
    elif shell and b"\r\n" in rest:
        line = rest[: rest.index(b"\r\n")].count(b"\n") + 2
        yield Finding(
            rule="crlf",
            message=f"/{entry.path}: {_CARRIAGE} (the first is line {line}), which the shell takes for part of its "
            f"commands; {_FIX_LINES}",
        )


def _interpreter(still: Still, name: str, entry: Entry) -> Iterator[Finding]:
    first = entry.head.split(b"\n", 1)[0].rstrip(b"\r").decode("utf-8", "replace")
    words = first.removeprefix("#!").split()
    if not first.startswith("#!") or not words:
        yield Finding(
            rule="no-shebang",
            message=f"{name}: /{entry.path} is neither a program nor a script: its first line is no shebang; "
            "begin it with one, such as #!/bin/sh",
        )
        return
    needed = [words[0]]
    if posixpath.basename(words[0]) == "env":
        needed += [word for word in words[1:] if not word.startswith("-") and "=" not in word][:1]
    for interpreter in needed:
        if still.tree.look_up(interpreter, still.search_path).entry is None:
            yield Finding(
                rule="no-interpreter",
                message=f"{name}: /{entry.path} begins with {first!r}, but the image has no {interpreter}; "
                "install it, or name one that is there",
            )


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    return words[1:] if words[:1] == ["exec"] else words

from __future__ import annotations

import pytest

from tests.preflight.conftest import file, link
from trainyard.preflight.programs import entry_scripts, is_script, serve, train


def rules(check, still):
    return [(finding.rule, finding.severity) for finding in check(still)]


def test_programs_without_fault(still):
    good = still(files={"entry.sh": "#!/bin/sh\nexec $@\n"}, entrypoint=("/entry.sh",))
    assert [rules(check, good) for check in (train, serve, entry_scripts)] == [[], [], []]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x7fELF\r\n", []),
        ("#!/bin/sh\ntrue\n", []),
        ("#! /bin/sh -e\ntrue\n", []),
        ("#!/bin/sh\r\ntrue\r\n", ["crlf"]),
        ("#!/bin/sh\ntrue\r\n", ["crlf"]),
        ("#!/usr/bin/env -S sh -e\n", []),
        ("#!/usr/bin/python\nprint()\r\n", []),  # Python reads any line end
        ("#!/usr/bin/env python9\n", ["no-interpreter"]),
        ("#!/bin/zsh\n", ["no-interpreter"]),
        ("#!\n", ["no-shebang"]),
        ("echo\n", ["no-shebang"]),
        ("", ["no-shebang"]),
    ],
)
def test_whether_a_program_can_start(still, text, expected):
    image = still(files={"usr/bin/train": text, "usr/bin/env": "\x7fELF", "usr/bin/python": "\x7fELF"})
    assert [rule for rule, _ in rules(train, image)] == expected
    assert is_script(text.encode()) == text.startswith("#!")


def test_modes_links_and_absence(still):
    image = still(
        files={
            "usr/bin/serve": link("usr/bin/serve", "/gone"),
            "usr/bin/train": file("usr/bin/train", "#!/bin/sh\n", 0o644),
        }
    )
    assert rules(train, image) == [("not-executable", "error")]
    [broken] = serve(image)
    assert "/usr/bin/serve -> /gone" in broken.message
    absent = {"environment": {"PATH": "/opt"}}
    assert rules(serve, still(**absent)) == [("no-serve", "error")]
    assert rules(serve, still(entrypoint=("/usr/bin/env",), **absent)) == [("no-serve", "error")]
    assert rules(serve, still(entrypoint=("/bin/sh", "-c", "x"), **absent)) == [("no-serve", "error")]
    assert rules(serve, still(entrypoint=("/bin/sh", "/x"), **absent)) == [("no-serve", "warning")], (
        "a program of its own may know what to do with `serve`"
    )


@pytest.mark.parametrize(
    ("entrypoint", "expected"),
    [
        (("/gone",), ["no-entry-point"]),
        (("gone",), ["no-entry-point"]),
        (("/crlf.sh",), ["crlf"]),
        (("/bin/sh", "/crlf.sh"), ["crlf"]),
        (("crlf.sh",), ["no-entry-point"]),  # found only on PATH, not in the working folder
        (("./crlf.sh",), ["crlf"]),
        (("/bin/sh", "-c", "exec /crlf.sh --flag"), ["crlf"]),
        (("/bin/sh", "-c", "/gone 'a"), ["no-entry-point"]),
        (("/folder",), ["no-file"]),
    ],
)
def test_entry_points_and_the_scripts_they_name(still, entrypoint, expected):
    image = still(files={"crlf.sh": "#!/bin/sh\r\n", "folder": link("folder", "bin")}, entrypoint=entrypoint)
    image.layers[0].entries["bin"] = type(file("bin", ""))("bin", 0o040755, 0)
    assert [rule for rule, _ in rules(entry_scripts, image)] == expected

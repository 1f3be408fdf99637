from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci import lint
from ci.build import FAMILIES_VARIABLE
from trainyard.errors import SetupError
from trainyard.families import repository_root

PIN = f"debian@sha256:{'0' * 64}"


def found(text: str) -> list[tuple[int, str]]:
    return [(line, words[: words.index(":")]) for line, words in lint.problems(text)]


@pytest.mark.parametrize(
    "text",
    [
        "ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS a\nRUN --mount=type=cache,target=/c true\n"
        "FROM $BASE_IMAGE\nCOPY --from=a --chown=0:0 --chmod=755 / /\nCOPY --from=0 / /\n",
        f"FROM --platform=linux/amd64 {PIN} AS a\nFROM a\n",
        f"ARG TOOLS={PIN}\nFROM scratch\nCOPY --from={PIN} / /\nRUN --mount=type=bind,from={PIN},target=/t true\n",
        f"# escape=\\\n{f'FROM {PIN}'}\nRUN cat <<<word && echo $((1<<N)) # syntax=no\n# syntax=later is a comment\n",
        f'FROM {PIN}\nHEALTHCHECK --interval=1s CMD true\nENTRYPOINT ["/usr/bin/env", "--split"]\n',
        f"from {PIN} as A\nFROM a\n",
        "",
    ],
)
def test_what_can_be_built_everywhere_passes(text):
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# syntax=docker/dockerfile:1\nFROM scratch\n", (1, "# syntax= makes the build fetch a frontend")),
        ("# escape=`\n#syntax = docker/dockerfile:1\nFROM scratch\n", (2, "# syntax=")),
        ("FROM scratch\nRUN <<EOF\ntrue\nEOF\n", (2, "RUN <<EOF needs")),
        ("FROM scratch\nRUN true && \\\n  cat <<-'EOF' > /a\n", (2, "RUN <<EOF needs")),
        ("FROM scratch\nCOPY <<EOF /a\n", (2, "COPY <<EOF needs")),
        ("FROM scratch\nCOPY --link a /a\n", (2, "COPY --link: Docker 20.10 does not know it; it knows --chmod")),
        ("FROM scratch\nRUN --network=none true\n", (2, "RUN --network: ")),
        (f"FROM scratch\n\n# why\nADD --checksum=sha256:{'0' * 64} a /a\n", (4, "ADD --checksum: ")),
        ("FROM python:3.11\n", (1, "python:3.11 is no stage above and is not pinned")),
        ("FROM scratch AS a\nFROM b\n", (2, "b is no stage above")),
        ("FROM scratch\nCOPY --from=1 / /\n", (2, "1 is no stage above")),
        ("FROM scratch\nCOPY --from=context / /\n", (2, "context is no stage above")),
        ("FROM scratch\nRUN --mount=type=bind,from=context,target=/c true\n", (2, "context is no stage")),
        ("ARG BASE_IMAGE=python:3\nFROM ${BASE_IMAGE}\n", (2, "${BASE_IMAGE} is 'python:3' and is no stage")),
        ("ARG OTHER\nFROM $OTHER\n", (2, "$OTHER is '' and is no stage")),
        ("FROM $UNDECLARED\n", (1, "$UNDECLARED is '' and is no stage")),
    ],
)  # fmt: skip
def test_each_fault_is_named_with_its_line(text, problem):
    ((line, words),) = list(lint.problems(text))
    assert line == problem[0]
    assert words.startswith(problem[1])


@given(st.text())
def test_no_text_makes_it_stumble(text):
    for line, words in lint.problems(text):
        assert line >= 1
        assert words


@pytest.mark.usefixtures("ci_tools")
def test_hadolint_has_its_say_too(family, tmp_path):
    (tmp_path / "Dockerfile").write_text(f"FROM {PIN}\nRUN cd /tmp && sudo true\nCOPY --link a /a\n")
    there = dataclasses.replace(family, folder=tmp_path)
    assert [(line, text.split()[0]) for line, text in lint.lint(there)] == [
        (2, "DL3003"),
        (2, "DL3004"),
        (3, "COPY"),
    ]
    (tmp_path / "Dockerfile").unlink()
    assert lint.lint(there) == [(1, "there is no such file: every family is an image")]


def test_without_hadolint_it_says_how_to_get_it(family, tmp_path, monkeypatch):
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    monkeypatch.setattr(lint.sys, "prefix", "/nowhere")
    with pytest.raises(SetupError, match=r"no /nowhere/bin/hadolint; .*python3 -m ci\.setup"):
        lint.lint(dataclasses.replace(family, folder=tmp_path))


@pytest.mark.usefixtures("ci_tools")
def test_the_families_of_this_repository_pass_and_a_report_says_so(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(lint, "REPORT", tmp_path / "lint.xml")
    monkeypatch.delenv(FAMILIES_VARIABLE, raising=False)
    code = lint.main([])
    assert (code, capsys.readouterr().out.count(": the Dockerfile is in order")) == (
        0,
        len(list(repository_root().glob("containers/*/family.toml"))),
    )
    assert ElementTree.parse(tmp_path / "lint.xml").getroot().get("failures") == "0"


def test_an_unknown_family_is_an_error(capsys):
    assert lint.main(["nobody"]) == 11
    assert "no family 'nobody'" in capsys.readouterr().err


def test_a_build_of_some_families_is_not_kept_from_them_by_the_others(monkeypatch, capsys):
    monkeypatch.setenv(FAMILIES_VARIABLE, "nobody")
    assert lint.main([]) == 11
    assert "no family 'nobody'" in capsys.readouterr().err

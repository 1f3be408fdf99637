"""The command on real images; what the checks themselves find is tested in tests/preflight."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

from tests.preflight.conftest import toy_image as toy_image
from trainyard.cli.check import text
from trainyard.cli.main import main
from trainyard.preflight.checks import Finding, Result


def test_a_bad_image_fails_with_each_fault_named(toy_image, family, capsys, tmp_path):
    report = tmp_path / "check.xml"
    reference = toy_image("bad").reference
    code = main(["check", family.name, "--image", reference, "--static", "--junit", str(report)])
    out, err = capsys.readouterr()
    assert code == 31
    words = " ".join(out.split())
    for fault in ("shell form", "CRLF", "no file 'serve' on the image's PATH"):
        assert fault in words, out
    assert f"{reference} breaks the container contract in" in err
    assert int(ElementTree.parse(report).getroot().get("failures")) == out.count("FAILED")


def test_json_goes_to_stdout_alone(toy_image, family, capsys):
    reference = toy_image("good").reference
    assert main(["check", family.name, "--image", reference, "--static", "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["passed"] and document["image"] == reference and len(document["checks"]) == 11
    assert "passes 11 checks" in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--static", "--quick"], 2, "use one of them"),
        (["--image", "registry.invalid/none:1"], 27, "registry.invalid/none:1"),
        (["--image", "", "--static"], 27, "image '' is not on this machine"),
    ],
)
def test_what_cannot_be_checked(engine, family, capsys, arguments, code, said):
    assert main(["check", family.name, *arguments]) == code
    assert said in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_said(toy_image, family, capsys, tmp_path):
    reference = toy_image("good").reference
    assert main(["check", family.name, "--image", reference, "--static", "--junit", str(tmp_path)]) == 2
    assert f"--junit {tmp_path}: cannot be written: Is a directory" in capsys.readouterr().err


def test_without_an_engine(family, capsys, monkeypatch):
    monkeypatch.setenv("TRAINYARD_DOCKER", "/nowhere/docker")
    assert main(["check", family.name]) == 27
    assert "/nowhere/docker" in capsys.readouterr().err


def test_a_line_per_check_and_what_was_found_below_it():
    long = Finding(rule="r", severity="warning", message="word " * 50)
    assert text(Result(name="a", seconds=1.25)) == "ok      a  1.2 s"
    assert text(Result(name="a", skipped="why")) == "skipped a  (why)"
    lines = text(Result(name="a", findings=(long,))).splitlines()
    assert lines[0].startswith("warning a") and all(len(line) <= 110 for line in lines) and len(lines) > 2
    assert text(Result(name="a", findings=(Finding(rule="r", message="m"),))).startswith("FAILED  a")


def test_an_image_without_a_name_is_not_the_familys(engine, cli, family):
    refused = cli("check", family.name, "--static", "--image", "")
    assert refused.code == 27 and "image '' is not on this machine" in refused.err

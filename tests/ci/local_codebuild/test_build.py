"""Each file of cases/ is a buildspec and what must become of it; newcomers can read them as examples."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

CASES = sorted(Path(__file__).with_name("cases").glob("*.yml"))
NAMES = ["INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD", "UPLOAD_ARTIFACTS"]


def test_there_are_cases():
    assert len(CASES) > 9


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_case(case, build):
    expected = yaml.safe_load(case.read_text())
    done = build(yaml.safe_dump(expected.pop("buildspec")))
    found = done.build
    assert [phase["name"] for phase in found["phases"]] == NAMES
    messages = [phase["message"] for phase in found["phases"] if phase["message"]]
    assert {
        "status": found["status"],
        "phases": [phase["status"] for phase in found["phases"]],
        "printed": done.printed(),
        "exported": found["exported_variables"],
        "artifacts": found["artifacts"],
        "reports": found["reports"],
        "message": messages[0] if "message" in expected else "",
    } == {"exported": {}, "artifacts": [], "reports": {}, "message": ""} | expected
    assert len(messages) == expected["phases"].count("FAILED")
    assert done.code == int(expected["status"] != "SUCCEEDED") and done.status == expected["status"]
    collected = [
        *found["artifacts"],
        *(file for report in found["reports"].values() for file in report["files"]),
    ]
    assert all((done.output / "build" / name).is_file() for name in collected)


def test_a_phase_has_its_seconds(build):
    done = build("version: 0.2\nphases: {build: {commands: [sleep 0.3]}}")
    seconds = {phase["name"]: phase["seconds"] for phase in done.build["phases"]}
    assert 0.3 <= seconds["BUILD"] < 5 and seconds["INSTALL"] < 0.3


def test_what_has_no_effect_is_noted_in_the_log(build):
    done = build("version: 0.2\nrun-as: me\nphases: {build: {commands: ['true']}}\ncache: {paths: [x]}")
    log = done.log().splitlines()
    assert log[:2] == ["[codebuild] run-as has no effect here", "[codebuild] cache has no effect here"]


def test_a_build_cannot_hang_on_what_it_left_running(build):
    done = build("version: 0.2\nphases: {build: {commands: ['sleep 1000 & echo started']}}")
    assert done.status == "SUCCEEDED" and done.printed() == ["started"]

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from trainyard.preflight import junit
from trainyard.preflight.checks import Finding, Result


def test_one_case_per_check_with_what_was_found(tmp_path):
    file = tmp_path / "reports" / "check.xml"
    bad = Finding(rule="r", message="colour \x1b[31m & <tags>")
    results = [
        Result(name="fine", seconds=1.5),
        Result(name="warns", findings=(Finding(rule="w", severity="warning", message="careful"),)),
        Result(name="fails", findings=(Finding(rule="w", severity="warning", message="first"), bad)),
        Result(name="skipped", skipped="pointless"),
    ]
    junit.write(file, "check.toy", results)
    top = ElementTree.parse(file).getroot()
    assert (top.tag, top.get("tests"), top.get("failures"), top.get("skipped")) == (
        "testsuite",
        "4",
        "1",
        "1",
    )
    cases = {case.get("name"): [child.tag for child in case] for case in top}
    assert cases == {"fine": [], "warns": ["system-out"], "fails": ["failure"], "skipped": ["skipped"]}
    failure = top.find("testcase/failure")
    assert "& <tags>" in failure.get("message") and "first" in failure.text and "\x1b" not in failure.text

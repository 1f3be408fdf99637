"""The gate on recorded answers, which have the shape that botocore's model of ECR gives them."""

from __future__ import annotations

import datetime
import json

import botocore.session
import pytest
from botocore.parsers import create_parser

from ci import scan_gate
from ci.allowlist import Entry
from trainyard.errors import CheckFailed, DataError
from trainyard.families import repository_root

RECORDED = {
    file.stem: json.loads(file.read_text())
    for file in (repository_root() / "tests" / "ci" / "scan_results").glob("*.json")
}
TODAY = datetime.date(2026, 11, 21)


def entry(finding: str, family: str = "*", review_by: datetime.date = TODAY) -> Entry:
    return Entry(id=finding, family=family, reason="why", review_by=review_by)


def judge(name: str, *entries: Entry) -> scan_gate.Verdict:
    return scan_gate.judge({"prophet": RECORDED[name]}, entries, TODAY)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_the_recorded_answers_have_the_shape_of_ecr(name):
    shape = (
        botocore.session.get_session()
        .get_service_model("ecr")
        .operation_model("DescribeImageScanFindings")
        .output_shape
    )
    response = {"status_code": 200, "headers": {}, "body": json.dumps(RECORDED[name]).encode()}
    parsed = create_parser("json").parse(response, shape)
    parsed.pop("ResponseMetadata")
    assert json.loads(json.dumps(parsed, default=lambda day: day.isoformat())) == RECORDED[name]


def test_what_an_update_would_remedy_is_refused_the_worst_first():
    verdict = judge("enhanced")
    assert verdict.refused == [
        "prophet: CRITICAL CVE-2026-10001 in openssl 3.0.17 (fixed in 3.0.19-1)",
        "prophet: HIGH CVE-2026-10003 in pillow 11.0.0 (fixed in 11.0.1), libtiff6 4.5.0",
    ]
    assert (verdict.expired, verdict.allowed, verdict.unused) == ([], [], [])
    assert judge("clean") == scan_gate.Verdict()


def test_a_basic_scan_does_not_say_whether_there_is_an_update_so_it_refuses():
    assert judge("basic").refused == [
        "prophet: HIGH CVE-2026-20001 in glibc 2.36-9; the scan does not say whether there is an update"
    ]


def test_an_entry_allows_its_finding_in_its_family_until_its_day():
    allowing = (entry("CVE-2026-10001"), entry("CVE-2026-10003", "prophet"))
    verdict = judge("enhanced", *allowing)
    assert (verdict.refused, verdict.unused, len(verdict.allowed)) == ([], [], 2)
    other = judge("enhanced", entry("CVE-2026-10001", "other"))
    assert (len(other.refused), other.unused) == (2, [])


def test_an_expired_entry_fails_the_build_and_is_named():
    yesterday = TODAY - datetime.timedelta(days=1)
    verdict = judge("enhanced", entry("CVE-2026-10001", "prophet", yesterday), entry("CVE-2026-10003"))
    assert verdict.expired == ["CVE-2026-10001 (prophet, review by 2026-11-20: why)"]
    assert [line.split()[2] for line in verdict.refused] == ["CVE-2026-10001"]
    assert judge("clean", entry("CVE-1", "*", yesterday)).expired
    assert judge("clean", entry("CVE-1", "other", yesterday)).expired == []


def test_an_entry_that_matches_nothing_is_told():
    assert judge("clean", entry("CVE-1"), entry("CVE-2", "other")).unused == [
        f"CVE-1 (*, review by {TODAY}: why)"
    ]
    # an entry for what would pass anyway is not needed
    assert len(judge("enhanced", entry("CVE-2026-10002")).unused) == 1


def test_a_scan_is_waited_for():
    answers = iter([None, RECORDED["pending"], RECORDED["in_progress"], RECORDED["clean"]])
    slept: list[float] = []
    answer = scan_gate.wait(lambda: next(answers), "image", 60, pause=0.5, sleep=slept.append)
    assert answer == RECORDED["clean"]
    assert slept == [0.5] * 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unsupported", r"image: .*'UNSUPPORTED_IMAGE' \(UnsupportedImageError: .*\): ECR cannot scan this oper"),
        ("failed", "the scan failed; start another"),
        ("expired", "SCAN_ELIGIBILITY_EXPIRED.*extend it, or rebuild"),
        ("pending", r"the scan is PENDING \(Scan is pending\.\) after 0 s; is scan on push"),
    ],
)  # fmt: skip
def test_a_scan_that_will_not_come_is_explained(name, message):
    with pytest.raises(CheckFailed, match=message):
        scan_gate.wait(lambda: RECORDED[name], "image", 0)


def test_every_status_of_the_api_is_known():
    model = botocore.session.get_session().get_service_model("ecr")
    known = {*scan_gate.DONE, *scan_gate.PENDING, *scan_gate.HOPELESS}
    assert set(model.shape_for("ScanStatus").enum) <= known
    with pytest.raises(CheckFailed, match="status is 'NEW': possible are COMPLETE"):
        scan_gate.wait(lambda: {"imageScanStatus": {"status": "NEW"}}, "image", 0)


@pytest.mark.parametrize("found", [{"findings": [{"severity": "HIGH"}]}, {"enhancedFindings": [3]}, []])
def test_what_is_no_answer_is_refused(found):
    with pytest.raises(DataError, match="not an answer of ECR's DescribeImageScanFindings"):
        list(scan_gate.findings({"imageScanFindings": found}))


@pytest.mark.parametrize("found", [[], "text", {}, {"imageScanStatus": None}, {"imageScanStatus": {}}])
def test_what_has_no_status_is_refused(found):
    with pytest.raises(DataError, match="not an answer of ECR's DescribeImageScanFindings"):
        scan_gate.wait(lambda: found, "image", 0)

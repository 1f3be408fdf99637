"""What a scan of an image in ECR has found, and whether the image may be published with it.

The image passes unless there is a finding of severity CRITICAL or HIGH that an update would remedy and that
``scan_allowlist.toml`` does not allow. Enhanced scans (Amazon Inspector) say whether there is an update; basic
scans mostly do not, and then it is taken for granted.
Sources: Amazon ECR API Reference, DescribeImageScanFindings; ECR User Guide, "Troubleshooting image scanning".
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ci.allowlist import Entry
from trainyard.errors import CheckFailed, DataError

SEVERITIES = ("CRITICAL", "HIGH")
DONE = ("COMPLETE", "ACTIVE")
PENDING = ("PENDING", "IN_PROGRESS")
HOPELESS = {
    "FAILED": "the scan failed; start another with `aws ecr start-image-scan` (basic), or push again",
    "UNSUPPORTED_IMAGE": "ECR cannot scan this operating system: use a base image that it can",
    "SCAN_ELIGIBILITY_EXPIRED": "the image is older than the scan duration that the registry's Inspector "
    "settings give: extend it, or rebuild on a newer base image",
    "FINDINGS_UNAVAILABLE": "Inspector has no findings to give for the image: scan again later",
    "LIMIT_EXCEEDED": "the account's limit of scans is reached: try again tomorrow, or have it raised",
    "IMAGE_ARCHIVED": "the image is archived in ECR: restore it",
    "IMAGE_SIZE_EXCEEDED": "the image is larger than scans take",
}

_NO_ANSWER = "not an answer of ECR's DescribeImageScanFindings"

Answer = Mapping[str, Any]
"""A response of DescribeImageScanFindings with all pages' findings; None where ECR knows of no scan yet."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """``fix`` is whether an update remedies it, None where the scan does not say."""

    id: str
    severity: str
    packages: tuple[str, ...]
    fix: bool | None

    def __str__(self) -> str:
        packages = f" in {', '.join(self.packages)}" if self.packages else ""
        fix = "" if self.fix else "; the scan does not say whether there is an update"
        return f"{self.severity} {self.id}{packages}{fix}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Of several images: each list has lines for people; without ``refused`` and ``expired`` they pass."""

    refused: list[str] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def wait(
    ask: Callable[[], Answer | None],
    image: str,
    seconds: float,
    pause: float = 10.0,
    sleep: Callable[[float], object] = time.sleep,
) -> Answer:
    """Ask until the scan is done. Raises CheckFailed where it cannot be, or is not after ``seconds``.

    Raises DataError for what is no answer of ECR.
    """
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        status, description = _status(answer)
        if status in DONE and answer is not None:
            return answer
        if status not in PENDING:
            hint = HOPELESS.get(status, f"possible are {', '.join((*DONE, *PENDING, *HOPELESS))}")
            raise CheckFailed(f"{image}: the scan's status is {status!r}{description}: {hint}")
        if time.monotonic() + pause > end:
            raise CheckFailed(
                f"{image}: the scan is {status}{description} after {seconds:.0f} s; is scan on push "
                "(or Inspector) enabled for the repository? If so, run this build again"
            )
        sleep(pause)


def judge(
    images: Mapping[str, Answer], entries: Sequence[Entry], today: datetime.date | None = None
) -> Verdict:
    """Judge the scan of each family's image. Raises DataError for what is no answer of ECR."""
    verdict, used = Verdict(), set()
    day = today or datetime.date.today()
    concerned = [entry for entry in entries if entry.family == "*" or entry.family in images]
    for family, answer in images.items():
        for finding in findings(answer):
            if finding.severity not in SEVERITIES or finding.fix is False:
                continue
            covering = [entry for entry in concerned if entry.covers(family, finding.id)]
            used.update(covering)
            if any(entry.review_by >= day for entry in covering):
                verdict.allowed.append(f"{family}: {finding}")
            else:
                verdict.refused.append(f"{family}: {finding}")
    verdict.expired.extend(str(entry) for entry in concerned if entry.review_by < day)
    verdict.unused.extend(str(entry) for entry in concerned if entry not in used and entry.review_by >= day)
    return verdict


def findings(answer: Answer) -> Iterable[Finding]:
    """Both kinds of findings, the worst first; those that Inspector's own rules suppress are left out."""
    found = answer.get("imageScanFindings", {})
    try:
        enhanced = [_enhanced(one) for one in found.get("enhancedFindings", []) if _is_active(one)]
        basic = [_basic(one) for one in found.get("findings", [])]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{_NO_ANSWER}: {error!r}") from error
    return sorted([*enhanced, *basic], key=lambda one: (one.severity, one.id))


def _status(answer: Answer | None) -> tuple[str, str]:
    if answer is None:
        return "PENDING", ""  # right after a push, ECR knows of no scan
    try:
        status = answer["imageScanStatus"]
        name, description = status["status"], status.get("description", "")
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{_NO_ANSWER}: {error!r}") from error
    return name, f" ({description})" if description else ""


def _is_active(one: Mapping[str, Any]) -> bool:
    return bool(one.get("status", "ACTIVE") == "ACTIVE")


def _enhanced(one: Mapping[str, Any]) -> Finding:
    details = one.get("packageVulnerabilityDetails", {})
    packages = [
        f"{package['name']} {package.get('version', '')}".strip()
        + (f" (fixed in {package['fixedInVersion']})" if _is_fixed(package) else "")
        for package in details.get("vulnerablePackages", [])
    ]
    return Finding(
        id=details.get("vulnerabilityId") or one["title"],
        severity=one["severity"],
        packages=tuple(packages),
        fix={"YES": True, "PARTIAL": True, "NO": False}.get(one.get("fixAvailable", "")),
    )


def _is_fixed(package: Mapping[str, Any]) -> bool:
    return bool(package.get("fixedInVersion", "NotAvailable") != "NotAvailable")


def _basic(one: Mapping[str, Any]) -> Finding:
    attributes = {attribute["key"]: attribute.get("value", "") for attribute in one.get("attributes", [])}
    package = f"{attributes.get('package_name', '')} {attributes.get('package_version', '')}".strip()
    return Finding(id=one["name"], severity=one["severity"], packages=(package,) if package else (), fix=None)

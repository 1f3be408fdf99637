"""A check, what it finds, and how checks are run one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from trainyard.errors import ExecutionStopped, UserError

Subject = TypeVar("Subject")
Severity = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is wrong: the bad value, where it was, and what to do. An error breaks the contract."""

    rule: str
    message: str
    severity: Severity = "error"


@dataclass(frozen=True, kw_only=True)
class Check(Generic[Subject]):
    """``run`` yields what it finds; UserError from it is a finding, too.

    ``needs`` names checks of which a failed one makes this one pointless.
    """

    name: str
    run: Callable[[Subject], Iterable[Finding]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Result:
    """``skipped`` says why a check was not made; ``seconds`` is wall time."""

    name: str
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    skipped: str = ""

    @property
    def failed(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)


def perform(
    checks: Sequence[Check[Subject]], subject: Subject, done: Sequence[Result] = ()
) -> Iterator[Result]:
    """Make the checks in their order, each result as soon as it is there; ``done`` are results of earlier ones."""
    failed = {result.name for result in done if result.failed or result.skipped}
    for check in checks:
        hindrance = next((name for name in check.needs if name in failed), "")
        if hindrance:
            result = Result(name=check.name, skipped=f"pointless after {hindrance!r} failed")
        else:
            result = _made(check, subject)
        if result.failed or result.skipped:
            failed.add(check.name)
        yield result


def _made(check: Check[Subject], subject: Subject) -> Result:
    began = time.monotonic()
    findings: list[Finding] = []
    try:
        findings += check.run(subject)
    except ExecutionStopped:  # by somebody, which says nothing about the subject
        raise
    except UserError as error:
        findings.append(Finding(rule=check.name, message=str(error)))
    return Result(name=check.name, findings=tuple(findings), seconds=time.monotonic() - began)

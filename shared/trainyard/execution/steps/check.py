"""QualityCheck and ClarifyCheck: a processing job of AWS's image, for which something here must stand.

AWS's images are not public, so these steps are refused unless ``--map`` says what does. What that writes into
the step's output - statistics.json and constraints.json, Clarify analysis.json, constraint_violations.json for
what it found wrong - becomes the step's baselines and its end. Source: AWS, "Baseline calculation, drift
detection and lifecycle with ClarifyCheck and QualityCheck steps".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trainyard.definition import expressions
from trainyard.definition.steps import Step
from trainyard.errors import StoreError, Unsupported
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import JobRequest
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.s3 import parse_uri
from trainyard.execution.steps import processing
from trainyard.execution.steps.job_step import run_job_step
from trainyard.execution.targets import Targets

RULES = processing.RULES

_VIOLATIONS = "constraint_violations.json"


def plan(step: str, arguments: Mapping[str, Any], job_name: str, targets: Targets) -> JobRequest:
    """As for a Processing step; Unsupported says why an image that is not mapped is not found."""
    try:
        return processing.plan(step, arguments, job_name, targets)
    except Unsupported as error:
        raise Unsupported(
            f"{error}; a check is a processing job of an image that only AWS has, so it needs one of yours"
        ) from None


def describe(arguments: Mapping[str, Any], outcome: JobOutcome) -> dict[str, Any]:
    return processing.describe(arguments, outcome)


def run(run: Run, step: Step) -> StepEnd:
    """The job, then its verdict: violations fail the step where FailOnViolation is set and SkipCheck is not."""
    end = run_job_step(run, replace(step, type="Processing"), _KIND)
    if end.status != "Succeeded" or end.result is None:
        return replace(end, metadata={step.type: {"CheckJobArn": _arn(end)}} if end.result else {})
    own = expressions.resolve(step.own, run.scope())
    baselines = _baselines(step.type, own, end)
    report = next((uri for uri in end.outputs if uri.endswith(f"/{_VIOLATIONS}")), "")
    named = {key: own[key] for key in ("CheckType", "ModelPackageGroupName") if own.get(key) is not None}
    flags = {key: bool(own.get(key)) for key in ("SkipCheck", "RegisterNewBaseline")}
    metadata = {**named, **baselines, **flags, "CheckJobArn": _arn(end)}
    if report:
        metadata["ViolationReport"] = report
    end = replace(end, result={**end.result, **baselines}, metadata={step.type: metadata})
    fatal = bool(own.get("FailOnViolation", True)) and not flags["SkipCheck"]
    found = _violations(run, report) if report and fatal else 0
    if found:
        return replace(end, status="Failed", failure=f"the check found {found} violations; see {report}")
    return end


class _Kind:
    RULES = RULES
    plan = staticmethod(plan)
    describe = staticmethod(describe)


_KIND = _Kind()


def _baselines(type_: str, own: Mapping[str, Any], end: StepEnd) -> dict[str, str]:
    """The properties that later steps refer to. The one used is the supplied one, else what was calculated."""
    files = {"Constraints": "constraints.json", "Statistics": "statistics.json"}
    if type_ == "ClarifyCheck":
        files = {"Constraints": "analysis.json"}
    found: dict[str, str] = {}
    for kind, file in files.items():
        calculated = next((uri for uri in end.outputs if uri.endswith(f"/{file}")), "")
        used = own.get(f"SuppliedBaseline{kind}") or calculated
        found |= {f"CalculatedBaseline{kind}": calculated, f"BaselineUsedForDriftCheck{kind}": str(used)}
    return {name: uri for name, uri in found.items() if uri}


def _violations(run: Run, report: str) -> int:
    try:
        return len(json.loads(run.store.objects.read(parse_uri(report)))["violations"])
    except (ValueError, LookupError, TypeError) as error:
        raise StoreError(f"{report} is no report of violations: {error}") from error


def _arn(end: StepEnd) -> str:
    return str((end.result or {}).get("ProcessingJobArn", ""))

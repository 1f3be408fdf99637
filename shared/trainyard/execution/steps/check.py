"""QualityCheck and ClarifyCheck: a processing job of AWS's image, for which something here must stand.

AWS's images are not public, so these steps are refused unless ``--map`` says what does: an image, or an
environment with a program ``check``. It finds the earlier baselines, supplied or of the group's latest approved
version, at the paths in ``baseline_constraints`` and ``baseline_statistics``. What it writes into the step's
output - statistics.json and constraints.json, Clarify analysis.json, constraint_violations.json for what it found
wrong - becomes the step's baselines and its end. Sources: AWS, "Baseline calculation, drift detection and
lifecycle with ClarifyCheck and QualityCheck steps", and "Container Contract Inputs" of Model Monitor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from trainyard.definition import expressions
from trainyard.definition.steps import Step
from trainyard.errors import NotFound, StoreError, Unsupported
from trainyard.execution import cache
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import JobRequest
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.s3 import parse_uri
from trainyard.execution.steps import processing
from trainyard.execution.steps.job_step import run_job_step
from trainyard.execution.targets import Targets

RULES = processing.RULES

_VIOLATIONS = "constraint_violations.json"
_PROGRAM = "check"
_BASELINES = "/opt/ml/processing/baseline"
_FOLDERS = {"Constraints": "constraints", "Statistics": "stats"}
_DRIFT_CHECK_BASELINES = {
    "DATA_QUALITY": ("ModelDataQuality", ""),
    "MODEL_QUALITY": ("ModelQuality", ""),
    "DATA_BIAS": ("Bias", "PreTraining"),
    "MODEL_BIAS": ("Bias", "PostTraining"),
    "MODEL_EXPLAINABILITY": ("Explainability", ""),
}
"""CheckType -> where a model package has the baselines of such a check, and what their names begin with."""


def plan(step: str, arguments: Mapping[str, Any], job_name: str, targets: Targets) -> JobRequest:
    """As for a Processing step; Unsupported says why an image that is not mapped is not found."""
    application = arguments.get("AppSpecification", {})
    try:
        if not application.get("ContainerEntrypoint") and not application.get("ContainerArguments"):
            target = targets.of(application.get("ImageUri", ""), f"step {step!r}: AppSpecification.ImageUri")
            if target.kind == "venv":
                application = {**application, "ContainerEntrypoint": [_PROGRAM]}
        return processing.plan(step, {**arguments, "AppSpecification": application}, job_name, targets)
    except Unsupported as error:
        raise Unsupported(
            f"{error}; a check is a processing job of an image that only AWS has, so it needs one of yours"
        ) from None


def describe(arguments: Mapping[str, Any], outcome: JobOutcome) -> dict[str, Any]:
    return processing.describe(arguments, outcome)


def run(run: Run, step: Step) -> StepEnd:
    """The job, then its verdict: violations fail the step where FailOnViolation is set and SkipCheck is not."""
    own = expressions.resolve(step.own, run.scope())
    earlier = _earlier(run, own)
    given = {} if own.get("SkipCheck") else earlier
    arguments = {**step.arguments, **_with_baselines(step.arguments, given)}
    aws_key = cache.aws_key(step.type, run.arguments(step), own)
    end = run_job_step(run, replace(step, type="Processing", arguments=arguments), _KIND, aws_key)
    if end.status != "Succeeded" or end.result is None:
        return replace(end, metadata={step.type: {"CheckJobArn": _arn(end)}} if end.result else {})
    baselines = _baselines(step.type, {} if own.get("RegisterNewBaseline") else earlier, end)
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


def _earlier(run: Run, own: Mapping[str, Any]) -> dict[str, str]:
    """What to check against, by kind: supplied, else what the group's latest approved version has."""
    group, check = own.get("ModelPackageGroupName"), own.get("CheckType")
    part, prefix = _DRIFT_CHECK_BASELINES.get(str(check), ("", ""))
    sources = _approved(run, str(group)).get("DriftCheckBaselines", {}).get(part, {}) if group else {}
    found = {
        kind: own.get(f"SuppliedBaseline{kind}") or sources.get(f"{prefix}{kind}", {}).get("S3Uri")
        for kind in _FOLDERS
    }
    return {kind: str(uri) for kind, uri in found.items() if uri}


def _approved(run: Run, group: str) -> Mapping[str, Any]:
    """The group's latest approved version, if there is one."""
    with suppress(NotFound):
        for version in reversed(run.store.registry.versions(group)):
            if version["status"] == "Approved":
                return run.store.registry.describe(version["arn"])
    return {}


def _with_baselines(arguments: Mapping[str, Any], baselines: Mapping[str, str]) -> dict[str, Any]:
    """The job's inputs and environment with the baselines in them."""
    inputs, environment = list(arguments.get("ProcessingInputs") or ()), {}
    for kind, uri in baselines.items():
        folder = f"{_BASELINES}/{_FOLDERS[kind]}"
        inputs.append(
            {"InputName": f"baseline_{kind.lower()}", "S3Input": {"S3Uri": uri, "LocalPath": folder}}
        )
        environment[f"baseline_{kind.lower()}"] = f"{folder}/{uri.rpartition('/')[2]}"
    return {
        "ProcessingInputs": inputs,
        "Environment": {**(arguments.get("Environment") or {}), **environment},
    }


def _baselines(type_: str, earlier: Mapping[str, str], end: StepEnd) -> dict[str, str]:
    """The properties that later steps refer to. The one used is the earlier one, else what was calculated."""
    files = {"Constraints": "constraints.json", "Statistics": "statistics.json"}
    if type_ == "ClarifyCheck":
        files = {"Constraints": "analysis.json"}
    found: dict[str, str] = {}
    for kind, file in files.items():
        calculated = next((uri for uri in end.outputs if uri.endswith(f"/{file}")), "")
        used = earlier.get(kind, calculated)
        found |= {f"CalculatedBaseline{kind}": calculated, f"BaselineUsedForDriftCheck{kind}": used}
    return {name: uri for name, uri in found.items() if uri}


def _violations(run: Run, report: str) -> int:
    try:
        return len(json.loads(run.store.objects.read(parse_uri(report)))["violations"])
    except (ValueError, LookupError, TypeError) as error:
        raise StoreError(f"{report} is no report of violations: {error}") from error


def _arn(end: StepEnd) -> str:
    return str((end.result or {}).get("ProcessingJobArn", ""))

"""Check steps: refused without an image of one's own, a processing job with one."""

from __future__ import annotations

import pytest

from trainyard.errors import UserError
from trainyard.execution.s3 import parse_uri

SCRIPT = """
import json, pathlib
out = pathlib.Path("/opt/ml/processing/report")
found = json.loads(pathlib.Path("/opt/ml/processing/data/found.json").read_text())
for name in ("statistics", "constraints", "analysis"):
    (out / (name + ".json")).write_text("{}")
(out / "constraint_violations.json").write_text(json.dumps({"violations": found}))
"""


@pytest.fixture
def check(processing, put_script, store):
    def make(found: bytes = b"[]", type_="QualityCheck", **own):
        store.objects.put_bytes(found, parse_uri("s3://bucket/found/found.json"))
        step = processing(
            "Check", put_script("check", SCRIPT), inputs={"data": "s3://bucket/found/"},
            outputs={"report": "s3://bucket/report"},
        )  # fmt: skip
        return {**step, "Type": type_, "CheckType": "DATA_QUALITY", **own}

    return make


def run(make_executor, definition, store, step, **more):
    finished = make_executor().start(definition(step), "p", {}, **more)
    return store.state.step(finished.execution, "Check")


def test_the_baselines_are_properties(make_executor, definition, store, check) -> None:
    supplied = {"SuppliedBaselineConstraints": "s3://bucket/mine.json"}
    store.objects.put_bytes(b"{}", parse_uri("s3://bucket/mine.json"))
    row = run(make_executor, definition, store, check(ModelPackageGroupName="g", **supplied))
    assert row["status"] == "Succeeded", row["failure"]
    expected = {
        "CalculatedBaselineConstraints": "s3://bucket/report/constraints.json",
        "CalculatedBaselineStatistics": "s3://bucket/report/statistics.json",
        "BaselineUsedForDriftCheckConstraints": "s3://bucket/mine.json",
        "BaselineUsedForDriftCheckStatistics": "s3://bucket/report/statistics.json",
    }
    assert row["result"] | expected == row["result"]
    metadata = row["metadata"]["QualityCheck"]
    assert metadata | expected == metadata
    flags = [metadata[name] for name in ("CheckType", "RegisterNewBaseline", "SkipCheck")]
    assert flags == ["DATA_QUALITY", False, False]
    assert ":processing-job/" in metadata["CheckJobArn"]
    assert metadata["ViolationReport"] == "s3://bucket/report/constraint_violations.json"


def test_a_new_baseline_takes_the_place_of_the_earlier_one(make_executor, definition, store, check) -> None:
    supplied = {"SuppliedBaselineConstraints": "s3://bucket/mine.json", "RegisterNewBaseline": True}
    store.objects.put_bytes(b"{}", parse_uri("s3://bucket/mine.json"))
    row = run(make_executor, definition, store, check(**supplied))
    assert row["result"]["BaselineUsedForDriftCheckConstraints"] == "s3://bucket/report/constraints.json"


@pytest.mark.parametrize("skip", [False, True])
def test_the_baseline_of_the_latest_approved_version_is_used(
    make_executor, definition, store, check, skip
) -> None:
    store.registry.create_group("g")
    for number, status in enumerate(["Approved", "Approved", "Rejected"]):
        uri = f"s3://bucket/{number}/old.json"
        store.objects.put_bytes(b"{}", parse_uri(uri))
        baselines = {"ModelDataQuality": {"Constraints": {"S3Uri": uri}}}
        store.registry.register("g", {"ModelApprovalStatus": status, "DriftCheckBaselines": baselines}, {})
    row = run(make_executor, definition, store, check(ModelPackageGroupName="g", SkipCheck=skip))
    assert row["result"]["BaselineUsedForDriftCheckConstraints"] == "s3://bucket/1/old.json"
    inputs = {each["InputName"]: each["S3Input"]["S3Uri"] for each in row["result"]["ProcessingInputs"]}
    assert inputs.get("baseline_constraints") == (None if skip else "s3://bucket/1/old.json")
    where = row["result"]["Environment"].get("baseline_constraints")
    assert where == (None if skip else "/opt/ml/processing/baseline/constraints/old.json")


def test_clarify_has_one_baseline(make_executor, definition, store, check) -> None:
    row = run(make_executor, definition, store, check(type_="ClarifyCheck"))
    assert row["result"]["CalculatedBaselineConstraints"] == "s3://bucket/report/analysis.json"
    assert "ClarifyCheck" in row["metadata"]


@pytest.mark.parametrize(
    ("own", "status"),
    [({}, "Failed"), ({"FailOnViolation": False}, "Succeeded"), ({"SkipCheck": True}, "Succeeded")],
)
def test_violations_fail_the_step_where_they_are_to(
    make_executor, definition, store, check, own, status
) -> None:
    row = run(make_executor, definition, store, check(b'[{"feature_name": "age"}]', **own))
    assert row["status"] == status
    assert ("the check found 1 violations" in (row["failure"] or "")) == (status == "Failed")


CACHED = {"CacheConfig": {"Enabled": True}, "SuppliedBaselineConstraints": "s3://bucket/mine.json"}


def test_a_hit_is_judged_anew_and_data_or_a_baseline_that_changed_is_a_miss(
    make_executor, definition, store, check
) -> None:
    def rerun(**own):
        return run(make_executor, definition, store, check(**CACHED, **own))

    baseline = parse_uri("s3://bucket/mine.json")
    store.objects.put_bytes(b"{}", baseline)
    first = rerun()
    again = rerun(RegisterNewBaseline=True)
    assert again["cache_source"] == first["execution"]
    assert again["result"]["BaselineUsedForDriftCheckConstraints"] == "s3://bucket/report/constraints.json"
    assert again["metadata"]["QualityCheck"]["RegisterNewBaseline"] is True
    assert "input baseline_constraints is gone" in rerun(SkipCheck=True)["cache_note"]
    store.objects.put_bytes(b"{} ", baseline)
    assert "input baseline_constraints" in rerun()["cache_note"]
    violations = rerun(found=b"[{}]")
    assert (violations["status"], "input data:" in violations["cache_note"]) == ("Failed", True)


def test_awss_key_has_the_flags_and_not_what_is_stored(make_executor, definition, store, check) -> None:
    def rerun(**own):
        return run(make_executor, definition, store, check(**CACHED, **own), cache="aws")

    store.objects.put_bytes(b"{}", parse_uri("s3://bucket/mine.json"))
    first = rerun(SkipCheck=False)
    same = rerun(SkipCheck=False, found=b"[{}]", FailOnViolation=False)
    assert same["cache_source"] == first["execution"], same["cache_note"]
    assert rerun(SkipCheck=True)["cache_note"] == "SkipCheck: 'false' -> 'true'"
    assert (
        rerun(SkipCheck=True, ModelPackageGroupName="g")["cache_note"] == "ModelPackageGroupName is new: 'g'"
    )


@pytest.mark.parametrize("type_", ["QualityCheck", "ClarifyCheck"])
def test_an_image_that_is_not_mapped_is_refused_before_anything_runs(
    make_executor, definition, store, check, type_
) -> None:
    step = check(type_=type_)
    step["Arguments"]["AppSpecification"]["ImageUri"] = "1234.dkr.ecr.us-east-1.amazonaws.com/analyzer"
    with pytest.raises(
        UserError, match=r"analyzer.*--map.*a check is a processing job of an image that only AWS has"
    ):
        make_executor().start(definition(step), "p", {})
    assert store.resources.all("processing-job") == []

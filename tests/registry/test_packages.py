from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import trainyard
from trainyard.errors import NotFound, RegistryError
from trainyard.registry.packages import Registry, package_arn, parse_arn

REQUEST = {
    "ModelPackageGroupName": "prophet",
    "InferenceSpecification": {"Containers": [{"Image": "trainyard/prophet"}]},
    "CustomerMetadataProperties": {"Horizon": "7"},
}

REGISTER_TEN = """
import sys
from pathlib import Path
from trainyard.registry.packages import Registry
registry = Registry(Path(sys.argv[1]))
for _ in range(10):
    print(registry.register("prophet", {}, {}).rpartition("/")[2])
"""


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "state.sqlite3")


def test_register_then_describe(registry):
    arn = registry.register("prophet", REQUEST, {"mase": 0.8})
    assert arn == "arn:aws:sagemaker:us-east-1:000000000000:model-package/prophet/1"
    package = registry.describe(arn)
    assert package["InferenceSpecification"] == REQUEST["InferenceSpecification"]
    assert package["ModelPackageVersion"] == 1
    assert package["ModelPackageArn"] == arn
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert package["ModelPackageStatus"] == "Completed"
    assert "ApprovalDescription" not in package
    assert registry.metrics(arn) == {"mase": 0.8}


def test_versions_count_up_per_group(registry):
    assert [parse_arn(registry.register(group, {}, {})) for group in ("a", "b", "a")] == [
        ("a", 1),
        ("b", 1),
        ("a", 2),
    ]
    groups = registry.groups()
    assert [(group["ModelPackageGroupName"], group["versions"], group["latest"]) for group in groups] == [
        ("a", 2, 2),
        ("b", 1, 1),
    ]


def test_versions_say_their_status_and_metrics(registry):
    registry.register("a", {"ModelApprovalStatus": "Rejected"}, {"mase": 2.0})
    registry.register("a", {}, {"mase": 1.0})
    registry.decide("a", 2, "Approved", by="Ada", reason="better")
    assert [(each["version"], each["status"], each["metrics"]) for each in registry.versions("a")] == [
        (1, "Rejected", {"mase": 2.0}),
        (2, "Approved", {"mase": 1.0}),
    ]
    assert registry.groups()[0]["approved"] == 2


def test_processes_registering_at_once_get_consecutive_versions(tmp_path):
    database = tmp_path / "state.sqlite3"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", REGISTER_TEN, str(database)],
            env={"PYTHONPATH": str(Path(trainyard.__file__).parents[1])},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    versions = [int(line) for process in processes for line in process.communicate(timeout=60)[0].split()]
    assert sorted(versions) == list(range(1, 41))
    assert [each["version"] for each in Registry(database).versions("prophet")] == list(range(1, 41))


def test_decisions_are_kept(registry):
    arn = registry.register("a", {}, {})
    registry.decide("a", 1, "Approved", by="Ada", reason="better than version 0")
    registry.decide("a", 1, "Rejected", by="Bob", reason="fails on Sundays")
    history = registry.approvals("a", 1)
    assert [(each["status"], each["by"], each["reason"]) for each in history] == [
        ("PendingManualApproval", "", ""),
        ("Approved", "Ada", "better than version 0"),
        ("Rejected", "Bob", "fails on Sundays"),
    ]
    assert sorted(each["time"] for each in history) == [each["time"] for each in history]
    package = registry.describe(arn)
    assert package["ModelApprovalStatus"] == "Rejected"
    assert package["ApprovalDescription"] == "fails on Sundays"
    assert package["LastModifiedTime"] == history[-1]["time"] >= package["CreationTime"]


def test_compare_shows_what_one_version_lacks(registry):
    registry.register("a", {"CustomerMetadataProperties": {"Horizon": "7"}}, {"mase": 1.0, "mae": 3.0})
    registry.register("a", {"CustomerMetadataProperties": {"Horizon": "14"}}, {"mase": 0.5})
    rows = registry.compare("a", [2, 1])
    assert rows["mase"] == [0.5, 1.0]
    assert rows["mae"] == [None, 3.0]
    assert rows["Horizon"] == ["14", "7"]
    assert rows["ModelApprovalStatus"] == ["PendingManualApproval"] * 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.describe(package_arn("a", 7)), "group a has no version 7; there are: 1"),
        (lambda r: r.describe("model/a/1"), "no model package 'model/a/1'; an ARN looks like arn:aws:"),
        (lambda r: r.versions("b"), "no model package group 'b'; there are: a"),
        (lambda r: r.decide("a", 2, "Approved", by="A", reason="r"), "group a has no version 2"),
    ],
)
def test_what_is_not_there_is_named(registry, call, message):
    registry.register("a", {}, {})
    with pytest.raises(NotFound) as error:
        call(registry)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.register("a b", {}, {}), "group 'a b': must be 1 to 63 letters"),
        (lambda r: r.register("a", {"ModelApprovalStatus": "Fine"}, {}), "'Fine': must be one of Approved"),
        (lambda r: r.decide("a", 1, "OK", by="A", reason="r"), "'OK': must be one of Approved"),
        (lambda r: r.decide("a", 1, "Approved", by=" ", reason="r"), "needs a name and a reason"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(registry, call, message):
    registry.register("a", {}, {})
    with pytest.raises(RegistryError) as error:
        call(registry)
    assert message in str(error.value)
    assert len(registry.versions("a")) == 1
    assert len(registry.approvals("a", 1)) == 1


def test_a_version_is_changed_in_its_request(registry):
    arn = registry.register("a", {"Domain": "OTHER"}, {})
    registry.update(arn, lambda request: {**request, "Task": "OTHER"}, ["Task"])
    package = registry.describe(arn)
    assert (package["Domain"], package["Task"]) == ("OTHER", "OTHER")

    def refuse(request):
        raise RegistryError("no")

    with pytest.raises(RegistryError, match="no"):
        registry.update(arn, refuse, ["Task"])
    with pytest.raises(NotFound):
        registry.update(package_arn("a", 2), dict, [])
    assert registry.changes(0) == [(1, arn, []), (2, arn, ["Task"])]


def test_a_deleted_version_leaves_its_number(registry):
    for _ in range(2):
        registry.register("a", {}, {}, None)
    registry.delete(package_arn("a", 2))
    assert [each["version"] for each in registry.versions("a")] == [1]
    assert registry.approvals("a", 2) == []
    assert registry.register("a", {}, {}) == package_arn("a", 3)
    with pytest.raises(NotFound, match="no version 2; there are: 1, 3"):
        registry.delete(package_arn("a", 2))


def test_changes_are_numbered_on(registry):
    assert registry.last_change() == 0
    registry.register("a", {}, {})
    last = registry.last_change()
    registry.decide("a", 1, "Approved", by="boto3", reason=None)
    assert "ApprovalDescription" not in registry.describe(package_arn("a", 1))
    assert [members for _, _, members in registry.changes(last)] == [["ModelApprovalStatus"]]
    assert registry.changes(registry.last_change()) == []

from __future__ import annotations

import json

import pytest

from trainyard.cli.main import main
from trainyard.registry.packages import Registry

REQUEST = {"InferenceSpecification": {}, "CustomerMetadataProperties": {"Horizon": "7"}}


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAINYARD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def registry(empty_home):
    empty_home.mkdir()
    registry = Registry(empty_home / "state.sqlite3")
    registry.register("prophet", REQUEST, {"mase": 0.75, "mae": 12.5})
    registry.register("prophet", REQUEST, {"mase": 0.5})
    registry.register("scarcegan", {}, {})
    return registry


def test_groups_are_listed(registry, capsys):
    assert main(["models"]) == 0
    heads, *lines = capsys.readouterr().out.splitlines()
    assert heads.split() == ["GROUP", "VERSIONS", "LATEST", "APPROVED", "CREATED"]
    assert [line.split()[:4] for line in lines] == [["prophet", "2", "2", "-"], ["scarcegan", "1", "1", "-"]]


def test_versions_are_listed_with_their_metrics(registry, capsys):
    assert main(["models", "prophet"]) == 0
    heads, *lines = capsys.readouterr().out.splitlines()
    assert heads.split() == ["VERSION", "STATUS", "CREATED", "mase", "mae"]
    assert [line.split()[:2] + line.split()[-2:] for line in lines] == [
        ["1", "PendingManualApproval", "0.75", "12.5"],
        ["2", "PendingManualApproval", "0.5", "-"],
    ]


def test_versions_that_are_models_of_one_job_say_which_and_of_many_metrics_some_are_shown(registry, capsys):
    request = {"CustomerMetadataProperties": {"ModelKey": "fold_0"}}
    registry.register("scarcegan", request, {"confusion_matrix.0.0": 1, **{f"m{i}": i for i in range(20)}})
    assert main(["models", "scarcegan"]) == 0
    heads, _, second, _, more = capsys.readouterr().out.splitlines()
    assert heads.split() == ["VERSION", "MODEL", "STATUS", "CREATED", *(f"m{i}" for i in range(10))]
    assert second.split()[:2] == ["2", "fold_0"]
    assert more == "all 21 metrics: trainyard models compare scarcegan"


def test_one_version_is_shown_with_decisions(registry, capsys):
    registry.decide("prophet", 1, "Rejected", by="Ada", reason="too slow")
    assert main(["models", "prophet", "1"]) == 0
    page = capsys.readouterr().out
    for words in (["ModelApprovalStatus", "Rejected"], ["mase", "0.75"], ["Horizon", "7"]):
        assert words in [line.split() for line in page.splitlines()]
    assert "Rejected               Ada  too slow" in page


def test_a_decision_is_kept_and_shown(registry, capsys):
    words = ["models", "approve", "prophet", "2", "--by", "Ada", "--reason", "half the error"]
    assert main(words) == 0
    assert capsys.readouterr().out == "prophet version 2 is Approved by Ada\n"
    assert registry.versions("prophet")[1]["status"] == "Approved"
    assert registry.approvals("prophet", 2)[-1]["reason"] == "half the error"
    assert main(["models"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == ["prophet", "2", "2", "2"]


def test_versions_are_compared_side_by_side(registry, capsys):
    assert main(["models", "compare", "prophet"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["prophet", "version", "1", "version", "2"]
    assert ["mase", "0.75", "0.5"] in lines
    assert ["mae", "12.5", "-"] in lines
    assert ["Horizon", "7", "7", "same"] in lines
    long = "s3://bucket/" + "x" * 100 + "/fold_0.tar.gz"
    registry.register("prophet", {"CustomerMetadataProperties": {"Data": long, "Digest": "0" * 40}}, {})
    assert main(["models", "compare", "prophet", "3"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["Data", f"...{long[-37:]}"] in lines and ["Digest", "0" * 40] in lines
    assert main(["models", "compare", "prophet", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"]["mase"] == [0.5]


@pytest.mark.parametrize(
    ("words", "look"),
    [
        ([], lambda groups: groups[0]["ModelPackageGroupName"] == "prophet"),
        (["prophet"], lambda versions: versions[1]["metrics"] == {"mase": 0.5}),
        (["prophet", "1"], lambda package: package["metrics"]["mae"] == 12.5 and package["approvals"]),
        (["compare", "prophet"], lambda comparison: comparison["versions"] == [1, 2]),
        (
            ["reject", "prophet", "1", "--by", "A", "--reason", "r"],
            lambda package: package["ModelApprovalStatus"] == "Rejected",
        ),
    ],
)
def test_all_of_it_is_there_as_json(registry, capsys, words, look):
    assert main(["models", *words, "--json"]) == 0
    assert look(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nobody"], 23, "no model package group 'nobody'; there are: prophet, scarcegan"),
        (["prophet", "9"], 23, "prophet has no version 9; there are: 1, 2"),
        (["prophet", "new"], 2, "version 'new': must be a number"),
        (["prophet", "1", "2"], 2, "the possible forms are"),
        (["compare"], 2, "the possible forms are"),
        (["approve", "prophet", "1"], 2, "needs a group, one version, --by NAME and --reason TEXT"),
        (["approve", "prophet", "--by", "A", "--reason", "r"], 2, "needs a group, one version"),
    ],
)
def test_what_is_not_possible_is_refused(registry, capsys, words, code, message):
    assert main(["models", *words]) == code
    assert message in capsys.readouterr().err


def test_looking_makes_no_store(empty_home, capsys):
    assert main(["models"]) == 0
    assert "no models yet" in capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"
    assert main(["models", "prophet"]) == 23
    assert not empty_home.exists()

"""Five inputs become one table: who may not be in it is dropped or refused, and told."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def read(module, tmp_path):
    """Read inputs given as {name: CSV text}; the others have five users of their own each."""

    def go(on_constant="refuse", on_conflict="refuse", **texts):
        telemetry, findings, tables = module("telemetry"), module("findings"), module("tables")
        folders = {}
        for index, name in enumerate((*telemetry.LABELED, telemetry.UNLABELED)):
            folders[name] = tmp_path / name
            folders[name].mkdir()
            rows = "".join(f"{name}{user},{index},{user}\n" for user in range(5))
            (folders[name] / "a.csv").write_text(texts.get(name, f"user,x,y\n{rows}"))
        found = findings.Findings(dict.fromkeys(findings.MEANINGS, ""))
        reader, report = telemetry.Reader(found), {}
        return tables.read(folders, reader, tables.Rules(on_constant, on_conflict), report), reader, report

    return go


def test_labels(read):
    table, reader, report = read()
    assert table.label.tolist() == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5 + [-1] * 5
    assert table.values[:, 0].tolist() == sorted([0, 1, 2, 3, 4] * 5)
    assert (table.columns, report["kind"], report["rows_read"]["data_risky"]) == (["x", "y"], "features", 5)
    assert reader.findings.tell() == ""


def test_a_user_with_two_labels(module, read, tmp_path):
    text = "user,x,y\ndata_dormant3,1,1\nme,2,2\n"
    with pytest.raises(module("telemetry").Refused) as raised:
        read(data_risky=text)
    assert "user 'data_dormant3' is in data_dormant and in data_risky, as are 0 more" in str(raised.value)
    assert "--on-conflict drop" in str(raised.value)


def test_a_user_with_two_labels_is_dropped_everywhere(read):
    unlabeled = "user,x,y\ndata_dormant3,1,1\nfree,2,2\ndata_heavy0,3,3\n"
    table, reader, _ = read(
        on_conflict="drop",
        data_risky="user,x,y\ndata_dormant3,1,1\nme,2,2\nme,3,3\n",
        data_unlabeled=unlabeled,
    )
    names = np.array(list(reader.users))[table.code].tolist()
    assert "data_dormant3" not in names and names.count("me") == 2
    assert names[-1] == "free" and table.label.tolist().count(-1) == 1
    findings = reader.findings.as_json()
    assert findings["labeled_twice"]["examples"] == [{"user": "data_dormant3"}]
    assert findings["labeled_and_unlabeled"]["count"] == 2


@pytest.mark.parametrize("policy", ["refuse", "drop", "keep"])
def test_a_constant_column(module, read, policy):
    texts = {f"data_{name}": f"user,x,y\n{name},5,{number}\n" for number, name in enumerate("abc")}
    texts = dict(zip(("data_dormant", "data_normal", "data_heavy"), texts.values(), strict=True))
    texts["data_risky"] = "user,x,y\nr,5,7\n"
    if policy == "refuse":
        with pytest.raises(module("telemetry").Refused) as raised:
            read(**texts)
        assert "1 of 2 columns have one value in all labelled rows: 'x'. Correct the inputs" in str(
            raised.value
        )
        assert "--on-constant drop or keep" in str(raised.value)
        return
    table, reader, _ = read(on_constant=policy, **texts)
    kept = ["y"] if policy == "drop" else ["x", "y"]
    assert (table.columns, table.values.shape[1], list(reader.columns)) == (kept, len(kept), kept)
    assert reader.findings.as_json()["constant_column"]["examples"] == [{"column": "x"}]


def test_nothing_but_constants(module, read):
    texts = {
        f"data_{name}": f"user,x\n{name},5\n" for name in ("dormant", "normal", "heavy", "risky", "unlabeled")
    }
    with pytest.raises(
        module("telemetry").Refused, match=r"1 of 1 columns have one value .* keep, if it must be"
    ):
        read(on_constant="drop", **texts)


def test_an_empty_class(module, read):
    with pytest.raises(
        module("telemetry").Refused, match="the input data_heavy has no rows that could be used"
    ):
        read(data_heavy="user,x,y\n")


def test_no_unlabelled_user(module, read):
    with pytest.raises(
        module("telemetry").Refused, match="no user that could be used; found: 1 labeled_and_unl"
    ):
        read(data_unlabeled="user,x,y\ndata_risky0,1,2\n")


def telemetry(name, days=12, level=1):
    rows = "".join(f"{name},{day},{level + day % 3},{level}\n" for day in range(days))
    return f"user,day,games,loss\n{rows}"


@pytest.fixture
def histories():
    names = ("dormant", "normal", "heavy", "risky", "unlabeled")
    return {f"data_{name}": telemetry(name, level=level) for level, name in enumerate(names)}


def test_telemetry_becomes_features(module, read, histories):
    histories["data_unlabeled"] += "unlabeled,3,9,4\nunlabeled,13,9,4\nshort,1,1,1\nshort,2,1,1\n"
    table, reader, report = read(**histories)
    columns = module("features").columns(["games", "loss"])
    silent = [column for column in columns if column not in table.columns]
    assert [column for column in columns if column in table.columns] == table.columns
    assert {f"loss_period_{number}" for number in (1, 2, 3)} < set(silent), (
        "each has a loss that never changes"
    )
    assert "loss_offset" in table.columns and not any(column.startswith("games") for column in silent)
    assert table.values.shape == (5, 20 - len(silent)) and report["kind"] == "telemetry"
    assert (np.ptp(table.values, axis=0) > 0).all()
    counts = {name: found["count"] for name, found in reader.findings.as_json().items() if found["count"]}
    assert counts == {"duplicate_day": 1, "missing_day": 1, "short_history": 1, "silent_feature": len(silent)}
    assert reader.findings.as_json()["short_history"]["examples"] == [{"user": "short", "days": 2}]


def test_a_stray_day(module, read, histories):
    histories["data_risky"] += "risky,90000,1,1\n"
    with pytest.raises(module("telemetry").Refused) as raised:
        read(**histories)
    assert str(raised.value).startswith(
        "data_risky: user 'risky' has days from 0 to 90000, more than 4,000 days. Correct"
    )

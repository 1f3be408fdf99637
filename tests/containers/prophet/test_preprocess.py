"""preprocess.py as SageMaker runs it: folders in, folders out, and a message where it cannot."""

from __future__ import annotations

import json

import pytest

HEADER = "customer_id,timestamp,consumption\n"


def rows(customer, values, start=1):
    return "".join(f"{customer},2024-01-{start + day:02},{value}\n" for day, value in enumerate(values))


@pytest.fixture
def preprocess(run, tmp_path):
    """Run it on one CSV; the answer is (process, quality or None)."""

    def go(text, *arguments):
        raw = tmp_path / "processing/input/raw/data.csv"
        raw.parent.mkdir(parents=True)
        raw.write_text(text, encoding="utf-8")
        ran = run("preprocess.py", tmp_path, *arguments)
        quality = tmp_path / "processing/quality/data_quality.json"
        return ran, json.loads(quality.read_text(encoding="utf-8")) if quality.exists() else None

    return go


def written(tmp_path, kind):
    return {path.name: path.read_text() for path in (tmp_path / "processing" / kind).iterdir()}


def test_odd_customers(preprocess, tmp_path):
    text = HEADER + rows("../../evil", range(9)) + rows("a b", [5] * 12) + rows("ñandú", range(8))
    text += rows("two", [1, 2]) + rows("one", [1]) + rows("", [1]) + rows(7, range(12))
    ran, quality = preprocess(text)
    assert ran.returncode == 0, ran.stderr
    train, test = written(tmp_path, "train"), written(tmp_path, "test")
    assert set(train) == {"%2E.%2F..%2Fevil.csv", "a%20b.csv", "%C3%B1and%C3%BA.csv", "two.csv", "7.csv"}
    assert set(test) == {"%2E.%2F..%2Fevil.csv", "a%20b.csv", "7.csv"}
    assert train["%2E.%2F..%2Fevil.csv"] == "ds,y\n2024-01-01,0\n2024-01-02,1\n"
    assert test["%2E.%2F..%2Fevil.csv"].count("\n") == 8
    assert [entry["customer"] for entry in quality["excluded"]] == ["one"]
    assert {entry["customer"] for entry in quality["not_evaluated"]} == {"two", "ñandú"}
    assert quality["constant"] == ["a b"]
    assert quality["findings"]["no_customer"]["count"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["processing"]


def test_what_was_found_is_told(preprocess):
    text = HEADER + rows("a", range(20)) + "a,2024-01-01,2\na,soon,2\na,2024-01-30,many\na,2024-01-31,inf\n"
    ran, quality = preprocess(
        text + "a,2024-02-01,-3\na,2024-02-02,\n", "--on-negative", "zero", "--horizon", "2"
    )
    assert ran.returncode == 0, ran.stderr
    counts = {reason: found["count"] for reason, found in quality["findings"].items() if found["count"]}
    assert counts == {
        "unreadable_timestamp": 1, "missing_value": 1, "unreadable_value": 1, "infinite_value": 1,
        "negative_value": 1, "duplicate": 1, "gap": 11,
    }  # fmt: skip
    assert quality["rows_read"] == 26
    assert quality["rows"] == {"train": 19, "test": 2}
    assert quality["settings"]["on_negative"] == "zero"
    assert quality["findings"]["unreadable_value"]["examples"] == [
        {"file": "data.csv", "row": 23, "value": "many"}
    ]
    assert "26 rows in 1 file: 1 customers to train, 1 to evaluate, 0 excluded" in ran.stdout


def test_columns_have_any_name(preprocess, tmp_path):
    text = "when;kWh;meter\n31/12/2024 10:30;1,5;x\n01/01/2025 10:30;2,5;x\n02/01/2025 10:30;3,5;x\n"
    names = ("--customer-column", "meter", "--timestamp-column", "when", "--value-column", "kWh")
    ran, _ = preprocess(
        text, *names, "--timestamp-format", "%d/%m/%Y %H:%M", "--decimal", ",", "--horizon", "1"
    )
    assert ran.returncode == 0, ran.stderr
    assert written(tmp_path, "train") == {"x.csv": "ds,y\n2024-12-31 10:30:00,1.5\n2025-01-01 10:30:00,2.5\n"}


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("id,ds,y\n1,2024-01-01,1\n", (), "data.csv has no column 'customer_id' for the customer"),
        (HEADER, (), "no customer has 2 usable readings among 0 rows; found: nothing to mend"),
        (
            HEADER + rows("a", range(10)),
            ("--horizon", "9"),
            "a horizon of 9 needs 11. Set a smaller --horizon",
        ),
        (
            HEADER + rows("a", ["x"] * 9),
            (),
            "no customer has 2 usable readings among 9 rows; found: 9 unreadable_value ('x', data.csv row 1)",
        ),
        (HEADER, ("--horizon", "0"), "--horizon: '0' is not a whole number from 1 to 10,000"),
        (HEADER, ("--on-missing", "guess"), "--on-missing: invalid choice: 'guess'"),
        (HEADER, ("--timezone", "Mars/Base"), "'Mars/Base' is no time zone such as Europe/Madrid"),
    ],
)
def test_refused_with_a_message(preprocess, tmp_path, text, arguments, message):
    ran, _ = preprocess(text, *arguments)
    assert ran.returncode == 1
    assert message in (tmp_path / "output/message").read_text()
    assert ran.stderr.startswith("preprocessing failed: ") and ran.stderr.count("\n") == 1
    assert not (tmp_path / "processing/train").exists()


def test_refused_data_still_leaves_its_quality(preprocess):
    _, quality = preprocess(HEADER + rows("a", ["x"] * 9))
    assert quality["findings"]["unreadable_value"]["count"] == 9


def test_real_customers(run, tmp_path, data_folder):
    source = data_folder / "electricity" / "customers_daily_long.parquet"
    if not source.exists():
        pytest.skip(f"no {source}")
    names = ("--customer-column", "customer", "--timestamp-column", "ds", "--value-column", "y")
    ran = run("preprocess.py", tmp_path, "--raw", str(source.parent), *names, "--horizon", "14")
    assert ran.returncode == 1 and "eia_hourly_2023-2024.parquet has no column 'customer'" in ran.stderr
    raw = tmp_path / "processing/input/raw"
    raw.mkdir(parents=True)
    (raw / "customers.parquet").symlink_to(source)
    ran = run("preprocess.py", tmp_path, *names, "--horizon", "14")
    assert "314,985 rows in 1 file: 345 customers to train, 345 to evaluate, 0 excluded" in ran.stdout, (
        ran.stderr
    )

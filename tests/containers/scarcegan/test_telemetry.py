"""Inputs as people have them: CSV and Parquet, odd files, and refusals that name the value and its place."""

from __future__ import annotations

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

TEXT = "user,day,games,loss\na,2026-01-01,1,0.5\nb,2026-01-01,2,-1\na,2026-01-02,3,4\n"


@pytest.fixture
def reader(module):
    findings = module("findings")
    found = findings.Findings(dict.fromkeys(findings.MEANINGS, ""))
    return lambda **settings: module("telemetry").Reader(found, **settings)


@pytest.fixture
def folder(tmp_path):
    """A folder with these files of text."""

    def make(**files):
        for name, text in files.items():
            path = tmp_path / "data" / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / "data"

    return make


def test_csv(reader, folder):
    it = reader()
    rows = it.read(folder(a_csv=TEXT, readme_md="x", _hidden_csv="y"), "data_risky")
    assert (rows.code.tolist(), list(it.users)) == ([0, 1, 0], ["a", "b"])
    assert (rows.day - rows.day[0]).tolist() == [0, 0, 1]
    assert rows.values.tolist() == [[1, 0.5], [2, -1], [3, 4]]
    assert (it.columns, it.is_telemetry, it.files) == (("games", "loss"), True, {"data_risky/a.csv": 3})
    assert it.ignored == ["data_risky/.hidden.csv", "data_risky/readme.md"]
    assert it.written(int(rows.day[0])) == "2026-01-01"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.replace(",", ";"),
        "\ufeff" + TEXT.replace("\n", "\r\n"),
        gzip.compress(TEXT.encode()),
        "loss,games,day,user\n0.5,1,2026-01-01,a\n-1,2,2026-01-01,b\n4,3,2026-01-02,a\n",
        '"user","day","games","loss"\n"a","2026-01-01",1,"0.5"\n"b","2026-01-01",2,-1\n"a","2026-01-02",3,4\n',
    ],
)
def test_ways_to_write_a_csv(reader, folder, content):
    name = "a_csv_gz" if isinstance(content, bytes) else "a_csv"
    it = reader(wanted=("games", "loss"))
    rows = it.read(folder(**{name: content}), "data_risky")
    assert rows.values.tolist() == [[1, 0.5], [2, -1], [3, 4]]
    assert rows.code.tolist() == [0, 1, 0] and (rows.day - rows.day[0]).tolist() == [0, 0, 1]


def test_parquet_beside_csv(reader, folder, tmp_path):
    base = folder(sub__b_csv=TEXT)
    table = pa.table(
        {
            "loss": pa.array([1, 2], pa.int8()),
            "day": np.array(["2026-01-05", "2026-01-06"], "datetime64[ms]"),
            "games": pa.array(["7", "8.5"]).dictionary_encode(),
            "user": pa.array(["z", "a"], pa.large_string()),
        }
    )
    pa.parquet.write_table(table, base / "a.parquet")
    it = reader(wanted=("games", "loss"))
    rows = it.read(base, "data_heavy")
    assert list(it.files) == ["data_heavy/a.parquet", "data_heavy/sub/b.csv"]
    assert rows.values[:3].tolist() == [[7, 1], [8.5, 2], [1, 0.5]]
    assert list(it.users) == ["z", "a", "b"] and rows.code.tolist() == [0, 1, 1, 2, 1]
    assert (rows.day - rows.day[2]).tolist() == [4, 5, 0, 0, 1]


def test_ready_features_have_no_day(reader, folder):
    it = reader(user="id")
    rows = it.read(folder(a_csv="id,x,y\n1,0.5,2\n2,1e3,4\n"), "data_normal")
    assert rows.day is None and not it.is_telemetry
    assert (it.columns, rows.values.tolist()) == (("x", "y"), [[0.5, 2], [1000, 4]])
    assert rows.take(np.array([1])).values.tolist() == [[1000, 4]]


def test_rows_without_a_user_are_dropped_and_counted(reader, folder):
    it = reader()
    rows = it.read(folder(a_csv=TEXT + ",2026-01-03,1,1\n"), "data_risky")
    assert len(rows.code) == 3 and it.findings.total("no_user") == 1


@pytest.mark.parametrize(("on_nan", "values"), [("drop", [[1, 0.5]]), ("zero", [[1, 0.5], [0, 4], [3, 0]])])
def test_missing_values(reader, folder, on_nan, values):
    it = reader(on_nan=on_nan)
    text = "user,day,games,loss\na,1,1,.5\na,2,,4\na,3,3,NaN\n"
    rows = it.read(folder(a_csv=text), "data_risky")
    assert rows.values.tolist() == values and len(rows.code) == len(rows.day) == len(values)
    report = it.findings.as_json()["missing_value"]
    assert (report["count"], report["examples"]) == (
        2,
        [{"file": "data_risky/a.csv", "row": 2, "column": "games"}],
    )


H = "user,day,games\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            H + "a,2026-01-01,1\na,2026-01-02,many\n",
            "a.csv row 2, column 'games': 'many' is no number. Correct it",
        ),
        (H + "a,1,many\n", "or leave the column out with --columns (--set Columns=…)"),
        (
            H + "a,2026-01-01,1\na,02.01.2026,1\n",
            "data_risky/a.csv row 2, column 'day': '02.01.2026' is no day",
        ),
        (H + "a,1/2,1\n", "days are written 2026-01-31, 20260131 or as whole numbers"),
        (H + "a,2026-01-01,inf\n", "row 1, column 'games': 'inf' is infinite"),
        (
            H + "a,1,1\nb,2,\nc,2,nan\n",
            "row 2, column 'games': the value is missing (NaN), as in 2 of 3 rows.",
        ),
        (H + "b,2,\n", "Fill them in, or set --on-nan drop or zero"),
        ("id,day,games\na,1,1\n", "data_risky/a.csv has no column 'user' for the user"),
        ("id,day,games\na,1,1\n", "its columns are 'id', 'day', 'games'. Rename it, or set --user-column"),
        ("user,day,games,games\na,1,1,1\n", "data_risky/a.csv has two columns 'games'; rename"),
        ("user,day\na,1\n", "data_risky/a.csv has no counters or features; its columns are 'user', 'day'"),
        (H + "a,1,1\nb,2\n", "data_risky/a.csv cannot be read: CSV parse error: Row #3: Expected 3 columns"),
        ("", "data_risky/a.csv has no column 'user' for the user; its columns are none"),
        (b"PAR1 but no", "data_risky/a.parquet cannot be read"),
        (b"user,day,games\na\xff,1,1\n", "cannot be read: "),
    ],
)
def test_refused(module, reader, folder, text, message):
    name = "a_parquet" if text == b"PAR1 but no" else "a_csv"
    with pytest.raises(module("telemetry").Refused) as raised:
        reader().read(folder(**{name: text}), "data_risky")
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_other_columns_in_another_file(module, reader, folder):
    with pytest.raises(module("telemetry").Refused) as raised:
        reader().read(folder(a_csv=TEXT, b_csv=TEXT.replace("loss", "losses")), "data_risky")
    assert str(raised.value).startswith(
        "data_risky/b.csv has no column 'loss' and has 'losses', which others have not; its columns are 'user', "
        "'day', 'games', 'losses'. all files need those of data_risky/a.csv"
    )
    it = reader(wanted=("games",))
    assert it.read(folder(), "data_risky").values.tolist() == [[1], [2], [3]] * 2


def test_a_table_among_telemetry(module, reader, folder):
    with pytest.raises(module("telemetry").Refused, match=r"b\.csv has no column 'day'"):
        reader().read(folder(a_csv=TEXT, b_csv="user,games,loss\na,1,1\n"), "data_risky")


def test_days_written_in_two_ways(module, reader, folder):
    with pytest.raises(module("telemetry").Refused) as raised:
        reader().read(folder(a_csv=TEXT, b_csv="user,day,games,loss\na,7,1,1\n"), "data_risky")
    assert "days are dates in data_risky/a.csv, but numbers in data_risky/b.csv" in str(raised.value)


def test_an_input_that_is_missing_or_empty(module, reader, folder, tmp_path):
    refused = module("telemetry").Refused
    with pytest.raises(
        refused, match=r"the input data_heavy is missing: there is no folder .*/none; the five inputs"
    ):
        reader().read(tmp_path / "none", "data_heavy")
    with pytest.raises(
        refused, match=r"data_heavy has no data: .* holds only notes.txt; files must end in .csv"
    ):
        reader().read(folder(notes_txt="x"), "data_heavy")

"""Files of all the kinds that people bring, and what is said about those that cannot be used."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pyarrow.parquet
import pytest

TEXT = "customer_id,timestamp,consumption\na,2024-01-01,1\nb,2024-01-02,2\n"
GZIPPED = gzip.compress(TEXT.encode(), mtime=0)


@pytest.fixture
def read(module, tmp_path):
    """Read everything in tmp_path; the answer is (readings, findings)."""

    def read(customer="customer_id", timestamp="timestamp", value="consumption"):
        findings, readings = module("findings"), module("readings")
        found = findings.Findings(dict.fromkeys(findings.MEANINGS, ""))
        columns = readings.Columns(customer, timestamp, value)
        data, _ = readings.find(tmp_path)
        return readings.read(data, tmp_path, columns, module("parsing").Formats(), found), found

    return read


def rows(readings):
    return [
        (readings.customers[code], str(ds)[:10], y, readings.files[file], row)
        for code, ds, y, file, row in zip(
            readings.code, readings.ds, readings.y, readings.file, readings.row, strict=True
        )
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", TEXT.encode()),
        ("x.csv", TEXT.encode("utf-8-sig")),
        ("x.csv", TEXT.replace("\n", "\r\n").encode()),
        ("x.csv", TEXT.replace(",", ";").encode()),
        ("x.tsv", TEXT.replace(",", "\t").encode()),
        ("x.csv", TEXT.replace("customer_id", '"customer_id"').replace("a,", '"a",').encode()),
        (
            "x.csv",
            TEXT.replace("customer_id", "note,customer_id")
            .replace("a,", "n,a,")
            .replace("b,", "n,b,")
            .encode(),
        ),
        ("deep/er/x.csv.gz", GZIPPED),
    ],
    ids=("plain", "bom", "crlf", "semicolons", "tabs", "quotes", "more columns", "nested and zipped"),
)
def test_kinds_of_csv(read, tmp_path, name, content):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    readings, _ = read()
    assert rows(readings) == [("a", "2024-01-01", 1.0, name, 1), ("b", "2024-01-02", 2.0, name, 2)]


def test_parquet_and_csv_side_by_side(read, tmp_path):
    (tmp_path / "b.csv").write_text(TEXT)
    table = pa.table(
        {
            "customer_id": pa.array(["a", "c"]).dictionary_encode(),
            "timestamp": pa.array([0, 86_400], pa.timestamp("s")),
            "consumption": pa.array([5, None], pa.int16()),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    readings, found = read()
    assert readings.customers == ["a", "c", "b"]
    assert [row[:2] for row in rows(readings)] == [
        ("a", "1970-01-01"), ("c", "1970-01-02"), ("a", "2024-01-01"), ("b", "2024-01-02"),
    ]  # fmt: skip
    assert found.counts["missing_value"] == 1


def test_malformed_lines_are_skipped_and_the_others_keep_their_numbers(read, tmp_path):
    (tmp_path / "x.csv").write_text(
        "customer_id,timestamp,consumption\na,2024-01-01,1\nb,2024\nc,2024-01-02,2,3,4\nd,2024-01-03,4\n"
    )
    readings, found = read()
    assert [(row[0], row[4]) for row in rows(readings)] == [("a", 1), ("d", 4)]
    report = found.as_json()["malformed_line"]
    assert (report["count"], report["examples"][0]) == (2, {"file": "x.csv", "row": 2, "value": "b,2024"})


def test_empty_files_are_no_harm(read, tmp_path):
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv").write_text("customer_id,timestamp,consumption\n")
    (tmp_path / "c.csv").write_text(TEXT)
    readings, _ = read()
    assert len(rows(readings)) == 2
    assert readings.files == ["a.csv", "b.csv", "c.csv"]


def test_what_is_no_data_is_left_out(module, tmp_path):
    for name in ("x.csv", "README.md", "_SUCCESS.csv", ".x.csv", "more/y.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    data, ignored = module("readings").find(tmp_path)
    assert [path.name for path in data] == ["y.parquet", "x.csv"]
    assert sorted(path.name for path in ignored) == [".x.csv", "README.md", "_SUCCESS.csv"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", b"", "no input data: {folder} holds only x.txt; files must end in .csv, .csv.gz"),
        ("x.csv", b"id,when\n1,2\n", "x.csv has no column 'customer_id' for the customer and no column 'timestamp' "
         "for the timestamp and no column 'consumption' for the value; its columns are 'id', 'when'. "
         "Set --customer-column and --timestamp-column and --value-column "
         "(--set CustomerColumn=… TimestampColumn=… ValueColumn=…)"),
        ("x.csv", TEXT.replace("timestamp", "customer_id").encode(), "two columns 'customer_id' for the customer"),
        ("x.csv", TEXT.encode("utf-16"), "x.csv cannot be read: 'utf-8' codec"),
        ("x.csv", TEXT.replace("a,", "ñ,").encode("latin-1"), "x.csv cannot be read: In CSV column #0: Row #2"),
        ("x.csv.gz", GZIPPED[:-10], "x.csv.gz cannot be read: Truncated compressed stream"),
        ("x.csv.gz", GZIPPED[:10] + b"\xff" * 20 + GZIPPED[30:], "x.csv.gz cannot be read: Error -3"),
        ("x.csv.gz", TEXT.encode(), "x.csv.gz cannot be read: Not a gzipped file"),
        ("x.parquet", TEXT.encode(), "x.parquet cannot be read: Parquet magic bytes not found"),
    ],
    ids=("no data", "columns", "twice", "utf-16", "latin-1", "cut", "damaged", "no gzip", "no parquet"),
)  # fmt: skip
def test_refused(module, read, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(module("readings").Refused) as raised:
        read()
    assert message.format(folder=tmp_path) in str(raised.value)


def test_a_column_of_lists_is_refused(module, read, tmp_path):
    table = pa.table({"customer_id": [["a"]], "timestamp": ["2024-01-01"], "consumption": [1]})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(module("readings").Refused, match=r"x\.parquet cannot be read"):
        read()


def test_days_before_months_need_a_format(module, read, tmp_path):
    (tmp_path / "a.csv").write_text("customer_id,timestamp,consumption\na,12/01/2024,1\na,13/01/2024,2\n")
    with pytest.raises(
        module("readings").Refused, match=r"a.csv, column 'timestamp': '13/01/2024'.*TimestampFormat"
    ):
        read()


def test_an_open_quote_takes_no_rows_along(module, read, tmp_path):
    (tmp_path / "a.csv").write_text(TEXT + '"c,2024-01-03,3\nd,2024-01-04,4\ne,2024-01-05,5\n')
    with pytest.raises(
        module("readings").Refused, match=r"a\.csv row 3: a quote opens there and takes in 2 more"
    ):
        read()


def test_empty_lines_before_the_header(read, tmp_path):
    (tmp_path / "a.csv").write_text("\n\r\n" + TEXT)
    assert [row[:3] for row in rows(read()[0])] == [("a", "2024-01-01", 1.0), ("b", "2024-01-02", 2.0)]


def test_names_in_capitals(read, tmp_path):
    (tmp_path / "A.CSV").write_text(TEXT)
    assert len(rows(read()[0])) == 2

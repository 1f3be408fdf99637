"""evaluate.py as SageMaker runs it: numbers, plots and a page; or why there are none."""

from __future__ import annotations

import csv
import json
import shutil

import pytest


def test_outputs(trained):
    folder = trained / "processing/evaluation"
    assert {path.name for path in folder.iterdir()} == {
        "evaluation.json", "model_quality.json", "per_customer.csv", "plots", "report.html",
    }  # fmt: skip
    evaluation = json.loads((folder / "evaluation.json").read_text())
    overall = evaluation["overall"]
    assert 0.2 < overall["mase"]["median"] < 1.5
    assert (overall["customers"], overall["failed"], overall["points"]) == (3, 0, 21)
    assert set(overall["smape"]) == set(overall["mae"]) == {"median", "mean"}
    assert 0 <= overall["coverage"] <= 1
    assert [step["step"] for step in evaluation["by_step"]] == list(range(1, 8))
    assert set(evaluation["definitions"]) <= set(overall)
    with (folder / "per_customer.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["customer"] for row in rows] == ["customer_0", "customer_1", "customer_2"]
    assert {row["season"] for row in rows} == {"7"}
    mean = sum(float(row["mae"]) for row in rows) / 3
    assert overall["mae"]["mean"] == pytest.approx(mean)
    quality = json.loads((folder / "model_quality.json").read_text())["regression_metrics"]
    assert quality["mae"]["value"] == pytest.approx(mean), "all have as many readings"
    page = (folder / "report.html").read_text()
    assert "customer_2" in page and "2,280 rows read; the median step between readings is 1 day" in page
    log = (trained / "evaluate.py.log").read_text()
    assert f"evaluation:mase={overall['mase']['median']:.6g};" in log
    assert "models:done=3; models:total=3;" in log


@pytest.fixture
def copy(trained, tmp_path):
    """The inputs of an evaluation, to be spoiled."""
    for name in ("train", "test"):
        shutil.copytree(trained / "processing" / name, tmp_path / "processing" / name)
    shutil.copytree(trained / "model", tmp_path / "processing/models/nested")
    return tmp_path


def test_customers_without_a_model_are_told_with_the_reason(copy, run):
    models = copy / "processing/models/nested"
    (models / "customer_1.tar.gz").unlink()
    (models / "customer_2.tar.gz").write_bytes(b"half")
    failed = [{"customer": "customer_1", "file": "customer_1.csv", "reason": "too short"}]
    report = copy / "processing/training/deep/training_report-algo-2.json"
    report.parent.mkdir(parents=True)
    report.write_text(json.dumps({"failed": failed}))
    ran = run("evaluate.py", copy)
    assert ran.returncode == 0, ran.stderr
    evaluation = json.loads((copy / "processing/evaluation/evaluation.json").read_text())
    assert (evaluation["overall"]["customers"], evaluation["overall"]["failed"]) == (1, 2)
    reasons = {entry["customer"]: entry["reason"] for entry in evaluation["failed"]}
    assert reasons["customer_1"] == "not fitted: too short"
    assert "not a whole .tar.gz" in reasons["customer_2"]
    page = (copy / "processing/evaluation/report.html").read_text()
    assert "not fitted: too short" in page and "data_quality.json was not given" in page


def remove_models(base):
    shutil.rmtree(base / "processing/models")


def remove_tests(base):
    shutil.rmtree(base / "processing/test")


def break_models(base):
    for path in (base / "processing/models/nested").iterdir():
        path.write_bytes(b"")


def flatten(base):
    for path in (base / "processing/train").iterdir():
        lines = path.read_text().splitlines()
        path.write_text("\n".join([lines[0], *(line.split(",")[0] + ",5" for line in lines[1:])]))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove_models, "no models ({customer}.tar.gz) in "),
        (remove_tests, "nothing was held out in "),
        (break_models, "none of 3 customers could be judged; "),
        (flatten, "MASE is undefined for all 3 customers: their histories repeat themselves exactly"),
    ],
)
def test_nothing_to_judge(copy, run, spoil, message):
    spoil(copy)
    ran = run("evaluate.py", copy)
    assert ran.returncode == 1
    assert message in (copy / "output/message").read_text()
    assert ran.stderr.startswith("evaluation failed: ") and ran.stderr.count("\n") == 1


def test_real_customers_with_an_odd_one(run, tmp_path, data_folder):
    """Four real customers and one of zeros, from raw data to the page."""
    source = data_folder / "electricity" / "customers_daily_long.parquet"
    if not source.exists():
        pytest.skip(f"no {source}")
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(source).slice(0, 4 * 913).to_pylist()
    rows += [{"customer": "../zero, <b>", "ds": row["ds"], "y": 0.0} for row in rows[:100]]
    raw = tmp_path / "processing/input/raw/part 1"
    raw.mkdir(parents=True)
    with (raw / "x.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    names = ("--customer-column", "customer", "--timestamp-column", "ds", "--value-column", "y")
    ran = run("preprocess.py", tmp_path, *names, "--horizon", "14")
    assert ran.returncode == 0, ran.stderr
    (tmp_path / "processing/models").symlink_to(tmp_path / "model")
    ran = run("train.py", tmp_path, "--training", str(tmp_path / "processing/train"))
    assert ran.returncode == 0, ran.stderr
    ran = run("evaluate.py", tmp_path)
    assert ran.returncode == 0, ran.stderr
    overall = json.loads((tmp_path / "processing/evaluation/evaluation.json").read_text())["overall"]
    assert (overall["customers"], overall["failed"], overall["mase_undefined"]) == (5, 0, 1)
    assert 0.2 < overall["mase"]["median"] < 2
    assert "../zero, &lt;b&gt;" in (tmp_path / "processing/evaluation/report.html").read_text()

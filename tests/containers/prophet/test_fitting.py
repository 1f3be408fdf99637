"""One customer: an archive in every place asked for, or a reason why not."""

from __future__ import annotations


def test_fit_customer(snippet, tmp_path, trained):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "bad.csv").write_text("ds,y\n2024-01-01,1\n")
    snippet(
        f"""
from pathlib import Path
import numpy as np
import engine, fitting
from trainyard.in_image.archives import read_archive

base = Path({str(tmp_path)!r})
archives = (base / "one/customer_0.tar.gz", base / "two/customer_0.tar.gz")
data = Path({str(trained)!r}) / "processing/train/customer_0.csv"
outcome = fitting.fit_customer(fitting.Task(data, archives, "abc", engine.Options()))
assert (outcome.customer, outcome.file, outcome.status, outcome.rows) == ("customer_0", data.name, "fitted", 753)
assert archives[0].read_bytes() == archives[1].read_bytes()
files = read_archive(archives[0])
assert list(files) == ["model.json"] and archives[0].stat().st_size < 1024
model = engine.load(files["model.json"])
made = model.provenance
assert (made.customer, made.fingerprint, made.options, model.parameters.rows) == ("customer_0", "abc", {{}}, 753)
assert str(np.datetime64(model.parameters.start, "ns"))[:10] == "2024-01-01"
assert str(np.datetime64(model.parameters.last, "ns"))[:10] == "2026-01-22"
assert (made.mae, made.mape) == (outcome.mae, outcome.mape) and 0 < outcome.mape < 20
series = fitting.customers.read_series(data)
errors = abs(engine.fitted_values(model, series.ds) - series.y)
assert abs(errors.mean() / outcome.mae - 1) < 1e-5
other = fitting.fit_customer(fitting.Task(data, archives[:1], "abc", engine.Options(engine="stan", seed=3)))
assert engine.load(read_archive(archives[0])["model.json"]).provenance.options == {{"engine": "stan", "seed": 3}}

bad = fitting.Task(base / "bad.csv", (base / "one/bad.tar.gz",), "abc", engine.Options())
outcome = fitting.fit_customer(bad)
assert (outcome.customer, outcome.status) == ("bad", "failed")
assert outcome.reason == "1 usable rows, Prophet needs at least 2"
(base / "zero.csv").write_text("ds,y\\n2024-01-01,0\\n2024-01-02,0\\n")
zero = fitting.fit_customer(fitting.Task(base / "zero.csv", (base / "one/zero.tar.gz",), "", engine.Options()))
assert (zero.mae, zero.mape) == (0.0, None)
assert not (base / "one/bad.tar.gz").exists()
missing = fitting.Task(data, (base / "absent/x.tar.gz",), "abc", engine.Options())
try:
    fitting.fit_customer(missing)
except FileNotFoundError as error:
    assert "absent" in str(error)
else:
    raise AssertionError("written where there is no folder")
""",
        tmp_path,
    )

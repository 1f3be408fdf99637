"""A batch of customers: an archive in every place asked for, or a reason why not."""

from __future__ import annotations

PRELUDE = """
from pathlib import Path
import numpy as np
import engine, fitting
from trainyard.in_image.archives import read_archive

def job(data, folders, **options):
    return fitting.Job(Path(data), tuple(map(Path, folders)), engine.Options(**options), "engine 1")

def fit(job, *names):
    return {one.file: one for one in fitting.fit_batch(fitting.Batch(job, names))}
"""


def test_a_batch_of_one(snippet, tmp_path, trained):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    snippet(
        PRELUDE
        + f"""
folders = [{str(tmp_path)!r} + "/one", {str(tmp_path)!r} + "/two"]
data = Path({str(trained)!r}) / "processing/train"
outcome = fit(job(data, folders), "customer_0.csv")["customer_0.csv"]
assert (outcome.customer, outcome.status, outcome.rows) == ("customer_0", "fitted", 753)
archives = [Path(folder, "customer_0.tar.gz") for folder in folders]
assert archives[0].read_bytes() == archives[1].read_bytes()
files = read_archive(archives[0])
assert list(files) == ["model.json"] and archives[0].stat().st_size < 1024
model = engine.load(files["model.json"])
made = model.provenance
assert (made.customer, made.engine, made.options, model.parameters.rows) == ("customer_0", "engine 1", {{}}, 753)
assert str(np.datetime64(model.parameters.start, "ns"))[:10] == "2024-01-01"
assert str(np.datetime64(model.parameters.last, "ns"))[:10] == "2026-01-22"
assert (made.mae, made.mape) == (outcome.mae, outcome.mape) and 0 < outcome.mape < 20
series = fitting.customers.read_series(data / "customer_0.csv")
errors = abs(engine.fitted_values(model, series.ds) - series.y)
assert abs(errors.mean() / outcome.mae - 1) < 1e-5

again = fit(job(data, folders), "customer_0.csv")["customer_0.csv"]
assert (again.status, again.mae, again.mape, again.rows) == ("reused", outcome.mae, outcome.mape, 753)
other = fit(job(data, folders[:1], engine="stan", seed=3), "customer_0.csv")
assert engine.load(read_archive(archives[0])["model.json"]).provenance.options == {{"engine": "stan", "seed": 3}}
try:
    fit(job(data, [Path(folders[0]) / "absent"]), "customer_0.csv")
except FileNotFoundError as error:
    assert "absent" in str(error)
else:
    raise AssertionError("written where there is no folder")
""",
        tmp_path,
    )


def test_nobodys_failure_is_anothers_and_companions_keep_their_bytes(snippet, tmp_path):
    for folder in ("data", "one", "two"):
        (tmp_path / folder).mkdir()
    snippet(
        PRELUDE
        + f"""
base = Path({str(tmp_path)!r})
data = base / "data"
generator = np.random.default_rng(0)
days = np.datetime64("2024-01-01") + np.arange(40)
def write(name, days, y):
    rows = "".join(f"{{day}},{{value}}\\n" for day, value in zip(days, y, strict=True))
    (data / f"{{name}}.csv").write_text(f"ds,y\\n{{rows}}")
for number in range(30):
    write(f"c{{number:02}}", days[number >= 25 :], generator.normal(50, 5, 40)[number >= 25 :].round(3).tolist())
write("huge", days, [1e301] * 40)
write("zero", days, [0] * 40)
write("short", days[:1], [1])
(data / "odd.csv").write_text("when,what\\n2024-01-01,5\\n")
names = fitting.customers.names(data)
found = fit(job(data, [base / "one"]), *names)
assert sorted(found) == names
reasons = {{name: one.reason for name, one in found.items() if one.status != "fitted"}}
assert reasons == {{
    "huge.csv": "a value is not finite, or beyond 1e+300",
    "short.csv": "1 usable rows, Prophet needs at least 2",
    "odd.csv": "needs the columns ds and y, has ['when', 'what']",
}}, reasons
assert (found["zero.csv"].mae, found["zero.csv"].mape) == (0.0, None)
(data / "huge.csv").unlink()
names.remove("huge.csv")
together = fit(job(data, [base / "two"]), *names)
for name in ("c00", "c29"):
    alone, beside = (read_archive(base / folder / f"{{name}}.tar.gz")["model.json"] for folder in ("one", "two"))
    yhat = [engine.fitted_values(engine.load(content), days.astype("M8[us]")) for content in (alone, beside)]
    assert abs(yhat[0] - yhat[1]).max() < 1e-8
    assert abs(found[f"{{name}}.csv"].mae / together[f"{{name}}.csv"].mae - 1) < 1e-5

whole = {{path.name: path.read_bytes() for path in (base / "two").iterdir()}}
for name in list(whole)[::2]:
    (base / "two" / name).unlink()
third = fit(job(data, [base / "two"]), *names)
assert sorted(third) == names and {{one.status for one in third.values()}} == {{"fitted", "reused", "failed"}}
assert whole == {{path.name: path.read_bytes() for path in (base / "two").iterdir()}}
""",
        tmp_path,
    )


def test_batches_are_always_the_same_and_bounded(snippet, tmp_path):
    (tmp_path / "data").mkdir()
    for number in range(40):
        (tmp_path / f"data/{number:02}.csv").write_text("ds,y\n2024-01-01,1\n")
    snippet(
        PRELUDE
        + f"data = Path({str(tmp_path / 'data')!r})"
        + """
names = fitting.customers.names(data)
assert [len(batch.names) for batch in fitting.batches(job(data, []), names)] == [40]
assert len(list(fitting.batches(job(data, [], engine="stan"), names))) == 40
fitting.MOST, kept = 10, fitting.MOST
assert [len(batch.names) for batch in fitting.batches(job(data, []), names)] == [10, 10, 10, 10]
assert [len(each.names) for each in fitting.one_by_one(fitting.Batch(None, ("a", "b")))] == [1, 1]
fitting.MOST, fitting.MOST_BYTES = kept, 3.5 * (data / "00.csv").stat().st_size
assert [len(batch.names) for batch in fitting.batches(job(data, []), names)][:5] == [3] * 5
""",
        tmp_path,
    )

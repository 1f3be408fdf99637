"""An archive becomes a file that Prophet reads, and that predicts what the archive predicts."""

from __future__ import annotations

import json


def test_prophet_goes_on(snippet, tmp_path, trained):
    snippet(
        f"""
import contextlib, dataclasses, io
from pathlib import Path
import numpy as np
import customers, engine, fitting, prophet_json, stan_engine
from trainyard.in_image.archives import read_archive

base = Path({str(trained)!r})
csv = base / "processing/train/customer_0.csv"

def converted(archive, csv=csv):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = prophet_json.main([str(archive), str(csv)])
    return code, out.getvalue(), err.getvalue()

def check(archive):
    code, text, err = converted(archive)
    assert (code, err) == (0, ""), err
    stan_engine.quiet()
    import pandas as pd
    from prophet.serialize import model_from_json
    model = engine.load(read_archive(archive)["model.json"])
    stamps = engine.future(model, 30)
    prophet = model_from_json(text)
    np.random.seed(model.seed)
    theirs = prophet.predict(pd.DataFrame({{"ds": stamps, "cap": model.parameters.cap}}))
    ours = engine.predict(model, stamps, sampled=True)
    size = 1e-12 * np.ptp(customers.read_series(csv).y)
    for name in ("yhat", "yhat_lower", "yhat_upper"):
        np.testing.assert_allclose(getattr(ours, name), theirs[name], rtol=0, atol=size)

check(base / "model/customer_0.tar.gz")
for number, chosen in enumerate((
    dict(country_holidays="ES", interval_width=0.9, seed=5), dict(growth="flat", weekly_seasonality="false"),
    dict(n_changepoints=0, yearly_seasonality="false", weekly_seasonality="false"), dict(growth="logistic"),
)):
    (folder := Path({str(tmp_path)!r}) / str(number)).mkdir()
    job = fitting.Job(csv.parent, (folder,), engine.Options(**chosen), "")
    assert fitting.fit_batch(fitting.Batch(job, (csv.name,)))[0].status == "fitted"
    check(archive := folder / "customer_0.tar.gz")
code, text, err = converted(archive, base / "processing/train/customer_1.csv")
assert (code, text) == (1, "") and "fitted to other readings or options: their largest value differ" in err
code, text, err = converted(archive, archive)
assert (code, text) == (1, "") and err.startswith("cannot be converted: ")
""",
        tmp_path,
    )


def test_the_command(run, tmp_path, trained):
    arguments = (str(trained / "model/customer_1.tar.gz"), str(trained / "processing/train/customer_1.csv"))
    ran = run("prophet_json.py", tmp_path, *arguments)
    assert ran.returncode == 0 and ran.stderr == ""
    assert json.loads(ran.stdout)["growth"] == "linear"

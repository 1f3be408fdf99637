"""One customer judged, or a reason why not."""

from __future__ import annotations


def test_score_customer(snippet, tmp_path, trained):
    snippet(
        f"""
from pathlib import Path
import numpy as np
import accuracy, customers, scoring

base = Path({str(trained)!r})
scratch = Path({str(tmp_path)!r})
files = [base / "processing/train/customer_0.csv", base / "processing/test/customer_0.csv"]
score = scoring.score_customer(scoring.Task(*files, base / "model/customer_0.tar.gz"))
history, test = (customers.read_series(path) for path in files)
assert (score.customer, score.stem, score.points, score.season) == ("customer_0", "customer_0", 7, 7)
assert (score.forecast.ds.astype("datetime64[us]") == test.ds).all()
assert score.mae == np.abs(test.y - score.forecast.yhat).mean()
assert abs(score.mase - score.mae / np.abs(history.y[7:] - history.y[:-7]).mean()) < 1e-9
assert score.naive_mae == np.abs(test.y - history.y[-7:]).mean()
assert score.interval_width == 0.8 and 0 <= score.coverage <= 1
assert score.history_y.tolist() == history.y[-28:].tolist()

def reason(test=files[1], archive=base / "model/customer_0.tar.gz", train=files[0]):
    unscored = scoring.score_customer(scoring.Task(train, test, archive))
    assert isinstance(unscored, scoring.Unscored) and unscored.stem == customers.stem_of(test)
    return unscored.reason

assert reason(archive=None) == "no model was trained"
broken = scratch / "broken.tar.gz"
broken.write_bytes((base / "model/customer_0.tar.gz").read_bytes()[:100])
assert "not a whole .tar.gz" in reason(archive=broken)
from trainyard.in_image.archives import write_archive
write_archive(broken, {{"model.json": b"[]"}})
assert "not a model of this engine" in reason(archive=broken)
write_archive(broken, {{"other.json": b"[]"}})
assert "holds no model.json" in reason(archive=broken)
empty = scratch / "customer_0.csv"
empty.write_text("ds,y\\n")
assert reason(test=empty) == "its file of held-out readings has none"
empty.write_text("a,b\\n")
assert "needs the columns ds and y" in reason(test=empty)
""",
        tmp_path,
    )

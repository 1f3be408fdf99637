"""One model at a time: which weights stay, the threshold on its fold, and what all variants leave."""

from __future__ import annotations

from pathlib import Path

PRELUDE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import dataclasses
from pathlib import Path
import numpy as np
import fitting, job_folder, training_data
from architecture import log_probabilities
from hyperparameters import ModelSpec, Options
from measures import average_precision
from tensor import be_deterministic

be_deterministic()
base = job_folder.make(Path(__file__).parent)
data = training_data.read({{name: base / "input/data" / name for name in training_data.CHANNELS}})
told, loops, reports = [], fitting.Loops(), {{}}
job = fitting.Job(
    data=data, digest="", interval=100, jit=False, stop_on_bad_gradients=False, checkpoint_dir=None,
    tell=lambda name, entry: told.append((name, entry["Iteration"])), stopping=lambda: False,
)

def fit(name="m", fold=0, job=job, **options):
    spec = ModelSpec(name, fold, Options(**{{"steps": 350, "learning_rate": 1e-3, **options}}))
    return fitting.fit(spec, job, loops, reports)
"""


def test_the_weights_that_were_best_stay(snippet, tmp_path):
    snippet(
        PRELUDE
        + """
by_loss, last, by_precision = (fit(s, selection=s) for s in ("loss", "last", "average_precision"))
history = reports["loss"].history
assert told[:4] == [("loss", 100), ("loss", 200), ("loss", 300), ("loss", 350)]
assert len(loops._made) == 1
losses = [entry["Validation_Supervised_Loss"] for entry in history]
precisions = [entry["Validation_Average_Precision"] for entry in history]
assert by_loss.details["metrics"]["Validation_Supervised_Loss"] == min(losses)
assert last.details["metrics"]["Iteration"] == 350
assert by_precision.details["metrics"]["Validation_Average_Precision"] == max(precisions)
part, positive = data.part(0), data.part(0).held_out_labels == 3
for model in (by_loss, last, by_precision):  # the weights are those of the entry
    told_so = model.details["metrics"]["Validation_Average_Precision"]
    assert abs(average_precision(positive, model.scores(part.held_out)) - told_so) < 1e-9
    rule, chosen = model.details["threshold"]["rule"], model.details["threshold"]
    flagged = model.flags(part.held_out)
    assert chosen["recall"] == (flagged & positive).sum() / positive.sum()
    assert chosen["precision"] == (flagged & positive).sum() / flagged.sum()
assert model.details["trained_on"]["labelled"] == {"dormant": 60, "normal": 52, "heavy": 45, "risky": 30}

same, other_fold, other_seed = fit(), fit(fold=1), fit(seed=1)
assert (same.weights["body.0.kernel"] == by_loss.weights["body.0.kernel"]).all()
for other in (other_fold, other_seed):
    assert (other.weights["body.0.kernel"] != same.weights["body.0.kernel"]).any()
means = [entry["Accuracy_Supervised"] for entry in history]
assert means == sorted(means) and 0 < means[0] < means[-1] <= 1, "it learns"
""",
        tmp_path,
    )


def test_every_variant_learns_and_only_leeway_says_unknown(snippet, tmp_path):
    snippet(
        PRELUDE
        + """
for variant in ("full", "without_bad_generator", "without_leeway", "vanilla"):
    model = fit(variant, variant=variant, low_density_weight=0.5, steps=200)
    answers = model.probabilities(data.unlabelled)
    leeway = variant in ("full", "without_bad_generator")
    assert (answers[:, 4] > 0).all() == leeway == model.details["leeway"], variant
    entries = reports[variant].history
    assert entries[-1]["Discriminator_Supervised_Loss"] < entries[0]["Discriminator_Supervised_Loss"], variant
    assert reports[variant].findings == [], variant
assert len(loops._made) == 4
""",
        tmp_path,
    )


def test_gradients_that_are_not_finite(snippet, tmp_path):
    """Exploded models fail with a reason, at once if so asked; models that were good before stay good."""
    snippet(
        PRELUDE
        + """
def fails(**more):
    wild = dataclasses.replace(data, unlabelled=data.unlabelled * np.float32(1e30))
    try:
        fit(job=dataclasses.replace(job, data=wild, **more))
    except fitting.BadGradients as error:
        return str(error)
    raise AssertionError("not refused")

assert fails() == "model m has no finite weights: lower learning_rate=0.001"
assert len(reports["m"].history) == 4
said = fails(stop_on_bad_gradients=True)
assert said.startswith("ExplodingTensor in model m before iteration 100: the gradient of the "), said
assert said.endswith("is not finite") and len(reports["m"].history) == 1
assert {finding["rule"] for finding in reports["m"].findings} == {"ExplodingTensor"}
""",
        tmp_path,
    )

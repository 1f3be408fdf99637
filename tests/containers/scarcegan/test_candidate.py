"""A candidate's seeds, its rows, what is kept of it, and the files that it becomes."""

from __future__ import annotations

from pathlib import Path

PRELUDE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import numpy as np
import job_folder, training_data
from candidate import Candidate
from hyperparameters import ModelSpec, Options
from state import first_state

base = job_folder.make(Path(__file__).parent)
data = training_data.read({{name: base / "input/data" / name for name in training_data.CHANNELS}})

def candidate(fold=0, **options):
    return Candidate.of(ModelSpec("m", fold, Options(**options)), data, "digest", jit=False)
"""


def test_seeds_are_the_folds_and_the_jobs(snippet, tmp_path):
    snippet(
        PRELUDE
        + """
seeds = {c.graph_seed for c in (candidate(), candidate(1), candidate(seed=1), candidate(1, seed=1))}
assert len(seeds) == 4 and all(0 <= seed < 2**31 for seed in seeds)
assert candidate(alpha=0.5).graph_seed == candidate(variant="vanilla").graph_seed == candidate().graph_seed
""",
        tmp_path,
    )


def test_what_is_kept(snippet, tmp_path):
    snippet(
        PRELUDE
        + """
def entry(loss, precision):
    return {"Validation_Supervised_Loss": loss, "Validation_Average_Precision": precision}

nan = float("nan")
for selection, kept in (("loss", (True, False, True)), ("average_precision", (False, True, True)),
                        ("last", (True, True, True))):
    one = candidate(selection=selection)
    new = (entry(0.4, 0.5), entry(0.6, 0.7), entry(0.5, 0.6))
    assert tuple(one.better(each, entry(0.5, 0.6)) for each in new) == kept, selection
    assert one.better(new[0], None) and not one.better({}, None) and not one.better({}, new[0])
assert not candidate().better(entry(nan, nan), entry(0.5, 0.6))
""",
        tmp_path,
    )


def test_encoded_or_not_the_files_answer_as_it_was_measured(snippet, tmp_path):
    """The encoding is of rows the model learns from alone."""
    snippet(
        PRELUDE
        + """
for bins in (0, 6):
    one = candidate(encoding_bins=bins, threshold_rule="cost:3:1")
    state = first_state(one.architecture, one.seeds)
    entry = one.measure(state)
    model = one.model(state, {**entry, "gradients": 1})
    width = one.encoding.low.size if bins else 6
    assert one.architecture.features == width and one.recipe.columns == (6 if bins else 0)
    assert model.weights["body.0.kernel"].shape[0] == width and len(model.columns) == 6
    positive, likeliest = one.part.held_out_labels == 3, model.classes(one.part.held_out)
    assert entry["Validation_Accuracy"] == (likeliest == one.part.held_out_labels).mean()
    assert entry["Validation_Unknown"] == (likeliest == 4).mean()
    assert model.details["metrics"] == entry
    flagged = model.flags(one.part.held_out)
    assert model.details["threshold"]["recall"] == (flagged & positive).sum() / positive.sum()
    model.save(base / f"{bins}")
    loaded = type(model).load(base / f"{bins}")
    assert (loaded.scores(data.unlabelled) == model.scores(data.unlabelled)).all()
data.features[data.folds[0]] += 5  # rows that the first fold's model is judged on
assert candidate(encoding_bins=6).encoding.high.max() <= 1 < candidate(1, encoding_bins=6).encoding.high.max()
bad = state._replace(discriminator=state.discriminator * np.nan)
assert one.measure(bad) == {}
""",
        tmp_path,
    )

"""How well the example's late escalators are found among 20,000 players whom no model has seen, in one whole run."""

from __future__ import annotations

import csv

import numpy as np
import pytest


@pytest.fixture(scope="module")
def base(tmp_path_factory, run, start):
    """Generated, preprocessed and trained; the players held out scaled as those that were learned from."""
    base = tmp_path_factory.mktemp("example")
    inputs, channels = base / "processing/input", base / "input/data"
    commands = (
        ("example/generate.py", "--output", str(inputs), "--users", "12000", "--holdout", "20000"),
        ("preprocess.py", "--test-share", "0", "--validation-share", "0"),
        ("preprocess.py", "--test-share", "0", "--validation-share", "0", "--data-unlabeled",
         str(inputs / "data_holdout"), "--output", str(base / "holdout")),
    )  # fmt: skip
    for command in commands:
        ran = run(command[0], base, *command[1:])
        assert ran.returncode == 0, ran.stderr
    channels.mkdir(parents=True)
    for channel, output in (
        ("train_data", "train_output_data"), ("train_label", "train_output_label"),
        ("kfold_data", "train_kfold_output_data"), ("unlabeled_data", "unlabeled_output_data"),
        ("unlabeled_kfold_data", "unlabeled_kfold_output_data"), ("scaler", "scaler_output"),
    ):  # fmt: skip
        (channels / channel).symlink_to(base / "processing" / output)
    job = start("train.py", base, "--prevalence", "0.01")
    assert job.wait() == 0, job.text()
    return base


def column(path, key, value):
    with path.open() as stream:
        return {row[key]: row[value] for row in csv.DictReader(stream)}


def test_the_rare_class_is_found(base, module):
    measures = module("measures")
    rows = np.load(base / "holdout/unlabeled_output_data/data.npy")
    users = column(base / "holdout/unlabeled_output_data/users.csv", "user", "user")
    kinds = column(base / "processing/input/truth.csv", "user", "kind")
    positive = np.array([kinds[user] == "risky" for user in users])
    assert len(rows) == len(positive) > 19_000 and 150 < positive.sum() < 250
    models = module("model_archives").load(base / "model")
    answers = np.stack([model.probabilities(rows) for model in models])
    mean, singles = answers.mean(axis=0), [measures.average_precision(positive, one[:, 3]) for one in answers]
    recall, _ = measures.recall_and_precision(positive, mean.argmax(axis=1) == 3)
    together = measures.average_precision(positive, mean[:, 3])
    print(f"recall {recall:.3f}, average precision {together:.3f}, single models {np.mean(singles):.3f}")
    assert recall >= 0.70 and together >= 0.62
    assert together >= np.mean(singles)
    flagged = mean[:, 3] >= np.mean([model.threshold for model in models])
    recall, precision = measures.recall_and_precision(positive, flagged)
    print(f"by thresholds for 1 in 100: recall {recall:.3f}, precision {precision:.3f}")
    assert recall >= 0.5 and precision >= 0.3

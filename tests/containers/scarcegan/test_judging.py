"""Numbers and curves equal their definitions, ties and empty corners included."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

CLASSES = ("dormant", "normal", "heavy", "risky")
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 4), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9, 1.0])),
    min_size=1,
    max_size=40,
)


def answers_of(judging, rows, threshold=0.4, name="a"):
    actual, predicted, score = (np.array(part) for part in zip(*rows, strict=True))
    return judging.Answers(name, CLASSES, 3, threshold, score.astype(np.float32), predicted, actual)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_ranking_measures(module, rows):
    judging = module("judging")
    answers = answers_of(judging, rows)
    risky, others = answers.score[answers.positive], answers.score[~answers.positive]
    assume(len(risky))
    expected, before = 0.0, 0.0
    for level in sorted({float(each) for each in answers.score}, reverse=True):
        hits, flagged = (risky >= level).sum(), (answers.score >= level).sum()
        expected += (hits / len(risky) - before) * hits / flagged
        before = hits / len(risky)
    points = judging.curve(answers.positive, answers.score)
    assert judging.average_precision(points) == pytest.approx(expected)
    assert judging.average_precision(points) == pytest.approx(
        module("measures").average_precision(answers.positive, answers.score)
    )
    if len(others):
        pairs = [(one > other) + (one == other) / 2 for one in risky for other in others]
        assert judging.area_under_roc(points) == pytest.approx(np.mean(pairs))
    else:
        assert math.isnan(judging.area_under_roc(points))


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_decisions(module, rows):
    judging = module("judging")
    answers = answers_of(judging, rows)
    found = judging.binary(answers)
    risky = [actual == 3 for actual, _, _ in rows]
    flagged = [np.float32(score) >= 0.4 for _, _, score in rows]
    both = sum(map(min, risky, flagged))
    assert found["recall"] == (both / sum(risky) if any(risky) else 0)
    assert found["precision"] == (both / sum(flagged) if any(flagged) else 0)
    assert found["accuracy"] == pytest.approx(np.mean(np.equal(risky, flagged)))
    mean = 2 * found["recall"] * found["precision"] / ((found["recall"] + found["precision"]) or 1)
    assert found["f1"] == pytest.approx(mean)
    many = judging.multiclass(answers)
    right = [actual == predicted for actual, predicted, _ in rows]
    assert many["accuracy"] == pytest.approx(np.mean(right))
    assert many["weighted_recall"] == pytest.approx(np.mean(right))
    most = max(sum(actual == number for actual, _, _ in rows) for number in range(4))
    assert many["accuracy_best_constant_classifier"] == pytest.approx(most / len(rows))
    matrix = judging.confusion(answers)
    assert matrix.sum() == len(rows) and matrix[-1].sum() == 0 and matrix.shape == (5, 5)
    assert matrix[:, -1].sum() == sum(predicted == 4 for _, predicted, _ in rows)


def test_a_score_at_the_threshold_is_flagged(module):
    judging = module("judging")
    answers = answers_of(judging, [(3, 3, 0.5), (0, 0, 0.1)], threshold=0.5)
    assert answers.flagged.tolist() == [True, False]


def test_the_example_of_the_guide(module):
    """AWS's own numbers for this confusion matrix: one of each, two falsely flagged."""
    judging = module("judging")
    found = judging.binary(answers_of(judging, [(0, 0, 0.1), (0, 3, 0.9), (1, 3, 0.9), (3, 3, 0.9)]))
    expected = {
        "recall": 1.0, "precision": 0.3333333333333333, "accuracy": 0.5,
        "recall_best_constant_classifier": 1.0, "precision_best_constant_classifier": 0.25,
        "accuracy_best_constant_classifier": 0.25, "true_positive_rate": 1.0,
        "true_negative_rate": 0.33333333333333337, "false_positive_rate": 0.6666666666666666,
        "false_negative_rate": 0.0, "f0_5": 0.3846153846153846, "f1": 0.5, "f2": 0.7142857142857143,
        "f0_5_best_constant_classifier": 0.29411764705882354, "f1_best_constant_classifier": 0.4,
        "f2_best_constant_classifier": 0.625,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_weighted_measures_of_the_guide(module):
    """AWS's own numbers for 1690 and 406 rows of two classes."""
    judging = module("judging")
    matrix = np.array([[1180, 510], [268, 138]])
    found = judging._weighted(matrix, "")
    assert found == pytest.approx(
        {
            "accuracy": 0.6288167938931297, "weighted_recall": 0.6288167938931297,
            "weighted_precision": 0.6983172269629505, "weighted_f0_5": 0.6803947317178771,
            "weighted_f1": 0.6571162346664904, "weighted_f2": 0.6384024354394601,
        }
    )  # fmt: skip


def test_custom(module):
    judging = module("judging")
    rows = [(0, 4, 0.0)] * 98 + [(0, 0, 0.95), (3, 3, 0.9), (3, 4, 0.3), (3, 0, 1.0)]
    found = judging.custom(answers_of(judging, rows))
    assert found["unknown_share"] == pytest.approx(99 / 102)
    assert found["flagged_share"] == pytest.approx(3 / 102)
    assert found["recall_by_class"] == pytest.approx(1 / 3)
    assert found["recall_at_1_percent_false"] == pytest.approx(1 / 3), "one false one of 99 is too many"
    assert (found["rows"], found["risky_rows"], found["threshold"]) == (102, 3, 0.4)
    assert 0 < found["brier"] < 0.02


def test_calibration(module):
    judging = module("judging")
    generator = np.random.default_rng(0)
    score = generator.random(20_000)
    honest = judging.calibration(generator.random(20_000) < score, score)
    assert len(honest) == 10 and sum(each["rows"] for each in honest) == 20_000
    assert all(abs(each["score"] - each["share"]) < 0.04 for each in honest)
    edges = judging.calibration(np.array([True, False]), np.array([1.0, 0.0]))
    assert edges == [{"rows": 1, "score": 0.0, "share": 0.0}, {"rows": 1, "score": 1.0, "share": 1.0}]


def test_deviations_need_enough_rows(module):
    judging = module("judging")
    rows = [(number % 4, number % 5, number % 10 / 10) for number in range(200)]
    found = judging.deviations(answers_of(judging, rows), judging.binary)
    assert set(found) == set(judging.binary(answers_of(judging, rows)))
    assert 0 < found["recall"] < 0.1
    few = judging.deviations(answers_of(judging, rows[:199]), judging.multiclass)
    assert all(math.isnan(value) for value in few.values())


def test_the_mean_of_models(module):
    judging = module("judging")
    first = answers_of(judging, [(0, 0, 0.1), (3, 3, 0.9)], threshold=0.2)
    other = answers_of(judging, [(0, 3, 0.5), (3, 3, 0.7)], threshold=0.8)
    probabilities = np.array([[0.1, 0, 0, 0.3, 0.6], [0, 0, 0, 1, 0]])
    mean = judging.mean_of("mean", [first, other], probabilities)
    assert mean.score.tolist() == pytest.approx([0.3, 0.8])
    assert (mean.threshold, mean.predicted.tolist()) == (0.5, [4, 3])
    assert mean.flagged.tolist() == [False, True]


def test_a_long_curve_is_thinned(module):
    judging = module("judging")
    generator = np.random.default_rng(0)
    points = judging.curve(generator.random(5000) < 0.1, generator.random(5000))
    thin = points.thinned()
    assert len(thin.threshold) == judging.POINTS and len(points.threshold) == 5000
    assert (thin.recall[0], thin.recall[-1]) == (points.recall[0], 1.0)
    assert thin.thinned() is thin

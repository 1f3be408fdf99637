"""Average precision as everybody computes it, and thresholds that keep the rule they were chosen by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score


@pytest.fixture
def measures(module):
    return module("measures")


def cases(count=200):
    random = np.random.default_rng(0)
    for _ in range(count):
        rows = int(random.integers(2, 60))
        positive = random.random(rows) < random.uniform(0.05, 0.9)
        positive[random.integers(rows)] = True
        scores = np.round(random.random(rows), int(random.integers(1, 6))).astype(np.float32)
        if not positive.all():
            yield positive, scores


def test_average_precision_is_that_of_scikit_learn(measures):
    for positive, scores in cases():
        wanted = average_precision_score(positive, scores)
        assert measures.average_precision(positive, scores) == pytest.approx(wanted, abs=1e-12)


def test_recall_and_precision(measures):
    positive = np.array([True, True, True, False, False])
    assert measures.recall_and_precision(positive, np.array([1, 1, 0, 1, 0], bool)) == (2 / 3, 2 / 3)
    assert measures.recall_and_precision(positive, np.zeros(5, bool)) == (0.0, 0.0)


@pytest.mark.parametrize("floor", [0.2, 0.5, 0.9])
def test_no_threshold_keeps_the_floor_with_more_recall(measures, floor):
    rule = measures.Rule.parse(f"recall_at_precision:{floor}")
    for positive, scores in cases():
        chosen = measures.choose(rule, positive, scores)
        possible = [measures.recall_and_precision(positive, scores >= value) for value in scores]
        reached = measures.recall_and_precision(positive, scores >= chosen.value)
        assert reached == pytest.approx((chosen.recall, chosen.precision))
        kept = [recall for recall, precision in possible if precision >= floor]
        assert chosen.met == bool(kept)
        if kept:
            assert chosen.recall == max(kept) and chosen.precision >= floor
        else:
            assert chosen.precision == max(precision for _, precision in possible)


def test_the_least_cost(measures):
    for positive, scores in cases():
        chosen = measures.choose(measures.Rule.parse("cost:5:2"), positive, scores)

        def cost(value, positive=positive, scores=scores):
            flagged = scores >= value
            return 5 * (positive & ~flagged).sum() + 2 * (flagged & ~positive).sum()

        assert cost(chosen.value) == min(cost(value) for value in scores)


def test_a_threshold_for_rarer_positives_is_stricter(measures):
    """Of 10 and 10 rows, half of the flagged are right; where one in 101 is risky, one in 101 would be."""
    random = np.random.default_rng(1)
    positive = np.repeat([True, False], 500)
    scores = np.concatenate([random.normal(1, 1, 500), random.normal(0, 1, 500)])
    rule = measures.Rule.parse("recall_at_precision:0.5")
    as_it_is, rare = (measures.choose(rule, positive, scores, prevalence) for prevalence in (0.0, 0.05))
    assert rare.value > as_it_is.value and rare.recall < as_it_is.recall
    recall, accused = rare.recall, (scores[~positive] >= rare.value).mean()
    assert rare.precision == pytest.approx(0.05 * recall / (0.05 * recall + 0.95 * accused))
    assert measures.choose(rule, positive, scores, 0.5) == as_it_is


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=12))
def test_other_texts_are_no_rules(text, measures_of):
    measures = measures_of
    try:
        rule = measures.Rule.parse(text)
    except measures.BadRule as error:
        assert "recall_at_precision:P" in str(error) and repr(text) in str(error)
    else:
        assert rule.kind in text


@pytest.fixture(scope="module")
def measures_of(module):
    return module("measures")


@pytest.mark.parametrize("text", ["recall_at_precision", "recall_at_precision:0", "recall_at_precision:1.1",
                                  "recall_at_precision:nan", "cost:1", "cost:0:1", "cost:1:2:3", "argmax"])  # fmt: skip
def test_half_rules_are_refused(measures, text):
    with pytest.raises(measures.BadRule, match="is no rule"):
        measures.Rule.parse(text)

from __future__ import annotations

from trainyard.cli.notable import notable


def test_few_are_all_shown_and_of_many_those_that_say_something_themselves():
    few = ["mae", "confusion_matrix.0.0", "recall_best_constant_classifier"]
    assert notable(few) == few
    many = ["recall", *few, "true_positive_rate", *(f"m{number}" for number in range(12)), "recall"]
    assert notable(many) == ["recall", "mae", *(f"m{number}" for number in range(8))]

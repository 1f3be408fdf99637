"""Scores, classes and decisions of served models: those of evaluation, from the features of preprocessing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from trainyard.in_image.handler_errors import BadRequest

_spec = importlib.util.spec_from_file_location("served", Path(__file__).parent / "served.py")
served = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(served)

ROWS = np.random.default_rng(5).normal(0, 20, (200, 3))
CSV = "text/csv"


@pytest.fixture
def load(module, tmp_path):
    def load(**more):
        module("model_archives").save(tmp_path, served.models(module, **more))
        return module("answering").load(tmp_path)

    return load


@pytest.fixture
def ask(module):
    return lambda loaded, body: module("answering").answer(loaded, module("request_tables").parse(body, CSV))


def lines(rows, header=""):
    return header + "".join(",".join(map(str, row)) + "\n" for row in rows.tolist())


def test_answers_are_those_that_evaluation_judges(module, load, ask):
    loaded = load(count=3)
    assert loaded.threshold == pytest.approx(0.25)
    answers = ask(loaded, lines(ROWS))
    scaled = loaded.scaler(ROWS)
    *single, mean = module("evaluate").judge(loaded.models, scaled, None)
    for name, judged in zip(("fold_0", "fold_1", "fold_2"), single, strict=True):
        assert (answers.scores[name] == judged.score).all()
    assert (answers.score == mean.score).all() and (answers.flagged == mean.flagged).all()
    assert 0 < answers.flagged.sum() < 200 and mean.threshold == loaded.threshold
    names = [*served.CLASSES, "unknown"]
    assert answers.decided.tolist() == [names[number] for number in mean.predicted]
    assert len(set(answers.decided)) > 1 and answers.users is None and not answers.named


def test_one_model_alone(load, ask):
    loaded = load(count=1)
    answers = ask(loaded, lines(ROWS))
    assert list(answers.scores) == ["fold_0"] and loaded.threshold == 0.15
    assert (answers.score == answers.scores["fold_0"]).all()
    assert (answers.flagged == loaded.models[0].flags(loaded.scaler(ROWS))).all()


def test_features_by_name_in_any_order(load, ask):
    loaded = load()
    assert loaded.scaler.columns == ("z", "y", "x")
    plain = ask(loaded, lines(ROWS))
    named = ask(loaded, lines(np.column_stack([ROWS, range(200)])[:, [2, 0, 3, 1]], "x,z,user,y\n"))
    assert (named.score == plain.score).all() and named.named
    assert named.users[:2] == ["0.0", "1.0"]


def test_telemetry_gives_what_its_features_give(module, load, ask):
    loaded = load(counters=served.COUNTERS)
    answers = ask(loaded, served.telemetry())
    assert answers.users == ["u4", "u3", "u2", "u1", "u0"], "in the order in which they come"
    assert np.isnan(answers.score).tolist() == [False] * 4 + [True], "u0 has three days"
    assert answers.decided[4] == "" and not answers.flagged[4] and np.isnan(answers.scores["fold_1"][4])

    rows = [line.split(",") for line in served.telemetry().splitlines()[1:]]
    code = np.array([int(row[0][1:]) for row in rows])
    day = np.array([int(row[1][-2:]) for row in rows])
    features = module("features")
    found = features.extract(code, day, np.array([row[2:] for row in rows], float))
    values = loaded.scaler.pick(found.values, features.columns(served.COUNTERS))[::-1]
    ready = ask(loaded, lines(values, ",".join(loaded.scaler.columns) + "\n"))
    assert (ready.score == answers.score[:4]).all() and (ready.decided == answers.decided[:4]).all()


def test_a_user_is_answered_alike_in_any_company(load, ask):
    loaded = load(counters=served.COUNTERS)
    together = ask(loaded, served.telemetry())
    header, *rows = served.telemetry().splitlines()
    alone = ask(loaded, "\n".join([header, *(row for row in rows if row.startswith("u3,"))]))
    assert alone.score.tolist() == pytest.approx(together.score[[1]].tolist(), abs=1e-6)
    nobody = ask(loaded, "\n".join([header, *(row for row in rows if row.startswith("u0,"))]))
    assert np.isnan(nobody.score).tolist() == [True]


@pytest.mark.parametrize(
    ("counters", "body", "message"),
    [
        ((), "1,2\n", "rows have 2 values, the model takes 3 features: z, y, x"),
        ((), "x,y\n1,2\n", "no column 'z'; the model takes z, y, x"),
        ((), "day,x,y\n1,2,3\n", "no column 'z'"),
        (served.COUNTERS, "user,day,games\nu,1,2\n", "no column 'loss'; the model takes user, day, games, loss; or "),
        (served.COUNTERS, "day,games,loss\n1,1,2\n", "no column 'user'"),
        (served.COUNTERS, "user,day,games,loss\nu,31.1.26,1,2\n", "row 1: '31.1.26' is no day; days are written"),
        (served.COUNTERS, "user,day,games,loss\nu,1,1,x\n", "row 1, column loss: 'x' is no number"),
        (
            served.COUNTERS,
            "user,day,games,loss\nv,1,1,1\n" + "".join(f"u,{day * 1000},1,1\n" for day in range(12)),
            "user 'u' has 11,001 days from first to last, more than 4,000",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_answered(load, ask, counters, body, message):
    with pytest.raises(BadRequest) as told:
        ask(load(counters=counters), body)
    assert message in str(told.value)


def test_models_without_a_scaler_are_not_served(module, tmp_path):
    [model] = served.models(module, count=1)
    model.details["scaler"] = {}
    module("model_archives").save(tmp_path, [model])
    with pytest.raises(module("scaling").BadScaler):
        module("answering").load(tmp_path)

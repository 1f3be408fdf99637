"""Answers as JSON, CSV and npy: the same in each, and readable without pickle."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from trainyard.in_image.handler_errors import NotAcceptable

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"


@pytest.fixture
def answers(module):
    def make(users=("u1", "ü,2"), named=True, score=(0.123456789123, np.nan)):
        return module("answering").Answers(
            users=users and list(users), score=np.array(score), decided=np.array(["risky", ""]),
            flagged=np.array([True, False]), scores={"a": np.array([0.5, np.nan], np.float32)}, named=named,
        )  # fmt: skip

    return make


def test_json(module, answers):
    render = module("rendering").render
    body, kind = render(answers(), JSON)
    assert kind == JSON and json.loads(body) == [
        {"user": "u1", "score": 0.123456789, "class": "risky", "flagged": True, "scores": {"a": 0.5}},
        {"user": "ü,2", "score": None, "class": None, "flagged": False, "scores": {"a": None}},
    ]
    assert list(json.loads(render(answers(None), "*/*")[0])[0]) == ["score", "class", "flagged", "scores"]


def test_csv(module, answers):
    render = module("rendering").render
    body, kind = render(answers(), CSV)
    assert kind == CSV and list(csv.reader(io.StringIO(body))) == [
        ["user", "score", "class", "flagged", "a"],
        ["u1", "0.123456789", "risky", "true", "0.5"],
        ["ü,2", "", "", "false", ""],
    ]
    body, _ = render(answers(None, named=False, score=(0.25, 1e-12)), CSV)
    assert body == "0.25,risky,true,0.5\n0.0,,false,\n", "as many lines as came"


def test_npy(module, answers):
    body, kind = module("rendering").render(answers(), NPY)
    array = np.load(io.BytesIO(body), allow_pickle=False)
    assert kind == NPY and array.dtype.names == ("user", "score", "class", "flagged", "a")
    assert array["user"].tolist() == ["u1", "ü,2"] and array["score"][0] == 0.123456789123
    assert np.isnan(array["a"]).tolist() == [False, True] and array["flagged"].tolist() == [True, False]
    array = np.load(io.BytesIO(module("rendering").render(answers(None), NPY)[0]), allow_pickle=False)
    assert "user" not in array.dtype.names


def test_others(module, answers):
    with pytest.raises(NotAcceptable, match="no answer as 'text/html'; possible: application/json, text/csv"):
        module("rendering").render(answers(), "text/html")

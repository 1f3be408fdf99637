from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainyard import manifest

DOCUMENT: dict[str, Any] = {
    "name": "prophet",
    "owner": "@trainyard/forecasting",
    "description": "One model per customer.",
    "image": {"base": f"python:3.11-slim@sha256:{'0' * 64}", "architectures": ["amd64"]},
    "training": {
        "instance": "ml.c5.xlarge",
        "spot": True,
        "checkpoint": "/opt/ml/checkpoints",
        "metrics": [{"name": "models:done", "regex": r"models:done=(\S+);"}],
        "hyperparameters": {
            "growth": {
                "type": "categorical",
                "default": "linear",
                "values": ["linear", "flat", "logistic"],
                "meaning": "Trend.",
            },
            "width": {"type": "continuous", "default": 0.8, "range": [0.1, 1], "meaning": "Width."},
            "count": {"type": "integer", "default": 3, "range": [1, 9], "meaning": "Count."},
            "holidays": {"type": "text", "default": "", "meaning": "Country."},
        },
    },
    "serving": {
        "server": "pooled",
        "content_types": ["application/json"],
        "accept": ["application/json", "text/csv"],
        "instance": "ml.m5.large",
        "multi_model": True,
    },
    "example": {
        "generate": "example/generate.py",
        "request": "example/request.json",
        "answer": "example/answer.json",
        "bad_requests": "example/bad_requests.json",
        "target_model": "customer_0.tar.gz",
    },
}

SOURCE = {"package": "a", "variable": "A_SOURCE", "default": f"git+https://host/a@{'0' * 40}"}
WRONG = [
    ("name", "Prophet", 'name = "Prophet": must be 1 to 63 lower-case letters'),
    ("name", "prophet-", 'name = "prophet-": must be 1 to 63'),
    ("name", "p" * 64, "must be 1 to 63"),
    ("owner", "forecasting", 'owner = "forecasting": must be a team or a person'),
    ("description", "two\nlines", 'description = "two\\nlines": must be one line'),
    ("image", "python", 'image = "python": must be a table'),
    ("image.base", "python:3.11", 'image.base = "python:3.11": must be pinned'),
    ("image.architectures", ["x86"], 'image.architectures[0] = "x86": not one of: amd64, arm64'),
    ("image.sources", {}, "image.sources = {}: must be a list"),
    ("image.sources", [SOURCE | {"package": "a b"}], 'image.sources[0].package = "a b": must be a package'),
    ("image.sources", [SOURCE | {"variable": "PATH"}], 'image.sources[0].variable = "PATH": must be'),
    ("image.sources", [SOURCE | {"default": "git+https://a/b@main"}], '/b@main": must be pinned'),
    (
        "image.sources",
        [SOURCE, SOURCE | {"package": "b"}],
        'image.sources: variable = "A_SOURCE" is given more than once',
    ),
    ("training.instance", "c5", 'training.instance = "c5": must be a SageMaker instance type'),
    ("training.spot", "yes", 'training.spot = "yes": must be true or false'),
    ("training.checkpoint", "/tmp", 'training.checkpoint = "/tmp": must be a folder below /opt/ml'),
    ("training.metrics.0.regex", "(", 'training.metrics[0].regex = "(": not a regular expression'),
    ("training.metrics.0.regex", "a=b", 'training.metrics[0].regex = "a=b": needs exactly one group'),
    ("training.metrics.0.regex", 3, "training.metrics[0].regex = 3: needs exactly one group"),
    ("training.metrics.0.unit", "s", "training.metrics[0].unit: no such key"),
    (
        "training.hyperparameters.growth.default",
        "linar",
        'training.hyperparameters.growth.default = "linar": not one of values: linear, flat, logistic',
    ),
    ("training.hyperparameters.growth.type", "choice", 'growth.type = "choice": not one of: categorical'),
    ("training.hyperparameters.growth.range", [0, 1], "growth.range: has no meaning for type categorical"),
    ("training.hyperparameters.growth.values", None, "growth.values: missing; type categorical needs it"),
    ("training.hyperparameters.width.default", 2, "width.default = 2: must be a number from 0.1 to 1"),
    ("training.hyperparameters.width.default", "a", 'width.default = "a": must be a number from 0.1'),
    ("training.hyperparameters.width.range", [1, 0], "width.range = [1, 0]: must be [min, max]"),
    ("training.hyperparameters.width.range", [0.1], "width.range = [0.1]: must be [min, max]"),
    ("training.hyperparameters.width.range", [0.1, float("inf")], "width.range = [0.1, Infinity]: must"),
    ("training.hyperparameters.count.range", [1, 2.5], "two whole numbers with min <= max"),
    ("training.hyperparameters.count.default", True, "count.default = true: must be a whole number"),
    ("training.hyperparameters.count.range", None, "count.range: missing; type integer needs it"),
    ("training.hyperparameters.holidays.default", 3, "holidays.default = 3: must be text"),
    ("serving.server", "torchserve", 'serving.server = "torchserve": not one of: pooled'),
    ("serving.content_types", [], "serving.content_types = []: must be a list with at least 1"),
    ("serving.accept", ["json"], 'serving.accept[0] = "json": must be a content type'),
    ("serving.multi_model", False, "example.target_model = "),
    ("example.target_model", None, "example.target_model: missing; serving.multi_model = true needs it"),
    ("example.request", "../request.json", 'example.request = "../request.json": must be the path of a file'),
    ("example.parameters", {"Horizon": [7]}, "example.parameters.Horizon = [7]: must be text, a number"),
    ("licence", "MIT", "licence: no such key"),
    ("owner", None, "owner: missing"),
]


def changed(place: str, value: Any) -> dict[str, Any]:
    """DOCUMENT with one value replaced, or taken out where it is None."""
    document = copy.deepcopy(DOCUMENT)
    *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    inner: Any = document
    for part in path:
        inner = inner[part]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return document


def test_a_right_document_has_no_problems():
    problems: list[str] = []
    read = manifest.read(DOCUMENT, problems)
    assert problems == []
    assert read["training"]["hyperparameters"]["holidays"]["values"] == ()
    assert read["example"]["parameters"] == {}


@pytest.mark.parametrize(("place", "value", "message"), WRONG)
def test_each_wrong_value_is_the_one_problem(place, value, message):
    problems: list[str] = []
    manifest.read(changed(place, value), problems)
    assert len(problems) == 1, problems
    assert message in problems[0]
    assert problems[0].startswith(("example.target_model", place.split(".")[0]))


def test_logarithmic_scale_needs_positive_numbers():
    document = changed("training.hyperparameters.count.scale", "Logarithmic")
    problems: list[str] = []
    manifest.read(document, problems)
    document["training"]["hyperparameters"]["count"]["range"] = [0, 9]
    assert problems == []
    manifest.read(document, problems)
    assert problems == [
        'training.hyperparameters.count.scale = "Logarithmic": needs a range above 0, not from 0'
    ]


KEYS = [name for keys in (manifest.FAMILY, manifest.HYPERPARAMETER, manifest.EXAMPLE) for name in keys]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner),
    max_leaves=20,
)
PLACES = [
    place
    for place, value, _ in WRONG
    if value is not None and not place.endswith(("range", "unit", "licence"))
]


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_anything_is_read_or_has_problems(document):
    problems: list[str] = []
    manifest.read(document, problems)
    assert problems


@settings(max_examples=300, deadline=None)
@given(place=st.sampled_from(PLACES), value=VALUES.filter(lambda value: value is not None))
def test_anything_anywhere_is_read_or_has_problems(place, value):
    problems: list[str] = []
    manifest.read(changed(place, value), problems)
    assert all("\n" not in problem for problem in problems)

"""Hyperparameters as family.toml declares them, and the list of models that a job trains."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from trainyard.in_image.arguments import BadArgument


@pytest.fixture
def hyperparameters(module):
    return module("hyperparameters")


@pytest.fixture
def specs(hyperparameters):
    def specs(*arguments, folds=4, classes=4, validation=False):
        parsed = hyperparameters.parser(None).parse_args(list(arguments))
        return hyperparameters.specifications(parsed, folds, classes, validation)

    return specs


@pytest.fixture
def refused(specs, module):
    def refused(*arguments, **more):
        with pytest.raises(BadArgument) as error:
            specs(*arguments, **more)
        return str(error.value)

    return refused


def test_family_toml_declares_the_same(hyperparameters):
    folder = Path(hyperparameters.__file__).parent
    declared = tomllib.loads((folder / "family.toml").read_text())["training"]["hyperparameters"]
    actions = {a.dest: a for a in hyperparameters.parser(None)._actions if a.dest != "help"}
    assert set(declared) == set(actions)
    parser = hyperparameters.parser(None)
    for name, entry in declared.items():
        default = getattr(parser.parse_args([]), name)
        assert getattr(parser.parse_args([f"--{name}", str(entry["default"])]), name) == default, name
        assert entry.get("values") == (list(actions[name].choices) if actions[name].choices else None), name
        for value in entry.get("range", []):
            parser.parse_args([f"--{name}", str(value)])
        for value in (entry["range"][0] - 1, entry["range"][1] + 1) if "range" in entry else ():
            with pytest.raises(Exception, match=f"--{name}: '.*' is not a"):
                parser.parse_args([f"--{name}", str(value)])


def test_one_model_per_fold_unless_told_otherwise(specs):
    made = specs("--alpha", "0.6", folds=3)
    assert [(one.name, one.fold, one.options.alpha) for one in made] == [
        ("fold_0", 0, 0.6), ("fold_1", 1, 0.6), ("fold_2", 2, 0.6),
    ]  # fmt: skip


def test_the_variants_are_a_word_away(specs):
    made = specs("--models", "variants", "--steps", "9")
    assert [one.name for one in made] == ["full", "without_bad_generator", "without_leeway", "vanilla"]
    assert all(one.fold == 0 and one.options.variant == one.name and one.options.steps == 9 for one in made)


@pytest.mark.parametrize("write", [json.dumps, repr])
def test_models_of_ones_own_in_json_and_as_the_toolkit_prints_it(specs, write):
    entries = [
        {"name": "strict", "fold": 1, "threshold_rule": "cost:1:5", "alpha": 0.9, "body": [8, 4]},
        {"name": "all", "fold": None, "selection": "last"},
    ]
    strict, everything = specs("--models", write(entries), "--steps", "7", validation=True)
    assert (strict.fold, strict.options.threshold_rule, strict.options.alpha) == (1, "cost:1:5", 0.9)
    assert strict.options.body == (8, 4) and strict.options.steps == 7
    assert (everything.fold, everything.options.selection, everything.options.alpha) == (None, "last", 0.7)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"name": "a", "fold": 4}], "a has fold 4, the data has folds 0 to 3"),
        ([{"name": "a", "fold": "1"}], "a has fold '1'"),
        ([{"name": "a", "fold": True}], "a has fold True"),
        ([{"name": "a/b", "fold": 1}], "name 'a/b' must be"),
        ([{"fold": 1}], "name None must be"),
        ([{"name": "a", "fold": 1}, {"name": "a", "fold": 2}], "names must differ, there are a, a"),
        ([{"name": "mean", "fold": 1}], "mean is the name of all models together"),
        ([{"name": "a", "fold": 1, "alfa": 1}], "a has alfa, possible are alpha, batch_size, body"),
        ([{"name": "a", "fold": 1, "alpha": 2}], "a: argument --alpha: '2' is not a number from 0.01 to 1"),
        ([{"name": "a", "fold": 1, "variant": "x"}], "a: argument --variant: invalid choice: 'x'"),
        ([{"name": "a"}], "a has no fold, so it is judged on the channels val_data and val_label"),
        (["a"], "'a' is no object such as"),
        ([], "neither folds nor variants nor a JSON list"),
        ({"name": "a"}, "neither folds nor variants nor a JSON list"),
    ],
)
def test_wrong_models_are_named(refused, entries, message):
    assert message in refused("--models", json.dumps(entries))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--models", "fold"), "models: 'fold' is neither folds nor variants"),
        (("--models", "[" * 10000), "is neither folds nor variants"),
        (("--body", "15,,8"), "argument --body: '15,,8' is not 1 to 10 widths such as 15,21,8"),
        (("--threshold_rule", "best"), "argument --threshold_rule: 'best' is no rule for a threshold"),
        (("--batch_size", "33"), "batch_size=33 of model fold_0 is no multiple of the 4 classes"),
        (("--steps", "1e3"), "argument --steps: '1e3' is not a whole number from 1 to 10,000,000"),
        (("--lr", "1"), "unrecognized arguments: --lr 1"),
    ],
)
def test_wrong_values_are_named(refused, arguments, message):
    assert message in refused(*arguments)

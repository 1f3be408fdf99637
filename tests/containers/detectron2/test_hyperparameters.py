"""Hyperparameters as family.toml declares them, and what follows from them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from trainyard.in_image.arguments import BadArgument


@pytest.fixture
def hyperparameters(module):
    return module("hyperparameters")


@pytest.fixture
def parse(hyperparameters):
    return lambda *arguments: hyperparameters.parser(None).parse_args(list(arguments))


def test_family_toml_declares_the_same(hyperparameters, parse):
    folder = Path(hyperparameters.__file__).parent
    declared = tomllib.loads((folder / "family.toml").read_text())["training"]["hyperparameters"]
    actions = {a.dest: a for a in hyperparameters.parser(None)._actions if a.dest != "help"}
    assert set(declared) == set(actions)
    for name, entry in declared.items():
        default = getattr(parse(), name)
        assert getattr(parse(f"--{name}", str(entry["default"])), name) == default, name
        assert entry.get("values") == (list(actions[name].choices) if actions[name].choices else None), name
        for value in entry.get("range", []):
            parse(f"--{name}", str(value))
        for value in (entry["range"][0] - 1, entry["range"][1] + 1) if "range" in entry else ():
            with pytest.raises(BadArgument, match=f"--{name}: '.*' is not a"):
                parse(f"--{name}", str(value))


def test_epochs_become_iterations(hyperparameters, parse):
    assert hyperparameters.iterations(parse("--max_iter", "70"), 10) == 70
    assert hyperparameters.iterations(parse("--num_epochs", "3", "--batch_size", "4"), 10) == 8


def test_processes_share_a_batch_evenly(hyperparameters, parse):
    assert hyperparameters.share(parse("--batch_size", "6"), 3) == 2
    with pytest.raises(BadArgument, match=r"batch_size=6 is for all .* take a multiple of 4"):
        hyperparameters.share(parse("--batch_size", "6"), 4)


@pytest.mark.parametrize(
    "text", ['["MODEL.RPN.NMS_THRESH", 0.6, "INPUT.FORMAT", "RGB"]',
             "['MODEL.RPN.NMS_THRESH', 0.6, 'INPUT.FORMAT', 'RGB']"],
)  # fmt: skip
def test_overrides_come_as_json_or_as_the_toolkit_prints_it(parse, text):
    assert parse("--overrides", text).overrides == ["MODEL.RPN.NMS_THRESH", 0.6, "INPUT.FORMAT", "RGB"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("overrides", '["MODEL.RPN.NMS_THRESH"]', "no JSON list of keys and values"),
        ("overrides", "[0.6, 1]", "no JSON list of keys and values"),
        ("overrides", "__import__('os')", "no JSON list of keys and values"),
        ("image_size", "20", "'20' is neither 0 nor a whole number from 32 to 4,096"),
        ("s3_path", "bucket/x", "no prefix such as s3://bucket/checkpoints/run-1"),
        ("amp", "perhaps", "invalid choice: 'perhaps'"),
    ],
)
def test_what_is_not_possible_is_refused(parse, name, text, message):
    with pytest.raises(BadArgument, match=f"--{name}.*{message}"):
        parse(f"--{name}", text)


def test_how_long_decides_unless_the_learning_rate_is_constant(hyperparameters, parse):
    def differ(*more):
        short, long = (hyperparameters.deciding(parse("--max_iter", n, *more), 10) for n in ("50", "60"))
        return {name for name in {*short, *long} if short.get(name) != long.get(name)}

    assert differ() == {"iterations (max_iter, num_epochs)"}
    assert differ("--schedule", "constant") == set()
    both = [hyperparameters.deciding(parse("--workers", n, "--seed", n), 10) for n in ("0", "2")]
    assert {name for name in both[0] if both[0][name] != both[1][name]} == {"seed"}

"""The step does what the algorithm says: checked against numpy with gradients by hand, and by what must not move."""

from __future__ import annotations

import json
from pathlib import Path

PRELUDE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import json
import numpy as np
from reference import Reference
import losses, state as states
from architecture import Architecture
from loop import Loop, rows_of
from losses import Weighting
from steps import Batch, Recipe, make_step
from tensor import be_deterministic, tf
from variants import VARIANTS

be_deterministic()
random = np.random.default_rng(5)
shape = Architecture(7, 4)
features, unlabelled = random.random((2, 300, 7)).astype(np.float32)
rows = rows_of(features[:159], np.repeat(range(4), (60, 50, 40, 9)), unlabelled, 4, None)

def tensors(state):
    return states.State(*(tf.constant(array) for array in state))

def recipe(variant="full", **weighting):
    return Recipe(shape, VARIANTS[variant], 3, Weighting(**weighting), 16, 1e-3)
"""


def targets(variant):
    """Of four classes with alpha .7, the last of them risky: written out, not computed."""
    if variant in ("full", "without_bad_generator"):
        return [[0.7, 0, 0, 0, 0.3], [0, 0.7, 0, 0, 0.3], [0, 0, 0.7, 0, 0.3], [0, 0, 0, 1, 0]]
    return [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]]


PARITY = """
for name, flags, targets, density in CASES:
    made = recipe(name, low_density_weight=density, low_density_epsilon=0.3)
    now = states.first_state(shape, [3])
    theirs = Reference(
        states.weights_of(now, shape), 3, np.array(targets), flags, 0.7, 3, np.repeat(range(4), 4),
        (1e-3, 0.5, 0.999), (density, 0.3),
    )
    batches, step = Loop(made).draw(rows, tf.constant(11), tf.constant(0)), make_step(made)
    for number in range(5):
        batch = Batch(*(part[number] for part in batches))
        now = states.cleared(states.arrays(now))
        now = step(tensors(now), batch)
        wanted = theirs.step(*(np.asarray(part, np.float64) for part in batch[:3]))
        assert np.allclose(now.measured, wanted, rtol=0, atol=1e-5), (name, number, now.measured, wanted)
    for tensor, value in states.weights_of(now, shape).items():
        assert np.abs(value - theirs.w[tensor]).max() < 1e-5, (name, tensor)
    moved = np.abs(states.first_state(shape, [3]).generator - np.asarray(now.generator)).max()
    assert moved > 1e-3, "or the comparison would show nothing"
"""


def test_five_steps_agree_with_gradients_by_hand(snippet, tmp_path):
    cases = [
        ("full", (True, True, True), targets("full"), 0.0),
        ("full", (True, True, True), targets("full"), 0.5),
        ("without_bad_generator", (True, True, False), targets("full"), 0.0),
        ("without_leeway", (False, False, True), targets("vanilla"), 0.0),
        ("vanilla", (False, False, False), targets("vanilla"), 0.0),
    ]
    snippet(
        f"{PRELUDE}\nfrom json import loads\nCASES = loads({json.dumps(json.dumps(cases))})\n{PARITY}",
        tmp_path,
    )


def test_the_discriminator_is_frozen_while_the_generator_moves(snippet, tmp_path):
    """Where no other update may move it, the discriminator keeps its bits; the generator does not."""
    snippet(
        PRELUDE
        + """
batch = Batch(*(part[0] for part in Loop(recipe()).draw(rows, tf.constant(1), tf.constant(0))))
before = states.first_state(shape, [0])
only_generator = batch._replace(rates=tf.constant([0.0, 0.0, 0.0, 1e-3]))
after = states.arrays(make_step(recipe())(tensors(before), only_generator))
assert (after.discriminator == before.discriminator).all()
assert np.abs(after.generator - before.generator).max() > 5e-4

only_supervised = batch._replace(rates=tf.constant([1e-3, 0.0, 0.0, 0.0]))
after = states.weights_of(make_step(recipe())(tensors(before), only_supervised), shape)
first = states.weights_of(before, shape)
moved = {name for name in first if (first[name] != after[name]).any()}
assert moved == {n for n in first if n.startswith(("body", "supervised"))} | {"generator.mean", "generator.variance"}
""",
        tmp_path,
    )


def test_losses_stay_finite_where_probabilities_are_zero(snippet, tmp_path):
    """Weights as large as these make softmax answer exactly 0, whose logarithm would be infinite."""
    snippet(
        PRELUDE
        + """
for name in VARIANTS:
    made = recipe(name, low_density_weight=1.0)
    start = states.first_state(shape, [0])
    start = start._replace(discriminator=start.discriminator * 1e4, generator=start.generator * 0)
    batches = Loop(made).draw(rows, tf.constant(1), tf.constant(0))
    after = states.arrays(make_step(made)(tensors(start), Batch(*(part[0] for part in batches))))
    for field, array in after._asdict().items():
        assert np.isfinite(array).all(), (name, field)
""",
        tmp_path,
    )


def test_a_batch_holds_as_many_rows_of_each_class(snippet, tmp_path):
    snippet(
        PRELUDE
        + """
import dataclasses
for size in (2, 31, 33):
    try:
        make_step(dataclasses.replace(recipe(), batch_size=size))
    except ValueError as error:
        assert str(error) == f"batch_size={size} is no multiple of the 4 classes", error
    else:
        raise AssertionError("not refused")
""",
        tmp_path,
    )

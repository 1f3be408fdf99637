"""Steps in the graph are the eager steps, however they are cut into calls, and the graph is made once."""

from __future__ import annotations

PRELUDE = """
import numpy as np
from architecture import Architecture
from encoding import Encoding
from loop import CHUNK, Loop, encoded, rows_of
from losses import Weighting
from state import State, arrays, first_state
from steps import Batch, Recipe, make_step
from tensor import be_deterministic, tf
from variants import VARIANTS

be_deterministic()
random = np.random.default_rng(5)
shape = Architecture(7, 4)

def made(unlabelled=300, counts=(60, 50, 40, 9), encoding=None):
    draw = lambda count: random.random((count, 7)).astype(np.float32)
    return rows_of(draw(sum(counts)), np.repeat(range(4), counts), draw(unlabelled), 4, encoding)

recipe = Recipe(shape, VARIANTS["full"], 3, Weighting(), 16, 1e-3)
loop, rows = Loop(recipe), made()

def same(one, other):
    return all((a == b).all() for a, b in zip(arrays(one), arrays(other)))
"""


def test_one_graph_does_the_eager_steps_to_the_bit_wherever_it_is_cut(snippet, tmp_path):
    """Folds of other sizes need no new graph either, which would take seconds."""
    snippet(
        PRELUDE
        + """
def run(*cuts, seed=3):
    state = first_state(shape, [0])
    for first, last in zip(cuts, cuts[1:]):
        state = arrays(loop.advance(state, rows, seed, first, last))  # through numpy, as a checkpoint would
    return state

whole = run(0, 100, 200)
assert same(whole, run(0, 100, 200)) and same(whole, run(0, 1, 37, 100, 150, 151, 200))
assert not same(whole, run(0, 100, 200, seed=4))
assert all(np.isfinite(array).all() for array in whole)
assert np.abs(whole.discriminator - first_state(shape, [0]).discriminator).max() > 0.01
for wrong in ((0, 101), (50, 50), (60, 50)):
    try:
        loop.advance(whole, rows, 3, *wrong)
    except ValueError as error:
        assert "do not lie in one chunk of 100" in str(error)
    else:
        raise AssertionError(wrong)

for size in (301, 60):
    loop.advance(first_state(shape, [0]), made(size, (60, 50, 40, size // 30)), 3, 0, 1)
assert loop._graph.experimental_get_tracing_count() == 1

eager = State(*(tf.constant(array) for array in first_state(shape, [0])))
batches, step = loop.draw(rows, tf.constant(3), tf.constant(1)), make_step(recipe)
for number in range(3):
    eager = step(eager, Batch(*(part[number] for part in batches)))
graph = arrays(loop.advance(first_state(shape, [0]), rows, 3, 100, 103))
for name, one, other in zip(State._fields, arrays(eager), graph):
    assert np.allclose(one, other, rtol=1e-4, atol=1e-6), name
others = loop.draw(rows, tf.constant(3), tf.constant(2))
for name in ("labelled", "unlabelled", "noise"):
    one, other = np.asarray(getattr(batches, name)), np.asarray(getattr(others, name))
    assert (one != other).any() and (one[0] != one[1]).any(), f"{name}: every step and chunk sees its own"
assert np.allclose(batches.rates[0, 0], 1e-3 * np.sqrt(1 - 0.999**101) / (1 - 0.5**101))
assert np.allclose(batches.rates[0, 2], 1e-3 * np.sqrt(1 - 0.999**202) / (1 - 0.5**202))
""",
        tmp_path,
    )


def test_compiled_steps_are_the_same_to_rounding(snippet, tmp_path):
    snippet(
        PRELUDE
        + """
import dataclasses
small = dataclasses.replace(recipe, architecture=Architecture(7, 4, body=(4,)))
loops = Loop(small), Loop(dataclasses.replace(small, jit=True))
first = first_state(small.architecture, [0])
one, other = (arrays(each.advance(first, rows, 3, 0, 3)) for each in loops)
assert np.allclose(one.discriminator, other.discriminator, atol=1e-4)
assert (one.discriminator != first.discriminator).any()
state = loops[1].advance(arrays(loops[1].advance(first, rows, 3, 0, 1)), rows, 3, 1, 3)
assert same(other, state), "compiled, too, it is the same to the bit wherever it is cut"
""",
        tmp_path,
    )


def test_encoded_in_the_graph_is_as_encoded_before(snippet, tmp_path):
    snippet(
        PRELUDE
        + """
import dataclasses
raw, labels = random.random((2, 200, 7)).astype(np.float32), random.permutation(np.repeat(range(4), 50))
encoding = Encoding.fit(raw[0], labels, 5)
outside = random.normal(0.5, 1, (60, 7)).astype(np.float32)
assert np.abs(encoded(outside, *encoding.arrays().values()) - encoding(outside)).max() < 1e-6

wide = Architecture(encoding.low.size, 4, body=(4,))
direct = dataclasses.replace(recipe, architecture=wide)
through = dataclasses.replace(direct, columns=7)
one = Loop(through).advance(first_state(wide, [0]), rows_of(raw[0], labels, raw[1], 4, encoding), 3, 0, 5)
before = rows_of(encoding(raw[0]), labels, encoding(raw[1]), 4, None)
other = Loop(direct).advance(first_state(wide, [0]), before, 3, 0, 5)
for name, a, b in zip(State._fields, arrays(one), arrays(other)):
    assert np.allclose(a, b, rtol=1e-4, atol=1e-6), name
""",
        tmp_path,
    )

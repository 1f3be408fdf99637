"""The TensorFlow networks give what the numpy ones that serve give, and batch normalisation keeps its books."""

from __future__ import annotations


def test_the_supervised_head_answers_as_the_served_model(snippet, tmp_path):
    snippet(
        """
import numpy as np
import losses, networks
from architecture import Architecture, flatten, first_weights, log_probabilities
from tensor import tf
from variants import VARIANTS

random = np.random.default_rng(0)
rows = random.normal(size=(50, 6)).astype(np.float32)
for body in ((15, 21, 8), (4,)):
    shape = Architecture(6, 4, body=body)
    first = first_weights(shape, random)
    first["supervised.bias"] += random.normal(size=5).astype(np.float32)
    weights = networks.tensors(tf.constant(flatten(first, shape.discriminator())), shape.discriminator())
    logits = networks.head(weights, "supervised", networks.body(weights, shape, rows))
    for variant in VARIANTS.values():
        theirs = np.exp(losses.supervised_log_probabilities(logits, variant))
        ours = np.exp(log_probabilities(first, len(body), rows, variant.leeway))
        assert np.abs(theirs - ours).max() < 1e-6
""",
        tmp_path,
    )


def test_fakes_by_their_batch_and_by_the_running_statistics(snippet, tmp_path):
    snippet(
        """
import numpy as np
import networks
from architecture import Architecture, first_weights, flatten
from tensor import tf

random = np.random.default_rng(0)
for output, low, high in (("relu", 0, 9), ("sigmoid", 0, 1), ("tanh", -1, 1), ("linear", -9, 9)):
    shape = Architecture(6, 4, generator_output=output)
    first = first_weights(shape, random)
    weights = networks.tensors(tf.constant(flatten(first, shape.generator())), shape.generator())
    moving = tf.constant(flatten(first, shape.moving()).reshape(2, -1))
    noise = 3 + 2 * random.normal(size=(500, 10)).astype(np.float32)
    rows, after = networks.generate_in_training(weights, moving, shape, noise)
    assert rows.shape == (500, 6) and low <= rows.numpy().min() < rows.numpy().max() <= high
    hidden = noise @ first["generator.0.kernel"]
    wanted = 0.99 * moving + 0.01 * np.stack([hidden.mean(0), hidden.var(0)])
    assert np.allclose(after, wanted, atol=1e-4)
    exact = tf.constant(np.stack([hidden.mean(0), hidden.var(0)]), tf.float32)
    assert np.allclose(networks.generate(weights, exact, shape, noise), rows, atol=1e-4)
    assert not np.allclose(networks.generate(weights, moving, shape, noise), rows, atol=1e-2)
""",
        tmp_path,
    )

"""Each loss against its formula; variants leave out what they say they leave out."""

from __future__ import annotations

PRELUDE = """
import itertools, math
import numpy as np
import losses
from losses import Weighting
from tensor import tf
from variants import VARIANTS

random = np.random.default_rng(0)
f32 = lambda *shape: random.normal(size=shape).astype(np.float32)
close = lambda one, other: np.allclose(one, other, rtol=0, atol=1e-6)
"""


def test_targets_have_the_leeway_only_where_it_is_asked_for(snippet, tmp_path):
    snippet(
        PRELUDE
        + """
full, vanilla = VARIANTS["full"], VARIANTS["vanilla"]
weights = losses.supervised_targets(full, Weighting(alpha=0.6, risky_weight=2.0), 3, risky=1)
assert close(weights, [[0.6, 0, 0, 0.4], [0, 2, 0, 0], [0, 0, 0.6, 0.4]])
assert close(losses.supervised_targets(vanilla, Weighting(alpha=0.6), 3, 1), np.eye(3, 4))
assert close(losses.real_targets(full, Weighting(alpha=0.6)), [0.6, 0.4, 0])
assert close(losses.real_targets(vanilla, Weighting(alpha=0.6)), [1, 0, 0])
assert {name for name, v in VARIANTS.items() if v.leeway} == {"full", "without_bad_generator"}
assert {name for name, v in VARIANTS.items() if v.bad_generator} == {"full", "without_leeway"}
""",
        tmp_path,
    )


def test_heads_without_unknown_are_softmax_of_the_rest(snippet, tmp_path):
    snippet(
        PRELUDE
        + """
logits = f32(9, 3)
p = np.exp(losses.unsupervised_log_probabilities(logits, VARIANTS["vanilla"]))
assert close(p[:, 0], 1 / (1 + np.exp(logits[:, 2] - logits[:, 0]))), "a sigmoid of the difference"
assert (p[:, 1] == 0).all()
assert close(np.exp(losses.supervised_log_probabilities(logits, VARIANTS["full"])).sum(axis=1), 1)
assert (np.exp(losses.supervised_log_probabilities(logits, VARIANTS["without_leeway"]))[:, 2] == 0).all()
""",
        tmp_path,
    )


def test_matching_pulling_away_and_low_density(snippet, tmp_path):
    snippet(
        PRELUDE
        + """
fake, real = f32(8, 5), f32(8, 5)
assert close(losses.feature_matching(fake, real), np.abs(fake.mean(0) - real.mean(0)).mean())
unit = fake / np.linalg.norm(fake, axis=1, keepdims=True)
pairs = [(unit[i] @ unit[k]) ** 2 for i, k in itertools.permutations(range(8), 2)]
assert close(losses.pull_away(tf.constant(fake)), np.mean(pairs))
same = tf.constant(np.tile(fake[:1], (8, 1)))
assert close(losses.pull_away(same), 1), "rows that are the same are as near as can be"
assert close(losses.pull_away(tf.eye(5)), 0), "rows at right angles are as far as can be"
assert np.isfinite(losses.pull_away(tf.zeros([4, 5]))), "no features at all"

p = np.array([[0.7, 0.1, 0.2], [0.4, 0.5, 0.1], [0.1, 0.1, 0.8]], np.float32)
dense = losses.low_density(tf.constant(np.log(p)), 0.65)
assert close(dense, math.log(0.7) / 3), "the third is unknown, which is where fakes belong"
""",
        tmp_path,
    )

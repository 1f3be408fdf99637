"""The losses, from logits through log-softmax, so that no probability of zero makes them infinite."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from tensor import tf
from variants import Variant

_SHUT = -1e9  # added to the logit of a class that a variant does not have
_TINY = 1e-12


@dataclass(frozen=True)
class Weighting:
    """The numbers in the losses."""

    alpha: float = 0.7  # the share of a row's weight that its own class has; the rest goes to "unknown"
    risky_weight: float = 1.0
    fake_weight: float = 1.0
    pull_away_weight: float = 1.0
    low_density_weight: float = 0.0  # 0 leaves the term out
    low_density_epsilon: float = 0.65


def supervised_targets(variant: Variant, weighting: Weighting, classes: int, risky: int) -> np.ndarray:
    """What each class weighs in the log-probabilities: float32 [classes, classes + 1], "unknown" last."""
    if not variant.leeway:
        return np.eye(classes, classes + 1, dtype=np.float32)
    targets = weighting.alpha * np.eye(classes, classes + 1)
    targets[:, classes] = 1.0 - weighting.alpha
    targets[risky] = 0.0
    targets[risky, risky] = weighting.risky_weight
    return targets.astype(np.float32)


def real_targets(variant: Variant, weighting: Weighting) -> np.ndarray:
    """What (known, unknown, fake) weigh for a real row."""
    known = weighting.alpha if variant.unknown else 1.0
    return np.array([known, 1.0 - known, 0.0], np.float32)


def supervised_log_probabilities(logits: tf.Tensor, variant: Variant) -> tf.Tensor:
    return _log_softmax(logits, variant.leeway, position=-1)


def unsupervised_log_probabilities(logits: tf.Tensor, variant: Variant) -> tf.Tensor:
    """Without "unknown" this is a softmax of two, hence a sigmoid of their difference."""
    return _log_softmax(logits, variant.unknown, position=1)


def cross_entropy(log_probabilities: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """``targets``: one row of weights each, or one for all."""
    return -tf.reduce_mean(tf.reduce_sum(targets * log_probabilities, axis=1))


def feature_matching(fake: tf.Tensor, real: tf.Tensor) -> tf.Tensor:
    """The mean over features of the distance between the batches' mean features."""
    return tf.reduce_mean(tf.abs(tf.reduce_mean(fake, axis=0) - tf.reduce_mean(real, axis=0)))


def pull_away(features: tf.Tensor) -> tf.Tensor:
    """The mean squared cosine between different rows.

    Over all pairs of rows, squared cosines add up to the squared entries of the small matrix F^T F.
    """
    squares = tf.reduce_sum(tf.square(features), axis=1, keepdims=True)
    unit = features * tf.math.rsqrt(tf.maximum(squares, _TINY))
    rows = tf.cast(tf.shape(features)[0], tf.float32)
    pairs = tf.reduce_sum(tf.square(tf.matmul(unit, unit, transpose_a=True)))
    themselves = tf.reduce_sum(tf.square(tf.reduce_sum(tf.square(unit), axis=1)))
    return (pairs - themselves) / (rows * (rows - 1.0))


def low_density(log_probabilities: tf.Tensor, epsilon: float) -> tf.Tensor:
    """The mean log-confidence of fake rows, counting those above ``epsilon``: they lie where data is dense."""
    confidence = tf.reduce_max(log_probabilities[:, :-1], axis=1)
    return tf.reduce_mean(tf.where(confidence > math.log(epsilon), confidence, 0.0))


def _log_softmax(logits: tf.Tensor, all_open: bool, position: int) -> tf.Tensor:
    if not all_open:
        mask = np.zeros(logits.shape[-1], np.float32)
        mask[position] = _SHUT
        logits += mask
    return tf.nn.log_softmax(logits)

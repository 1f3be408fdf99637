"""TensorFlow, with what has to be set before it is imported; every other file takes ``tf`` from here."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # warnings and worse
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its sums differ from processor to processor
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # networks this small are slower on a GPU

import tensorflow as tf

__all__ = ["be_deterministic", "tf"]


def be_deterministic() -> None:
    """One thread per operation, and none whose result depends on timing; before the first operation only."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()

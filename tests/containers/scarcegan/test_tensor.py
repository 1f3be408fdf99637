"""TensorFlow is quiet, on the processor, and deterministic when asked."""

from __future__ import annotations


def test_set_up_before_it_is_imported(snippet, tmp_path):
    said = snippet(
        """
import os
from tensor import be_deterministic, tf
be_deterministic()
assert tf.config.threading.get_intra_op_parallelism_threads() == 1
assert tf.config.list_physical_devices("GPU") == []
assert os.environ.get("TF_ENABLE_ONEDNN_OPTS", "0") == "0"
tf.matmul(tf.ones([8, 8]), tf.ones([8, 8]))
try:
    tf.random.normal([2])
except RuntimeError as error:
    assert "determinism" in str(error), "random numbers without a seed are refused"
else:
    raise AssertionError("not deterministic")
""",
        tmp_path,
    )
    assert said == ""

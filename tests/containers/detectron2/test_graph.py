"""The graph is the whole model, for images of any size, and one that is not the model's is found out."""

from __future__ import annotations


def test_images_of_any_size_fit_one_graph(report):
    assert len(report["onnx"]) == 5 and all(one["boxes"] < 1e-3 for one in report["onnx"])


def test_the_graph_of_another_model_is_found_out(report):
    assert report["without_graph"]["another"]["runtime"] == "torch"
    assert "with a score of at least 0.05" in report["log"]

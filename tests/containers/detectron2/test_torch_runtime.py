"""Detectron2 itself runs a model folder's files, and takes nothing from them but data."""

from __future__ import annotations


def test_weights_that_are_none_are_refused(report):
    assert "model.safetensors: does not fit config.yaml" in report["bad_weights"]


def test_a_configuration_makes_no_objects(report):
    assert "config.yaml: is no configuration of Detectron2" in report["bad_configuration"]
    assert "could not determine a constructor" in report["bad_configuration"]


def test_only_images_of_one_size_go_together(report):
    assert report["batches"] == [[0, 3], [1], [2], [4]]

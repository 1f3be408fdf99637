"""Data from which nothing can be learned, or on which nothing can be measured, is refused."""

from __future__ import annotations

import dataclasses
import importlib.util
import shutil
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("channels", Path(__file__).with_name("channels.py"))
channels = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(channels)


@pytest.fixture
def data(tmp_path, module):
    channels.make(tmp_path, module)
    return tmp_path / "input/data"


@pytest.fixture
def read(module, data):
    return lambda: module("training_data").read(data / "training", data / "validation")


def change(module, folder, function):
    dataset = module("dataset")
    before = dataset.read(folder)
    dataset.write(before.classes, [function(image) for image in before.images], folder)


def without(label):
    return lambda image: dataclasses.replace(image, boxes=tuple(b for b in image.boxes if b.label != label))


def test_both_channels_are_read_and_the_digest_is_of_what_is_in_them(read, module, data, tmp_path):
    training, validation = read()
    assert (len(training.images), len(validation.images)) == (12, 4)
    digest = module("training_data").digest
    shutil.copytree(data, tmp_path / "elsewhere")
    moved = module("dataset").read(tmp_path / "elsewhere/training")
    assert digest(training) == digest(moved) != digest(validation)
    change(module, data / "training", without(1))
    assert digest(module("dataset").read(data / "training")) != digest(training)


def test_a_class_that_is_not_there_cannot_be_learned(read, module, data):
    change(module, data / "training", without(1))
    with pytest.raises(module("dataset").BadDataset, match="training has no box of the class blue"):
        read()


def test_without_boxes_nothing_can_be_measured(read, module, data):
    change(module, data / "validation", lambda image: dataclasses.replace(image, boxes=()))
    with pytest.raises(module("dataset").BadDataset, match="validation has 4 images and no box"):
        read()


def test_channels_must_be_there_and_of_one_run(read, module, data):
    dataset = module("dataset")
    dataset.write(["red", "green"], dataset.read(data / "validation").images, data / "validation")
    with pytest.raises(
        dataset.BadDataset, match="training has the classes red, blue, and validation red, green"
    ):
        read()
    shutil.rmtree(data / "validation")
    with pytest.raises(dataset.BadDataset, match="channel validation is missing: there is no folder"):
        read()

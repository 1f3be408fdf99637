"""Which file a name stands for, what a file may say, and what may be changed in it."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def configuration(module):
    return module("configuration")


def test_small_is_our_own_and_files_of_the_channel_come_next(configuration, tmp_path):
    assert configuration.find("small", tmp_path).name == "small.yaml"
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/mine.yaml").write_text("_BASE_: ../base.yaml\nMODEL: {MASK_ON: false}\n")
    (tmp_path / "base.yaml").write_text("VERSION: 2\n")
    assert configuration.find("deep/mine.yaml", tmp_path) == tmp_path / "deep/mine.yaml"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../secret.yaml", "must be a name, not a path that leads elsewhere"),
        ("/etc/passwd", "must be a name"),
        ("a/../../b.yaml", "must be a name"),
        ("", "must be a name"),
        ("COCO-Detection/none.yaml", "neither 'small', nor one of Detectron2's model zoo .* no such file in"),
    ],
)
def test_other_names_are_refused(configuration, tmp_path, name, message):
    with pytest.raises(configuration.BadConfiguration, match=message):
        configuration.find(name, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("_BASE_: ../outside.yaml", "'../outside.yaml' of mine.yaml is no other file of the config channel"),
        ("_BASE_: /etc/base.yaml", "no other file"),
        ("_BASE_: https://example.com/base.yaml", "no other file"),
        ("_BASE_: ~/base.yaml", "no other file"),
        ("_BASE_: mine.yaml", "no other file"),
        ("_BASE_: absent.yaml", "absent.yaml of the config channel cannot be read"),
        ("MODEL: !!python/object/apply:os.system ['true']", "mine.yaml of the config channel cannot be read"),
        ("- a list", "no YAML mapping"),
    ],
)
def test_a_file_is_data_with_bases_beside_it(configuration, tmp_path, text, message):
    pytest.importorskip("yaml")
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(configuration.BadConfiguration, match=message):
        configuration.find("mine.yaml", tmp_path)


def test_what_is_decided_elsewhere_is_not_overridden(configuration):
    configuration.check_keys(["MODEL.RPN.NMS_THRESH", 0.6])
    with pytest.raises(configuration.BadConfiguration, match=r"decided by the hyperparameter learning_rate"):
        configuration.check_keys(["MODEL.RPN.NMS_THRESH", 0.6, "SOLVER.BASE_LR", 1])


def test_the_whole_configuration(snippet, tmp_path):
    """Of the zoo and of ours, with hyperparameters and overrides; what is none of Detectron2's is refused."""
    (tmp_path / "unknown.yaml").write_text("MODEL: {NO_SUCH_KEY: 1}")
    (tmp_path / "masks.yaml").write_text("MODEL: {MASK_ON: true}")
    snippet(Path(__file__).with_name("configurations.py").read_text(), tmp_path)

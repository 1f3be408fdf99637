"""Only whole checkpoints of just this training are gone on from."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

SETTINGS = {"learning_rate": 0.002, "batch_size": 4, "overrides": ["A", 1]}


@pytest.fixture
def checkpoints(module):
    return module("checkpoints")


@pytest.fixture
def write(checkpoints, tmp_path):
    def write(*iterations, settings=SETTINGS):
        for iteration in iterations:
            save = partial(Path.write_bytes, data=f"tensors {iteration}".encode())
            checkpoints.write(tmp_path, iteration, save, settings, {"n": iteration})

    return write


@pytest.fixture
def found(checkpoints, tmp_path):
    def found():
        told = []
        return [one.iteration for one in checkpoints.whole(tmp_path, told.append)], told

    return found


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_written_is_read_and_old_ones_go(checkpoints, write, found, tmp_path):
    assert found() == ([], [])
    write(10, 20, 100)
    assert found() == ([100, 20], [])
    newest = checkpoints.whole(tmp_path, print)[0]
    assert (newest.tensors.read_bytes(), newest.settings, newest.rest) == (
        b"tensors 100",
        SETTINGS,
        {"n": 100},
    )
    assert names(tmp_path) == [
        f"iteration_{number:08d}.{kind}" for number in (20, 100) for kind in ("json", "safetensors")
    ]


@pytest.mark.parametrize(
    ("kind", "content", "why"),
    [
        ("safetensors", b"tensors 20 ", "has the sha256"),
        ("safetensors", None, "iteration_00000020.safetensors is missing"),
        ("json", None, "iteration_00000020.json is missing"),
        ("json", b'{"format": 1, ', "cannot be read"),
        ("json", b"[]", "cannot be read"),
        ("json", b'{"format": 1}', "cannot be read"),
        ("json", b'{"format": 2}', "its format is 2, this code reads 1"),
    ],
)
def test_a_damaged_one_is_told_and_the_one_before_taken(write, found, tmp_path, kind, content, why):
    write(10, 20)
    file = tmp_path / f"iteration_00000020.{kind}"
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    iterations, [told] = found()
    assert iterations == [10]
    assert (
        told.startswith("checkpoint iteration_00000020 is damaged, the one before is taken: ") and why in told
    )


def test_a_failed_writer_leaves_the_ones_before(checkpoints, write, found, tmp_path):
    write(10)

    def full(path):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        checkpoints.write(tmp_path, 20, full, SETTINGS, {})
    assert found() == ([10], []) and len(names(tmp_path)) == 2
    (tmp_path / ".iteration_00000015.safetensors.tmp").write_bytes(b"of a killed writer")
    write(30)
    assert found() == ([30, 10], []) and len(names(tmp_path)) == 4


def test_another_training_is_refused_with_every_difference(checkpoints, write, tmp_path):
    write(10)
    newest = checkpoints.whole(tmp_path, print)
    checkpoints.check(newest, SETTINGS, "")
    checkpoints.check([], {}, "")
    with pytest.raises(checkpoints.OtherTraining) as error:
        checkpoints.check(newest, {**SETTINGS, "learning_rate": 0.01}, "s3://bucket/run-1")
    assert str(error.value) == (
        "s3_path=s3://bucket/run-1 has checkpoints (the newest after iteration 10) of a training that was set up "
        "differently: learning_rate: 0.002 then, 0.01 now. To train anew, give another s3_path (an empty prefix); "
        "to go on, take the former values"
    )
    other = {**SETTINGS, "batch_size": 8, "overrides": ["A", "2" * 99], "new": 1}
    with pytest.raises(
        checkpoints.OtherTraining, match=r"batch_size: 4 then, 8 now; new: None then, 1 now; over"
    ):
        checkpoints.check(newest, other, "")

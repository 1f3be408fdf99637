"""A model's folder says what it is, and is refused where it is not what it says."""

from __future__ import annotations

import hashlib
import json

import pytest

FILES = {"config.yaml": b"VERSION: 2\n", "model.safetensors": b"weights", "model.onnx": b"graph"}


@pytest.fixture
def files(module):
    return module("model_files")


def details(files, folder, **other):
    for name, content in FILES.items():
        files.write(folder / name, content)
    given = {
        "classes": ("circle", "square"), "min_size": 256, "max_size": 512, "pixel_format": "BGR", "runtime": "onnx",
        "score_threshold": 0.05, "detections_per_image": 100, "sha256": files.hashes(folder, list(FILES)),
        "provenance": {"made": "by a test"},
    }  # fmt: skip
    return files.Details(**(given | other))


def test_what_is_saved_is_loaded(files, tmp_path):
    made = details(files, tmp_path)
    made.save(tmp_path)
    assert files.load(tmp_path) == made
    content = json.loads((tmp_path / "model.json").read_text())
    assert content["format"] == 1 and content["sha256"]["model.onnx"] == hashlib.sha256(b"graph").hexdigest()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, "model.json"])


@pytest.mark.parametrize("name", FILES)
def test_a_changed_or_missing_file_is_refused(files, tmp_path, name):
    details(files, tmp_path).save(tmp_path)
    (tmp_path / name).write_bytes(b"other")
    with pytest.raises(files.BadModel, match=rf"{name}: SHA-256 is"):
        files.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(files.BadModel, match=rf"{name}: cannot be read"):
        files.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format is 2, this code reads 1"),
        ({"classes": []}, "classes is"),
        ({"classes": ["a", "a"]}, "a list of different names"),
        ({"min_size": -1}, "min_size is -1"),
        ({"max_size": 10**9}, "max_size is"),
        ({"min_size": True}, "min_size is True"),
        ({"pixel_format": "YUV"}, "BGR or RGB"),
        ({"runtime": "caffe2"}, "onnx or torch"),
        ({"score_threshold": float("nan")}, "a number from 0 to 1"),
        ({"detections_per_image": 1.5}, "detections_per_image is 1.5"),
        ({"sha256": {"config.yaml": "", "model.safetensors": ""}}, "sha256 is"),
        ({"sha256": {"config.yaml": "", "model.safetensors": "", "../model.onnx": ""}}, "sha256 is"),
        ({"provenance": []}, "provenance is"),
    ],
)
def test_what_model_json_says_is_checked(files, tmp_path, change, message):
    details(files, tmp_path).save(tmp_path)
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(files.BadModel, match=message):
        files.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"format": 1}', b"[" * 100_000])
def test_a_broken_model_json_is_refused(files, tmp_path, content):
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(files.BadModel, match=r"model\.json"):
        files.load(tmp_path)


def test_a_model_without_a_graph_needs_none(files, tmp_path):
    made = details(files, tmp_path)
    (tmp_path / "model.onnx").unlink()
    sums = {name: value for name, value in made.sha256.items() if name != "model.onnx"}
    files.Details(**{**vars(made), "runtime": "torch", "sha256": sums}).save(tmp_path)
    assert files.load(tmp_path).runtime == "torch"


def test_a_file_that_cannot_be_written_leaves_nothing(files, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write(tmp_path / "folder", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]

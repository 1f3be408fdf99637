"""The handler as a server has it: models in folders, requests in, answers out, without TensorFlow or pyarrow."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainyard.in_image.archives import extract_archive
from trainyard.in_image.server.handler import Failed, Handler

_spec = importlib.util.spec_from_file_location("served", Path(__file__).parent / "served.py")
served = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(served)

JSON, CSV = "application/json", "text/csv"


@pytest.fixture
def handler(module):
    return Handler(module("inference"), "inference.py")


@pytest.fixture
def folder(module, tmp_path):
    """Where ``mean`` and ``fold_1`` were unpacked."""
    module("model_archives").save(tmp_path / "model", served.models(module, counters=served.COUNTERS))
    for name in ("mean", "fold_1"):
        extract_archive(tmp_path / f"model/{name}.tar.gz", tmp_path / name)
    return tmp_path


def test_one_model_and_all(handler, folder):
    body = served.telemetry().encode()
    answers = {
        name: json.loads(handler.answer(handler.load(folder / name), body, CSV, JSON)[0])
        for name in ("mean", "fold_1")
    }
    assert [row["user"] for row in answers["mean"]] == ["u4", "u3", "u2", "u1", "u0"]
    for together, alone in zip(answers["mean"][:4], answers["fold_1"][:4], strict=True):
        assert list(together["scores"]) == ["fold_0", "fold_1"] and list(alone["scores"]) == ["fold_1"]
        assert alone["score"] == alone["scores"]["fold_1"] == together["scores"]["fold_1"]
        assert together["score"] == pytest.approx(np.mean(list(together["scores"].values())), abs=1e-8)


def test_types_of_answers(handler, folder):
    model, body = handler.load(folder / "mean"), served.telemetry().encode()
    assert handler.answer(model, body, "text/csv; charset=utf-8", "")[1] == JSON
    text, kind = handler.answer(model, body, CSV, "image/png, text/csv;q=0.5")
    assert kind == CSV and text.startswith(b"user,score,class,flagged,fold_0,fold_1\nu4,")
    with pytest.raises(Failed) as told:
        handler.answer(model, body, CSV, "image/png")
    assert told.value.status_code == 406


def test_a_folder_without_a_model_is_told(handler, tmp_path):
    with pytest.raises(Failed, match=r"ensemble.json: cannot be read"):
        handler.load(tmp_path)


def test_the_examples_requests(handler, module, tmp_path):
    """Whatever models it is that have been trained on the example's counters."""
    example = Path(module("inference").__file__).parent / "example"
    body = (example / "request.json").read_bytes()
    models = served.models(module, counters=json.loads(body)["columns"][2:])
    module("model_archives").save(tmp_path, models)
    model = handler.load(tmp_path)
    expected = json.loads((example / "answer.json").read_text())
    answers = json.loads(handler.answer(model, body, JSON, JSON)[0])
    assert [row["user"] for row in answers] == [row["user"] for row in expected]
    assert [row["score"] is None for row in answers] == [row["score"] is None for row in expected]
    for case in json.loads((example / "bad_requests.json").read_text()):
        if "target_model" not in case:
            with pytest.raises(Failed) as told:
                handler.answer(model, case["body"].encode(), case["content_type"], JSON)
            assert told.value.status_code == case["status"], case["name"]


def test_numpy_is_all_that_serving_needs(module, folder):
    code = f"""
import sys
sys.path[:0] = {[str(Path(module("inference").__file__).parent), *sys.path[:1]]!r}
import inference
model = inference.model_fn({str(folder / "mean")!r})
inference.predict_fn(inference.input_fn({served.telemetry()!r}, "text/csv"), model)
assert not {{"tensorflow", "keras", "pandas", "pyarrow", "matplotlib", "scipy"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-B", "-c", code], check=True)

"""Requests go through the family's handler as the server calls it, and no image is answered with 500."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from trainyard.in_image.handler_errors import HandlerError
from trainyard.in_image.server.handler import Handler


@pytest.fixture(scope="module")
def served(module):
    """The handler, and a model that sees one object over the left half of every image."""

    def run(images):
        return [
            (np.float32([[0, 0, image.shape[1] / 2, image.shape[0]]]), np.float32([0.75]), np.array([1]))
            for image in images
        ]

    details = module("model_files").Details(("circle", "square"), 64, 128, "BGR", "onnx", 0.05, 100, {})
    return Handler(module("inference"), "inference.py"), module("detector").Detector(details, run)


def image(width=200, height=100, kind="JPEG"):
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)).save(
        content, kind
    )
    return content.getvalue()


def test_an_image_in_json_out(served):
    handler, model = served
    body, kind = handler.answer(model, image(), "image/jpeg; max_detections=5", "")
    assert kind == "application/json"
    [prediction] = json.loads(body)["predictions"]
    assert prediction["detections"] == [
        {"bbox": [0.0, 0.0, 100.0, 100.0], "category_id": 2, "category": "square", "score": 0.75}
    ]


def test_a_threshold_beside_the_content_type_is_kept(served):
    handler, model = served
    body, _ = handler.answer(model, image(kind="PNG"), "image/png; score_threshold=0.8", "application/json")
    assert json.loads(body)["predictions"][0]["detections"] == []


def test_several_images_in_lines_out(served):
    handler, model = served
    request = {"images": [base64.b64encode(image(50 + number, 40)).decode() for number in range(3)]}
    body, kind = handler.answer(
        model, json.dumps(request).encode(), "application/json", "application/jsonlines"
    )
    assert kind == "application/jsonlines"
    sizes = [json.loads(line)["bounding-box"]["image_size"][0]["width"] for line in body.splitlines()]
    assert sizes == [50, 51, 52]


def test_requests_of_a_batch_get_what_each_asked_for(served, module):
    _, model = served
    inference, asked = module("inference"), module("image_requests").Asked
    pixels = [np.zeros((size, 40, 3), np.uint8) for size in (10, 20, 30)]
    several = [
        asked(pixels[:2], [None, "s3://b/1"]),
        asked(pixels[2:], [None], 0.8),
        asked(pixels[:1], [None], None, 5),
    ]
    one_by_one = [inference.output_fn(inference.predict_fn(one, model), "*/*") for one in several]
    assert [
        inference.output_fn(one, "*/*") for one in inference.predict_batch_fn(several, model)
    ] == one_by_one


def test_a_picture_out(served):
    handler, model = served
    body, kind = handler.answer(model, image(), "image/jpeg", "image/png")
    assert kind == "image/png" and Image.open(io.BytesIO(body)).size == (200, 100)


def test_the_bad_requests_of_the_example(served, module):
    handler, model = served
    folder = Path(module("inference").__file__).parent / "example"
    cases = json.loads((folder / "bad_requests.json").read_text())
    assert len(cases) >= 20
    for case in cases:
        with pytest.raises(HandlerError) as error:
            handler.answer(model, case["body"].encode(), case["content_type"], "")
        assert error.value.status_code == case["status"], (case["name"], error.value)
        assert "Error:" not in str(error.value) and len(str(error.value)) < 500


@settings(max_examples=80, deadline=3000)
@given(st.sampled_from(["JPEG", "PNG"]), st.data())
def test_mutated_images_are_answered_or_refused(served, kind, data):
    handler, model = served
    content = bytearray(image(40, 30, kind))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        handler.answer(model, bytes(content), f"image/{kind.lower()}", "")
    except HandlerError as error:
        assert error.status_code == 400


@pytest.mark.parametrize("workers", ["1", "100"])
def test_a_model_folder_without_a_model_is_refused(module, monkeypatch, tmp_path, workers):
    monkeypatch.setenv("SAGEMAKER_MODEL_SERVER_WORKERS", workers)
    with pytest.raises(module("model_files").BadModel, match=r"model\.json: cannot be read"):
        module("inference").model_fn(str(tmp_path))

"""What a request asks is understood in each of its forms, or refused with the image that is at fault."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from trainyard.in_image.handler_errors import BadRequest, HandlerError, UnsupportedMediaType
from trainyard.in_image.server.formats import MediaType

JSON, NPY = "application/json", "application/x-npy"


@pytest.fixture(scope="module")
def requests(module):
    return module("image_requests")


def png(value=7, width=6, height=4):
    content = io.BytesIO()
    Image.new("RGB", (width, height), (value, 0, 0)).save(content, "PNG")
    return content.getvalue()


def text(value=7):
    return base64.b64encode(png(value)).decode()


def npy(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def reds(asked):
    return [int(image[0, 0, 0]) for image in asked.images]


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "image/jpg"])
def test_an_image_comes_as_it_is(requests, kind):
    asked = requests.parse(png(), MediaType.of(f"{kind}; score_threshold=0.25; max_detections=3; name=x"))
    assert reds(asked) == [7] and asked.images[0].shape == (4, 6, 3)
    assert (asked.threshold, asked.limit, list(asked.names)) == (0.25, 3, [None])


@pytest.mark.parametrize(
    ("body", "expected", "names"),
    [
        ({"image": text(1)}, [1], [None]),
        ({"image": f"data:image/png;base64,{text(1)}"}, [1], [None]),
        ({"image": "\n".join(text(1)[at : at + 60] for at in range(0, len(text(1)), 60))}, [1], [None]),
        ({"images": [text(1), text(2)]}, [1, 2], [None, None]),
        (
            {"instances": [text(1), {"b64": text(2)}, {"image": text(3), "source-ref": "s3://b/3.png"}]},
            [1, 2, 3],
            [None, None, "s3://b/3.png"],
        ),
    ],
)
def test_json_has_one_or_several(requests, body, expected, names):
    asked = requests.parse(json.dumps(body | {"score_threshold": 1, "max_detections": 9}), JSON)
    assert (reds(asked), list(asked.names), asked.threshold, asked.limit) == (expected, names, 1, 9)


def test_the_body_goes_before_what_stands_beside_the_content_type(requests):
    body = json.dumps({"image": text(), "score_threshold": 0.5})
    asked = requests.parse(body, MediaType.of("application/json; score_threshold=0.1; max_detections=4"))
    assert (asked.threshold, asked.limit) == (0.5, 4)


def test_an_array_is_one_image_or_several(requests):
    images = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    assert np.array_equal(requests.parse(npy(images), NPY).images, images)
    assert np.array_equal(requests.parse(npy(images[0]), MediaType(NPY)).images, images[:1])


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 5, 3)), np.zeros((4, 5), np.uint8), np.zeros((4, 5, 4), np.uint8),
        np.zeros((0, 5, 3), np.uint8), np.zeros((65, 1, 1, 3), np.uint8), np.zeros(3, "u1,u1"),
    ],
)  # fmt: skip
def test_other_arrays_are_refused(requests, array):
    with pytest.raises(BadRequest, match=r"must be uint8 \[height, width, 3\]|64 are possible"):
        requests.parse(npy(array), NPY)


def test_arrays_are_not_unpickled(requests):
    content = io.BytesIO()
    np.save(content, np.array([{}], object), allow_pickle=True)
    with pytest.raises(BadRequest, match=r"not a plain \.npy array"):
        requests.parse(content.getvalue(), NPY)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "the body is not JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "must have one of image, images, s3_uris, instances"),
        ({"image": text(), "images": []}, "must have one of"),
        ({"image": text(), "treshold": 1}, 'unknown in the body: "treshold"; possible: .*score_threshold'),
        ({"image": 7}, "image 0: it must be base64 text, not 7"),
        ({"image": "%%%"}, "image 0: it is not base64"),
        ({"image": ""}, "image 0: it is empty"),
        ({"images": [text(), text()[:-40]]}, "image 1: it is broken"),
        ({"images": [text(), base64.b64encode(b"hello").decode()]}, "image 1: it is neither JPEG nor PNG"),
        ({"images": []}, "images must be a list of 1 to 64 images, not 0"),
        ({"images": ["x"] * 65}, "images must be a list of 1 to 64 images, not 65"),
        ({"images": "x"}, "images must be a list of 1 to 64 images"),
        ({"instances": [text(), {"picture": text()}]}, "image 1: an instance must be"),
        ({"instances": [{"image": text(), "source-ref": 7}]}, "image 0: an instance must be"),
        ({"s3_uris": ["https://example.com/x.png"]}, "image 0: .* is no S3 URI"),
        ({"s3_uris": ["s3://bucket"]}, "image 0: .* is no S3 URI"),
        ({"s3_uris": [7]}, "image 0: .* is no S3 URI"),
        ({"image": text(), "score_threshold": 1.5}, "score_threshold must be a number from 0 to 1, not 1.5"),
        ({"image": text(), "score_threshold": True}, "score_threshold must be"),
        ({"image": text(), "score_threshold": "0.5"}, "score_threshold must be"),
        ('{"image": "", "score_threshold": NaN}', "score_threshold must be"),
        ({"image": text(), "max_detections": 0}, "max_detections must be a whole number, 1 or more, not 0"),
        ({"image": text(), "max_detections": 2.5}, "max_detections must be"),
    ],
)
def test_bad_json_is_refused(requests, body, message):
    with pytest.raises(BadRequest, match=message):
        requests.parse(body if isinstance(body, str) else json.dumps(body), JSON)


@pytest.mark.parametrize(
    "beside", ["score_threshold=high", "score_threshold=2", "max_detections=", "max_detections=1e3"]
)
def test_bad_numbers_beside_a_content_type_are_refused(requests, beside):
    with pytest.raises(BadRequest, match="must be a"):
        requests.parse(png(), MediaType.of(f"image/png; {beside}"))


def test_all_images_together_have_a_limit(requests, monkeypatch):
    monkeypatch.setattr(requests, "MAX_PIXELS", 3 * 24 - 1)
    requests.parse(json.dumps({"images": [text()] * 2}), JSON)
    with pytest.raises(BadRequest, match="image 2: it has 6 x 4 pixels; 23 are possible"):
        requests.parse(json.dumps({"images": [text()] * 3}), JSON)


@pytest.mark.parametrize("kind", ["text/csv", "image/gif", "application/octet-stream", "multipart/form-data"])
def test_other_content_types_are_refused(requests, kind):
    with pytest.raises(UnsupportedMediaType, match=r"image/jpeg, image/png, application/json"):
        requests.parse(b"x", kind)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=2000)
@given(st.sampled_from(["image", "images", "instances", "s3_uris"]), json_values, json_values)
def test_any_json_is_answered_or_refused(requests, key, value, threshold):
    if key == "s3_uris" and "s3://" in json.dumps(value):
        return
    try:
        requests.parse(json.dumps({key: value, "score_threshold": threshold}), JSON)
    except HandlerError as error:
        assert error.status_code == 400

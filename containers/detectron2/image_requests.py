"""The images of a request: JPEG or PNG as it is, JSON with base64 or S3 URIs, or an array; and what it asks for."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import s3_images
from decoding import MAX_PIXELS, Array, BadImage, decode

from trainyard.in_image.handler_errors import BadRequest, UnsupportedMediaType
from trainyard.in_image.server import formats

IMAGES = ("image/jpeg", "image/png")
READABLE = (*IMAGES, formats.JSON, formats.NPY)
MAX_IMAGES = 64
_SOURCES = ("image", "images", "s3_uris", "instances")
_OPTIONS = ("score_threshold", "max_detections")
_FORMS = (
    '{"image": base64}, {"images": [base64, ...]}, {"s3_uris": ["s3://...", ...]} or {"instances": [...]}'
)


@dataclass(frozen=True)
class Asked:
    """``names`` of the images are their S3 URIs where they have one; None leaves the model's own."""

    images: Sequence[Array]
    names: Sequence[str | None]
    threshold: float | None = None
    limit: int | None = None


def parse(body: str | bytes, content_type: str) -> Asked:
    """Raises UnsupportedMediaType; BadRequest with what is wrong, with which image, and what is possible.

    Beside a content type, as in ``image/jpeg; score_threshold=0.5; max_detections=10``, may stand what the request
    asks for; in JSON it stands in the body.
    """
    beside = getattr(content_type, "parameters", {})
    if content_type in (*IMAGES, "image/jpg") and isinstance(body, bytes):
        return Asked(_decoded([lambda: body]), [None], *_options(_numbers(beside)))
    if content_type == formats.NPY:
        images = _of_array(formats.decode(body, content_type))
        return Asked(images, [None] * len(images), *_options(_numbers(beside)))
    if content_type == formats.JSON:
        content = _object(formats.decode(body, content_type))
        options = _options(_numbers(beside) | {key: content[key] for key in _OPTIONS if key in content})
        contents, names = _sources(content)
        return Asked(_decoded(contents), names, *options)
    raise UnsupportedMediaType(f"content type {content_type!r} cannot be read; send {', '.join(READABLE)}")


def _object(content: Any) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise BadRequest(f"the body must be a JSON object: {_FORMS}")
    unknown = [key for key in content if key not in _SOURCES + _OPTIONS]
    if unknown:
        raise BadRequest(
            f"unknown in the body: {', '.join(map(_shown, unknown))[:300]}; possible: {', '.join(_SOURCES + _OPTIONS)}"
        )
    if sum(key in content for key in _SOURCES) != 1:
        raise BadRequest(f"the body must have one of {', '.join(_SOURCES)}: {_FORMS}")
    return content


def _sources(content: Mapping[str, Any]) -> tuple[list[Callable[[], bytes]], list[str | None]]:
    """How to get each image's bytes, and its name."""
    if "image" in content:
        return [_of_base64(content["image"])], [None]
    [(key, given)] = [(key, content[key]) for key in _SOURCES if key in content]
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_IMAGES:
        count = f", not {len(given)}" if isinstance(given, list) else ""
        raise BadRequest(f"{key} must be a list of 1 to {MAX_IMAGES} images{count}")
    if key == "images":
        return list(map(_of_base64, given)), [None] * len(given)
    if key == "s3_uris":
        return s3_images.fetch(given), list(given)
    return _of_instances(given)


def _of_instances(given: list[Any]) -> tuple[list[Callable[[], bytes]], list[str | None]]:
    """Base64, or objects of base64 or an S3 URI, and maybe a name."""
    contents, names = [], []
    for place, instance in enumerate(given):
        one = instance if isinstance(instance, dict) else {"image": instance}
        keys = set(one) - {"source-ref"}
        name = one.get("source-ref")
        if keys not in ({"image"}, {"b64"}, {"s3_uri"}) or not isinstance(name, str | None):
            raise BadRequest(
                f'image {place}: an instance must be base64, {{"image": base64}}, {{"b64": base64}} or'
                ' {"s3_uri": "s3://..."}, with "source-ref" beside it or not'
            )
        value = one[keys.pop()]
        if "s3_uri" in one:
            contents += s3_images.fetch([value])
            names.append(name or value)
        else:
            contents.append(_of_base64(value))
            names.append(name)
    return contents, names


def _of_base64(text: Any) -> Callable[[], bytes]:
    def content() -> bytes:
        if not isinstance(text, str):
            raise BadImage(f"it must be base64 text, not {_shown(text)}")
        encoded = text.partition(",")[2] if text.startswith("data:") else text
        try:
            return base64.b64decode("".join(encoded.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadImage(f"it is not base64: {error}") from error

    return content


def _decoded(contents: Sequence[Callable[[], bytes]]) -> list[Array]:
    """Raises BadRequest, naming the image that cannot be had."""
    images: list[Array] = []
    left = MAX_PIXELS
    for place, content in enumerate(contents):
        try:
            images.append(decode(content(), left))
        except BadImage as error:
            raise BadRequest(f"image {place}: {error}") from error
        left -= images[-1].shape[0] * images[-1].shape[1]
    return images


def _of_array(array: Any) -> list[Array]:
    if array.dtype != "uint8" or array.ndim not in (3, 4) or array.shape[-1] != 3 or not array.size:
        raise BadRequest(
            f"the array is {array.dtype} of shape {array.shape}; it must be uint8 [height, width, 3] or"
            " [images, height, width, 3], RGB"
        )
    images = list(array) if array.ndim == 4 else [array]
    if len(images) > MAX_IMAGES:
        raise BadRequest(f"there are {len(images)} images; {MAX_IMAGES} are possible")
    return images


def _numbers(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of a content type as JSON would have them; what is no number stays text, and is refused as such."""
    found: dict[str, Any] = {}
    for key in _OPTIONS:
        if key in parameters:
            try:
                found[key] = json.loads(parameters[key])
            except ValueError:
                found[key] = parameters[key]
    return found


def _options(given: Mapping[str, Any]) -> tuple[float | None, int | None]:
    threshold, limit = (given.get(key) for key in _OPTIONS)
    if threshold is not None and not (
        type(threshold) in (int, float) and math.isfinite(threshold) and 0 <= threshold <= 1
    ):
        raise BadRequest(f"score_threshold must be a number from 0 to 1, not {_shown(threshold)}")
    if limit is not None and not (type(limit) is int and limit >= 1):
        raise BadRequest(f"max_detections must be a whole number, 1 or more, not {_shown(limit)}")
    return threshold, limit


def _shown(value: Any) -> str:
    return json.dumps(value)[:100]

"""Images in S3 are read with the client that is there, and what cannot be read is refused with the reason."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest


class Missing(Exception):
    def __init__(self):
        super().__init__()
        self.response = {"Error": {"Code": "NoSuchKey", "Message": "The specified key does not exist."}}


@pytest.fixture
def s3(module, monkeypatch):
    """Objects: {"s3://bucket/key": bytes}, or an exception to be raised."""
    s3_images = module("s3_images")
    objects = {}

    def get_object(Bucket, Key):
        found = objects[f"s3://{Bucket}/{Key}"]
        if isinstance(found, Exception):
            raise found
        return {"Body": io.BytesIO(found), "ContentLength": len(found)}

    monkeypatch.setattr(s3_images, "_client", lambda: SimpleNamespace(get_object=get_object))
    return s3_images, objects


def test_objects_are_read_in_order(s3):
    s3_images, objects = s3
    uris = [f"s3://bucket/a b/{number}.png" for number in range(20)]
    objects.update({uri: uri.encode() for uri in uris})
    assert [read() for read in s3_images.fetch(uris)] == [uri.encode() for uri in uris]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (Missing(), "s3://bucket/key cannot be read: NoSuchKey, The specified key"),
        (
            OSError("Unable to locate\ncredentials"),
            "no way to S3 .Unable to locate credentials.* network isolation",
        ),
        (bytes(11), "s3://bucket/key has 11 bytes; 10 are possible"),
    ],
)
def test_what_cannot_be_read_is_refused(s3, module, monkeypatch, given, reason):
    s3_images, objects = s3
    objects["s3://bucket/key"] = given
    monkeypatch.setattr(s3_images, "MAX_BYTES", 10)
    [read] = s3_images.fetch(["s3://bucket/key"])
    with pytest.raises(module("decoding").BadImage, match=reason):
        read()


def test_nothing_answers_without_a_network(module, monkeypatch, tmp_path):
    """The real client, which finds no S3 on this port, and ends before the one who asked does."""
    s3_images = module("s3_images")
    for name, value in {
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-west-1", "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    s3_images._client.cache_clear()
    [read] = s3_images.fetch(["s3://bucket/key"])
    with pytest.raises(module("decoding").BadImage, match=r"no way to S3 .*127\.0\.0\.1:9"):
        read()
    s3_images._client.cache_clear()

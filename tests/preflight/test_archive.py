from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping

import pytest

from trainyard.errors import DockerError
from trainyard.images.engine import Engine
from trainyard.preflight import archive


def tar(members: Mapping[str, bytes | str | tuple[str, bytes]]) -> bytes:
    """Bytes are files, texts are symbolic links, pairs are (tar's type, content or target)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as to:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.mode = 0o640
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
            elif isinstance(content, tuple):
                entry.type, entry.linkname = content[1], content[0]
            else:
                entry.size = len(content)
            to.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)
    return stream.getvalue()


def manifest(*layers: str) -> bytes:
    return json.dumps([{"Config": "c.json", "RepoTags": None, "Layers": layers}]).encode()


LOWER = tar(
    {
        "./etc": ("", tarfile.DIRTYPE),
        "etc/a": b"#!/bin/sh\n",
        "etc/b": "a",
        "etc/c": ("etc/a", tarfile.LNKTYPE),
    }
)
UPPER = tar({"etc/.wh.a": b"", "var/.wh..wh..opq": b"", "big": b"x" * 200_000})


def read(stream: bytes, keep: archive.Keep = lambda path, head: True) -> tuple[archive.Layer, ...]:
    return archive.read(io.BytesIO(stream), keep)


def test_layers_come_in_the_manifests_order_whatever_the_streams():
    old = tar(
        {
            "2/layer.tar": UPPER,
            "1/layer.tar": LOWER,
            "c.json": b"{}",
            "manifest.json": manifest("1/layer.tar", "2/layer.tar"),
        }
    )
    new = tar({"manifest.json": manifest("blobs/sha256/1", "blobs/sha256/2"), "blobs/sha256/2": gzip.compress(UPPER),
               "blobs/sha256/1": LOWER, "index.json": b"{}", "oci-layout": b"{}"})  # fmt: skip
    for stream in (old, new):
        lower, upper = read(stream)
        assert lower.entries["etc/a"].is_file and lower.entries["etc/a"].mode & 0o777 == 0o640
        assert lower.entries["etc"].is_folder
        assert lower.entries["etc/b"].target == "a"
        assert lower.entries["etc/c"].head == b"#!/bin/sh\n", "a hard link has its file's content"
        assert (upper.deleted, upper.opaque) == ({"etc/a"}, {"var"})
        assert upper.entries["big"].size == 200_000 and len(upper.entries["big"].head) == archive.HEAD


def test_only_what_is_asked_for_is_kept():
    stream = tar({"1/layer.tar": LOWER, "manifest.json": manifest("1/layer.tar")})
    asked = []
    [layer] = read(stream, lambda path, head: bool(asked.append((path, head))))
    assert asked == [("etc/a", b"#!/bin/sh\n")]
    assert layer.entries["etc/a"].head == b"" and layer.entries["etc/a"].magic == b"#!/b"


@pytest.mark.parametrize("name", ["{x", "[slug].js"])
def test_a_layer_may_begin_as_json_does(name):
    stream = tar({"1/layer.tar": tar({name: b"x"}), "manifest.json": manifest("1/layer.tar")})
    [layer] = read(stream)
    assert list(layer.entries) == [name]


def test_a_layer_that_is_a_link_to_another_one():
    stream = tar(
        {
            "1/layer.tar": LOWER,
            "2/layer.tar": "../1/layer.tar",
            "manifest.json": manifest("1/layer.tar", "2/layer.tar"),
        }
    )
    one, two = read(stream)
    assert one is two


@pytest.mark.parametrize("stream", [b"", b"x" * 2000, tar({"a": b"{}"}), tar({"1/layer.tar": LOWER})[:700]])
def test_what_no_docker_save_wrote_is_refused(stream):
    with pytest.raises((tarfile.TarError, LookupError, ValueError, EOFError)):
        read(stream)


def test_dockers_own_words_when_it_cannot_save(engine: Engine):
    with pytest.raises(DockerError, match=r"docker save sha256:0000.*(failed to get digest|No such image)"):
        archive.save(engine, f"sha256:{'0' * 64}", lambda path, head: False)

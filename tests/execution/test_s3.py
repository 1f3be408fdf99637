from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.errors import StoreError
from trainyard.execution.s3 import ObjectStore, file_digest, parse_uri


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "s3")


def put(objects: ObjectStore, *keys: str) -> None:
    for key in keys:
        objects.put_bytes(key.encode(), parse_uri(f"s3://b/{key}"))


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("s3://b/train", ["a.csv", "in/b.csv", "training/c.csv"]),  # a key prefix, not a folder
        ("s3://b/train/", ["a.csv", "in/b.csv"]),
        ("s3://b/train/a.csv", ["a.csv"]),
        ("s3://b/train/in/", ["b.csv"]),
        ("s3://b", ["other", "train/a.csv", "train/in/b.csv", "training/c.csv"]),
        ("s3://b/nothing/", []),
        ("s3://nobody/", []),
    ],
)
def test_list_matches_key_prefixes(objects: ObjectStore, prefix: str, expected: list[str]) -> None:
    put(objects, "train/a.csv", "train/in/b.csv", "training/c.csv", "other")
    assert sorted(item.relative for item in objects.list(parse_uri(prefix))) == expected


@pytest.mark.parametrize(
    "text",
    [
        "b/key",
        "s3://",
        "s3:///key",
        "s3://b/a/../c",
        "s3://../x",
        "s3://b/./a",
        "s3://b/a//c",
        "s3://b/" + "x" * 256,
    ],
)
def test_bad_uris_are_refused_with_the_uri(text: str) -> None:
    with pytest.raises(StoreError, match=r"s3|URI|key"):
        parse_uri(text)


@given(st.text(max_size=40))
def test_no_uri_leaves_the_store(text: str) -> None:
    objects = ObjectStore(Path("/store/s3"))
    try:
        path = objects.path(parse_uri(f"s3://b/{text}"))
    except StoreError:
        return
    assert Path(os.path.normpath(path)).is_relative_to("/store/s3/b")


def test_put_replaces_whole_files_and_keeps_links_to_the_old_ones(
    objects: ObjectStore, tmp_path: Path
) -> None:
    uri = parse_uri("s3://b/k/ü b.csv")
    path = objects.put_bytes(b"old", uri)
    os.link(path, tmp_path / "link")
    objects.put_bytes(b"new", uri)
    assert (objects.read(uri), (tmp_path / "link").read_bytes()) == (b"new", b"old")
    assert [item.relative for item in objects.list(parse_uri("s3://b/"))] == ["k/ü b.csv"]


def test_a_failed_put_leaves_nothing(objects: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        objects.put(tmp_path / "absent", parse_uri("s3://b/k/a"))
    assert objects.list(parse_uri("s3://b/")) == []
    assert [path for path in objects.root.rglob("*") if path.is_file()] == []


def test_a_key_cannot_be_file_and_folder(objects: ObjectStore) -> None:
    put(objects, "a/b")
    with pytest.raises(StoreError, match="other objects lie below"):
        put(objects, "a")
    with pytest.raises(StoreError, match="part of its key is an object"):
        put(objects, "a/b/c")
    with pytest.raises(StoreError, match="names a folder"):
        objects.put_bytes(b"", parse_uri("s3://b/x/"))


def test_delete_removes_empty_folders_only(objects: ObjectStore) -> None:
    put(objects, "a/b/c", "a/d")
    objects.delete(parse_uri("s3://b/a/b/c"))
    objects.delete(parse_uri("s3://b/a/b/c"))
    assert [path.name for path in (objects.root / "b" / "a").iterdir()] == ["d"]


def test_read_of_a_missing_object_says_what_to_do(objects: ObjectStore) -> None:
    with pytest.raises(StoreError, match=r"no object s3://b/k .*trainyard s3 ls"):
        objects.read(parse_uri("s3://b/k"))


def test_file_digest_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert file_digest(tmp_path / "f").startswith("ba7816bf")


def test_a_moved_file_has_the_time_at_which_it_was_stored(objects: ObjectStore, tmp_path: Path) -> None:
    """A job may keep the times of what it copies; the same size and time must not hide another content."""
    marks = []
    for text in ("AAA", "BBB"):
        (tmp_path / "v").write_text(text)
        os.utime(tmp_path / "v", (1, 1))
        marks.append(objects.mark(objects.put(tmp_path / "v", parse_uri("s3://b/v"), move=True)))
    assert marks[0] != marks[1]


def test_what_was_left_half_written_is_swept_away(tmp_path) -> None:
    folder = tmp_path / "bucket" / "a"
    folder.mkdir(parents=True)
    for name in (".rclone_temp_put_1", ".trainyard-partial-new", ".trainyard-partial-old", "object"):
        (folder / name).write_bytes(b"half")
    os.utime(folder / ".trainyard-partial-old", (0, 0))
    os.utime(folder / "object", (0, 0))
    ObjectStore(tmp_path).sweep()
    assert {each.name for each in folder.iterdir()} == {".trainyard-partial-new", "object"}


def test_nothing_is_read_written_or_deleted_behind_a_link_out_of_the_store(tmp_path) -> None:
    store, outside = ObjectStore(tmp_path / "s3"), tmp_path / "outside"
    (tmp_path / "s3" / "bucket").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (tmp_path / "s3" / "bucket" / "link").symlink_to(outside)
    (tmp_path / "s3" / "other").symlink_to(outside)
    for uri in map(parse_uri, ("s3://bucket/link/secret", "s3://other/secret")):
        for act in (store.list, store.read, store.delete, lambda uri: store.put_bytes(b"x", uri)):
            with pytest.raises(StoreError, match="a link that leaves"):
                act(uri)
    assert store.list(parse_uri("s3://bucket/")) == []
    assert (outside / "secret").read_text() == "secret"

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.errors import DataError
from trainyard.images import published
from trainyard.images.published import PublishedImage

DIGEST = f"sha256:{'0a' * 32}"
IMAGE = PublishedImage(
    family="prophet",
    image=f"127.0.0.1:5000/trainyard/prophet@{DIGEST}",
    digest=DIGEST,
    tag="src-0123456789abcdef",
    source_digest="0123456789abcdef" * 4,
    git_revision="unknown",
    base=f"python:3.11-slim@{DIGEST}",
    lock_digest=DIGEST,
    sbom_digest="",
)
OTHER = dataclasses.replace(IMAGE, family="other", sbom_digest=DIGEST)


def test_what_is_written_is_read(tmp_path):
    one, other, both = (tmp_path / name for name in ("one.json", "other.json", "both.json"))
    one.write_text(published.to_json([IMAGE]))
    other.write_text(published.to_json([OTHER]))
    both.write_text(published.to_json([IMAGE, OTHER]))
    assert published.read([one, other]) == published.read([both]) == {"prophet": IMAGE, "other": OTHER}
    assert both.read_text() == published.to_json([OTHER, IMAGE])
    assert published.read([]) == {}


def test_files_that_differ_are_refused(tmp_path):
    (tmp_path / "a").write_text(published.to_json([IMAGE]))
    (tmp_path / "b").write_text(published.to_json([dataclasses.replace(IMAGE, git_revision="1")]))
    with pytest.raises(DataError, match=r"b: family prophet is .*; give the files of one build"):
        published.read([tmp_path / "a", tmp_path / "b"])


def test_a_family_without_an_image_is_told_which_there_are(family):
    other = {"prophett": IMAGE}
    named = dataclasses.replace(family, name="prophet")
    assert published.image_of(named, {"prophet": IMAGE}) == IMAGE.image
    with pytest.raises(DataError, match=r"no image of family 'prophet' .*there are: prophett"):
        published.image_of(named, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": "trainyard/prophet:latest"}, "image = 'trainyard/prophet:latest': must be REPOSITORY@sha256"),
        ({"digest": f"sha256:{'0b' * 32}"}, "must end with the digest sha256:0b0b"),
        ({"tag": "latest"}, "tag = 'latest': must be src-<16 hex>"),
        ({"lock_digest": None}, "lock_digest = None: must be sha256:<64 hex>"),
        ({"family": 3}, "family = 3: must be a family's name"),
        ({"new": 1}, "new: unknown; possible are family, image"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(change, message, tmp_path):
    (tmp_path / "images.json").write_text(
        json.dumps([dataclasses.asdict(OTHER), dataclasses.asdict(IMAGE) | change])
    )
    with pytest.raises(DataError) as error:
        published.read([tmp_path / "images.json"])
    assert message in str(error.value)
    assert f"{tmp_path}/images.json: image 2: " in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("{}", "must be a list of images"),
        ("[3]", "image 1: 3: must be an object"),
        (None, "No such"),
    ],
)
def test_another_file_is_refused(text, message, tmp_path):
    if text is not None:
        (tmp_path / "images.json").write_text(text)
    with pytest.raises(DataError, match=message):
        published.read([tmp_path / "images.json"])


JSON = st.recursive(
    st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(JSON)
def test_no_json_makes_it_stumble(tmp_path_factory, document):
    file = tmp_path_factory.mktemp("published") / "images.json"
    file.write_text(json.dumps(document))
    if document == []:
        assert published.read([file]) == {}
    else:
        with pytest.raises(DataError):
            published.read([file])

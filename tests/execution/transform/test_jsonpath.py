from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as some

from trainyard.errors import DataError, DefinitionError
from trainyard.execution.transform.jsonpath import parse

RECORD = {"id": 7, "a b": 1, "features": [1, 2, 3], "rows": [{"x": 1}, {"x": 2}], "deep": {"c": 1, "d": 2}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", RECORD), ("", RECORD), ("$.id", 7), ("$['id']", 7), ('$["a b"]', 1), ("$.features[-1]", 3),
        ("$.features[0,2]", [1, 3]), ("$.features[1:]", [2, 3]), ("$.features[0:1]", [1]), ("$.features[:-1]", [1, 2]),
        ("$.features[0,1:]", [1, 2, 3]), ("$['id','features']", {"id": 7, "features": [1, 2, 3]}),
        ("$.deep.['c','d']", {"c": 1, "d": 2}), ("$.deep.*", [1, 2]), ("$.rows[*].x", [1, 2]), ("$.rows[1].x", 2),
        ("$.rows[0:].x", [1, 2]), ("$.features", [1, 2, 3]),
    ],
)  # fmt: skip
def test_paths_select_what_aws_says(path, value) -> None:
    assert parse(path).select(RECORD) == value


@pytest.mark.parametrize(
    "path",
    [
        "id",
        "$..id",
        "$.features[?(@ > 1)]",
        "$[0:2,246:]",
        "$.",
        "$[",
        "$[0:2:1]",
        "$['a",
        "$[a]",
        "$.f()",
        "$[1,]",
    ],
)
def test_what_batch_transform_does_not_support_is_refused(path) -> None:
    with pytest.raises(DefinitionError, match="possible: "):
        parse(path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("$.ID", "there is no 'ID'; there is id, a b"), ("$['id','x']", "there is no 'x'"),
        ("$.features[3]", "no item 3 in a list of 3"), ("$.features[5:]", "its range is empty in a list of 3"),
        ("$.id[0]", "wanted a list"), ("$.features.x", "wanted an object with 'x'"), ("$.id.*", "wanted a list"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_an_error(path, message) -> None:
    with pytest.raises(DataError, match=message):
        parse(path).select(RECORD)


def test_rows_have_positions_only() -> None:
    assert [parse(path).by_position for path in ("$", "$[0,2:4]", "$[*]", "$.a", "$[0][1]")] == [
        True, True, True, False, False,
    ]  # fmt: skip


@given(some.lists(some.integers(), min_size=1), some.data())
def test_positions_and_ranges_are_those_of_lists(items, data) -> None:
    chosen = data.draw(some.lists(some.integers(-len(items), len(items) - 1), min_size=1, max_size=5))
    start = data.draw(some.integers(0, len(items) - 1))
    path = f"$[{','.join(map(str, chosen))},{start}:]"
    assert parse(path).select(items) == [items[at] for at in chosen] + items[start:]


@given(some.text(alphabet="$.[]'\"*,:01-ab ?@()", max_size=20))
def test_any_text_is_a_path_or_refused(text) -> None:
    try:
        path = parse(text)
    except DefinitionError:
        return
    with suppress(DataError):
        path.select({"a": [0, {"b": 1}], "b": 2})


@given(
    some.dictionaries(
        some.text(some.characters(exclude_characters="'"), min_size=1), some.integers(), min_size=1
    )
)
def test_names_are_found_as_they_are(record) -> None:
    names = list(record)
    path = "$[" + ",".join(f"'{name}'" for name in names) + "]"
    assert parse(path).select(record) == (record if len(names) > 1 else record[names[0]])

from __future__ import annotations

import io
import os
import time
import zipfile

import pytest

from trainyard.errors import AlreadyExists, DataError, NotFound
from trainyard.execution import functions
from trainyard.execution.functions import Reference, read_reference

SETTINGS = {"Runtime": "python3.8", "Handler": "main.handler", "Role": "arn:aws:iam::000000000000:role/r"}


def zipped(source: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("main.py", source)
    return content.getvalue()


def returning(value: object) -> bytes:
    return zipped(f"def handler(event, context): return {value!r}")


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("f", Reference("f")),
        ("f:3", Reference("f", "3")),
        ("function:f", Reference("f")),
        ("123456789012:function:f", Reference("f")),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST", Reference("f", "$LATEST")),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f:live", Reference("f", "live")),
    ],
)
def test_functions_are_named_in_many_ways(text, reference) -> None:
    assert read_reference(text) == reference


@pytest.mark.parametrize("text", ["", "../f", "a b", "arn:aws:s3:::bucket", "f:1:2", "x" * 65])
def test_what_names_no_function(text) -> None:
    with pytest.raises(DataError, match="is no function"):
        read_reference(text)


def test_a_function_is_made_changed_and_deleted(store) -> None:
    made = functions.create(store, "f", SETTINGS, returning(1))
    assert made["FunctionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:f"
    assert functions.invoke(store, "f").result == 1
    with pytest.raises(AlreadyExists, match="Function already exist: f"):
        functions.create(store, "f", SETTINGS, returning(1))
    changed = functions.update_code(store, "f", returning(2))
    assert changed["CodeSha256"] != made["CodeSha256"]
    assert changed["RevisionId"] != made["RevisionId"]
    assert functions.invoke(store, "f").result == 2
    functions.update_settings(store, "f", {"Timeout": 9})
    assert functions.describe(store, Reference("f"))["Timeout"] == 9
    functions.delete(store, Reference("f"))
    with pytest.raises(
        NotFound, match=r"Function not found: arn:aws:lambda:us-east-1:000000000000:function:f$"
    ):
        functions.invoke(store, "f")
    assert not functions.home(store, "f").exists()


def test_a_published_version_stays_as_it_was(store) -> None:
    functions.create(store, "f", SETTINGS, returning(1))
    assert functions.publish(store, "f")["Version"] == "1"
    assert functions.publish(store, "f")["Version"] == "1"
    functions.update_code(store, "f", returning(2))
    second = functions.publish(store, "f", "the second")
    assert (second["Version"], second["Description"]) == ("2", "the second")
    assert second["FunctionArn"].endswith(":f:2")
    found = [functions.invoke(store, name).result for name in ("f:1", second["FunctionArn"], "f")]
    assert found == [1, 2, 2]
    functions.delete(store, Reference("f", "1"))
    with pytest.raises(NotFound, match="function:f:1"):
        functions.describe(store, Reference("f", "1"))


def test_code_that_is_of_no_version_goes_an_hour_after_it_was_left(store) -> None:
    def age() -> None:
        for place in functions.home(store, "f").iterdir():
            os.utime(place, (time.time() - 7200,) * 2)

    def left() -> int:
        return len(list(functions.home(store, "f").iterdir()))

    functions.create(store, "f", SETTINGS, returning(1))
    functions.publish(store, "f")
    functions.update_code(store, "f", returning(2))
    age()
    functions.update_code(store, "f", returning(3))
    assert left() == 3  # what an invocation of a moment ago may be running of stays
    age()
    functions.update_code(store, "f", returning(4))
    assert left() == 3
    assert [functions.invoke(store, name).result for name in ("f:1", "f")] == [1, 4]
    age()
    functions.delete(store, Reference("f", "1"))
    functions.update_code(store, "f", returning(5))
    assert left() == 3
    age()
    functions.update_code(store, "f", returning(5))
    assert left() == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"Runtime": "nodejs20.x"}, "'nodejs20.x' cannot run here; possible: python3.x"),
        ({"Layers": ["arn"]}, "Layers cannot be used here"),
        ({"Environment": {"Variables": {"AWS_REGION": "x", "A": "b"}}}, "in this request: AWS_REGION$"),
    ],
)
def test_what_cannot_run_is_refused_with_nothing_kept(store, settings, message) -> None:
    with pytest.raises(DataError, match=message):
        functions.create(store, "f", {**SETTINGS, **settings}, returning(1))
    assert "f" not in [each["FunctionName"] for each in functions.all_functions(store)]
    assert not functions.home(store, "f").exists()

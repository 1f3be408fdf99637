from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from botocore.model import ServiceModel

from trainyard.local_aws import wire
from trainyard.local_aws.json_api import service_model
from trainyard.local_aws.messages import AwsError

SHAPES = {
    "Everything": {
        "type": "structure",
        "required": ["JobName"],
        "members": {
            "JobName": {"shape": "Name"},
            "Mode": {"shape": "Mode"},
            "Count": {"shape": "Count"},
            "Size": {"shape": "Size"},
            "Rate": {"shape": "Rate"},
            "When": {"shape": "When"},
            "Raw": {"shape": "Raw"},
            "Deep": {"shape": "Flag"},
            "Names": {"shape": "Names"},
            "ByName": {"shape": "ByName"},
            "Self": {"shape": "Everything"},
        },
    },
    "Name": {"type": "string", "min": 1, "max": 8, "pattern": "^[a-z](-*[a-z0-9])*$"},
    "Mode": {"type": "string", "enum": ["Pipe", "File"]},
    "Count": {"type": "integer", "min": 1, "max": 10},
    "Size": {"type": "long"},
    "Rate": {"type": "double"},
    "When": {"type": "timestamp"},
    "Raw": {"type": "blob", "max": 4},
    "Flag": {"type": "boolean"},
    "Names": {"type": "list", "member": {"shape": "Name"}, "max": 2},
    "ByName": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Mode"}, "max": 2},
}
SHAPE = ServiceModel({"metadata": {}, "shapes": SHAPES}).shape_for("Everything")


def parse(**members):
    return wire.parse(SHAPE, {"JobName": "a", **members})


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ({"Mode": "Pipe", "Count": 3, "Rate": 1, "Deep": True}, None),
        ({"Count": 3.0}, {"Count": 3}),
        ({"When": 12.5}, None),
        ({"When": "1970-01-01T00:01:00Z"}, {"When": 60.0}),
        ({"When": "1970-01-01T00:01:00"}, {"When": 60.0}),
        ({"Raw": "YWI="}, {"Raw": b"ab"}),
        ({"Names": ["a", "b-c"], "ByName": {"x": "File"}}, None),
        ({"Mode": None, "Stranger": [{}]}, {}),
        ({"Self": {"JobName": "b", "Self": None}}, {"Self": {"JobName": "b"}}),
    ],
)
def test_what_is_right_is_read(given, parsed):
    assert parse(**given) == {"JobName": "a", **(given if parsed is None else parsed)}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"JobName": None}, "Value null at 'jobName' failed to satisfy constraint: Member must not be null"),
        ({"JobName": ""}, "Value '' at 'jobName' .* Member must have length greater than or equal to 1"),
        ({"JobName": "a" * 9}, "Member must have length less than or equal to 8"),
        ({"JobName": "-a"}, r"Value '-a' at 'jobName' .* regular expression pattern: \^\[a-z\]"),
        ({"JobName": "a\n"}, "must satisfy regular expression"),
        ({"Mode": "file"}, r"at 'mode' .* Member must satisfy enum value set: \[Pipe, File\]"),
        ({"Count": 0}, "Value '0' at 'count' .* Member must have value greater than or equal to 1"),
        ({"Count": 11}, "Member must have value less than or equal to 10"),
        ({"Raw": "YWJjZGU="}, "at 'raw' .* length less than or equal to 4"),
        ({"Names": ["a", "A"]}, "Value 'A' at 'names.2.member'"),
        ({"Names": [None]}, "Value null at 'names.1.member'"),
        ({"Names": ["a", "b", "c"]}, "at 'names' .* length less than or equal to 2"),
        ({"ByName": {"x": "y"}}, "Value 'y' at 'byName.x.member'"),
        ({"Self": {"Self": {}, "JobName": "b"}}, "null at 'self.self.jobName'"),
    ],
)
def test_each_violation_is_worded_as_aws_does(given, says):
    with pytest.raises(AwsError, match=f"(?s)^1 validation error detected: .*{says}") as refused:
        parse(**given)
    assert (refused.value.code, refused.value.status) == ("ValidationException", 400)


def test_all_violations_are_told_at_once():
    with pytest.raises(AwsError) as refused:
        parse(JobName=None, Mode="x", Count=99)
    text = str(refused.value)
    assert text.startswith("3 validation errors detected: Value null at 'jobName' failed")
    assert text.count("; Value ") == 2


@pytest.mark.parametrize(
    "given",
    [
        {"JobName": 5},
        {"JobName": "\ud800"},
        {"Count": "3"},
        {"Count": True},
        {"Count": 1.5},
        {"Count": 2**31},
        {"Count": 1e999},
        {"Size": 2**63},
        {"Rate": "fast"},
        {"Rate": 10**400},
        {"When": "soon"},
        {"When": True},
        {"When": []},
        {"When": -1},
        {"When": 1e300},
        {"Raw": "*"},
        {"Raw": 1},
        {"Deep": "true"},
        {"Names": {}},
        {"ByName": []},
        {"Self": "x"},
    ],
)
def test_a_wrong_type_is_no_validation_error(given):
    with pytest.raises(AwsError) as refused:
        parse(**given)
    assert refused.value.code == "SerializationException"


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"a": NaN}', b"[" * 100_000, b"1" * 5000])
def test_a_body_that_is_no_json_object_is_refused(body):
    with pytest.raises(AwsError) as refused:
        wire.load(body)
    assert refused.value.code == "SerializationException"


def test_an_answer_has_what_the_shape_has():
    moment = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    value = {
        "JobName": "a", "Mode": None, "When": moment, "Raw": b"ab", "Rate": math.nan, "Stranger": 1,
        "Names": ("a",), "ByName": {"x": "y"}, "Self": {"When": "1970-01-01T00:00:05+00:00", "Rate": -math.inf},
    }  # fmt: skip
    assert wire.serialize(SHAPE, value) == {
        "JobName": "a", "When": 60.0, "Raw": "YWI=", "Rate": "NaN", "Names": ["a"], "ByName": {"x": "y"},
        "Self": {"When": 5.0, "Rate": "-Infinity"},
    }  # fmt: skip


def test_patterns_in_javas_dialect_hold_too():
    tag = service_model("sagemaker").shape_for("TagKey")
    assert wire.parse(tag, "größe 1+2=3@x") == "größe 1+2=3@x"
    with pytest.raises(AwsError, match="regular expression"):
        wire.parse(tag, "a<b")

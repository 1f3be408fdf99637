from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainyard.definition.document import Document, parse
from trainyard.definition.parameters import resolve_parameters
from trainyard.errors import DefinitionError, ParameterError


def document(*parameters: dict[str, Any]) -> Document:
    step = {"Name": "S", "Type": "Fail", "Arguments": {}}
    return parse({"Version": "2020-12-01", "Parameters": list(parameters), "Steps": [step]})


def one(type_: str, **keys: Any) -> Document:
    return document({"Name": "P", "Type": type_, **keys})


@pytest.mark.parametrize(
    ("type_", "given_value", "value"),
    [
        ("String", "x", "x"),
        ("String", 7, "7"),
        ("String", "", ""),
        ("Integer", "7", 7),
        ("Integer", " -7 ", -7),
        ("Integer", 7, 7),
        ("Integer", "3.0", 3),  # as StartPipelineExecution sends it
        ("Integer", 3.0, 3),
        ("Float", "0.5", 0.5),
        ("Float", "1e-3", 0.001),
        ("Float", 6, 6.0),
        ("Boolean", "True", True),
        ("Boolean", "false", False),
        ("Boolean", True, True),
    ],
)
def test_strings_are_cast_by_declared_type(type_, given_value, value):
    found = resolve_parameters(one(type_), {"P": given_value})["P"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("type_", "given_value"),
    [
        ("Integer", "7.5"),
        ("Integer", "1_000"),
        ("Integer", "seven"),
        ("Integer", True),
        ("Integer", "9" * 5000),
        ("Float", "nan"),
        ("Float", "inf"),
        ("Float", "1e999"),
        ("Float", False),
        ("Float", ""),
        ("Boolean", "1"),
        ("Boolean", "yes"),
    ],
)
def test_other_values_are_refused(type_, given_value):
    with pytest.raises(ParameterError, match=r"parameter 'P': .* is not possible; possible: "):
        resolve_parameters(one(type_), {"P": given_value})


def test_defaults_enums_and_the_declared_order():
    declared = document(
        {"Name": "Stage", "Type": "String", "DefaultValue": "test", "EnumValues": ["test", "live"]},
        {"Name": "Size", "Type": "Integer", "EnumValues": [1, 2]},
        {"Name": "Limit", "Type": "Float", "DefaultValue": 6, "Description": "above it the run fails"},
    )
    values = resolve_parameters(declared, {"Size": "2"})
    assert list(values.items()) == [("Stage", "test"), ("Size", 2), ("Limit", 6.0)]
    assert type(values["Limit"]) is float
    with pytest.raises(ParameterError, match="parameter 'Size': 3 is not possible; possible: 1, 2"):
        resolve_parameters(declared, {"Size": 3})


def test_unknown_and_missing_parameters_are_named_together():
    with pytest.raises(ParameterError) as raised:
        resolve_parameters(one("Integer"), {"p": 1})
    assert str(raised.value).splitlines()[1:] == [
        "  parameter 'p': the pipeline has no such parameter; possible: P",
        "  parameter 'P': has no default, so it must be given (an integer)",
    ]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"Type": "String"}, r"Parameters\[0\].Name: missing"),
        ({"Name": "a b"}, "is no name"),
        ({"Name": "A", "Type": "Text"}, "parameter 'A', Type: unknown type 'Text'; possible: Boolean, Float"),
        ({"Name": "A", "Type": "Integer", "DefaultValue": 1.5}, "DefaultValue: 1.5 is not of type Integer"),
        ({"Name": "A", "Type": "Float", "DefaultValue": True}, "DefaultValue: true is not of type Float"),
        ({"Name": "A", "DefaultValue": {"Get": "Execution.PipelineName"}}, "is not of type String"),
        (
            {"Name": "A", "DefaultValue": "c", "EnumValues": ["a", "b"]},
            r'"c" is not in EnumValues \["a", "b"\]',
        ),
        ({"Name": "A", "EnumValues": ["a", 1]}, "EnumValues: 1 is not of type String"),
        ({"Name": "A", "Default": "x"}, "Default: unknown key 'Default'; did you mean 'DefaultValue'"),
    ],
)
def test_bad_declarations(raw, message):
    with pytest.raises(DefinitionError, match=message):
        document(raw)


@settings(deadline=None)
@given(st.sampled_from(["String", "Integer", "Float", "Boolean"]), st.text() | st.floats() | st.integers())
def test_any_value_is_cast_or_refused(type_, value):
    kinds = {"String": str, "Integer": int, "Float": float, "Boolean": bool}
    try:
        found = resolve_parameters(one(type_), {"P": value})["P"]
    except ParameterError:
        return
    assert type(found) is kinds[type_]

from __future__ import annotations

from typing import Any

import pytest

from trainyard.definition.document import parse
from trainyard.definition.kinds import REFUSED
from trainyard.definition.runnable import FieldRules, check_arguments, check_runnable
from trainyard.errors import Unsupported

TRAINING = FieldRules(
    honoured=frozenset(
        {
            "HyperParameters",
            "InputDataConfig.ChannelName",
            "InputDataConfig.InputMode",
            "ResourceConfig.InstanceCount",
        }
    ),
    without_effect=frozenset({"RoleArn", "ResourceConfig.InstanceType", "ResourceConfig.VolumeSizeInGB"}),
    values={"InputDataConfig.InputMode": ("File", "FastFile")},
)
SUPPORTED = {"Training": TRAINING, "Fail": FieldRules(honoured=frozenset({"ErrorMessage"}))}


def check(arguments: dict[str, Any], type_: str = "Training") -> dict[str, tuple[str, ...]]:
    return check_runnable(parse({"Steps": [{"Name": "S", "Type": type_, "Arguments": arguments}]}), SUPPORTED)


def test_listed_fields_pass_and_those_without_effect_are_told():
    arguments = {
        "RoleArn": "arn",
        "HyperParameters": {"any": "key", "deep": {"too": 1}},
        "InputDataConfig": [{"ChannelName": "a", "InputMode": "File"}, {"ChannelName": "b"}],
        "ResourceConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.large"},
        "VpcConfig": None,  # null is absent
    }
    assert check(arguments) == {"S": ("RoleArn", "ResourceConfig.InstanceType")}
    assert check({"ErrorMessage": "no"}, "Fail") == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"VpcConfig": {}}, "step 'S', Arguments.VpcConfig: cannot be honoured here; possible: HyperP"),
        ({"Rolearn": "x"}, "Arguments.Rolearn: cannot be honoured here; did you mean 'RoleArn'"),
        (
            {"InputDataConfig": [{}, {"ShuffleConfig": {}}]},
            r"InputDataConfig\[1\].ShuffleConfig: cannot be honoured",
        ),
        (
            {"InputDataConfig": [{"InputMode": "Pipe"}]},
            r'InputMode: "Pipe" cannot be honoured here; possible: "File"',
        ),
        ({"ResourceConfig": "big"}, r'ResourceConfig: must be an object or a list, not a string \("big"\)'),
        (
            {"ResourceConfig": {"InstanceGroups": [1]}},
            "possible: InstanceCount, InstanceType, VolumeSizeInGB",
        ),
    ],
)
def test_everything_else_is_refused_by_name(arguments, message):
    with pytest.raises(Unsupported, match=message):
        check(arguments)


def test_types_are_refused_by_name_wherever_they_lie():
    nested = {"Name": "In", "Type": "Lambda", "Arguments": {}, "FunctionArn": "arn"}
    arguments = {"Conditions": [], "IfSteps": [nested]}
    supported = {"Condition": FieldRules(honoured=frozenset({"Conditions", "IfSteps", "ElseSteps"}))}
    document = parse({"Steps": [{"Name": "C", "Type": "Condition", "Arguments": arguments}]})
    with pytest.raises(
        Unsupported, match="step 'In': a step of type Lambda cannot run here; possible: Condition"
    ):
        check_runnable(document, supported)


def test_expressions_are_judged_once_resolved():
    parameter = {"Get": "Execution.PipelineName"}
    arguments = {"InputDataConfig": [{"InputMode": parameter}], "ResourceConfig": parameter}
    assert check(arguments) == {}
    check_arguments("S", {"InputDataConfig": [{"InputMode": "FastFile"}]}, TRAINING)
    with pytest.raises(Unsupported, match=r"step 'S', Arguments.InputDataConfig\[0\].InputMode: \"Pipe\""):
        check_arguments("S", {"InputDataConfig": [{"InputMode": "Pipe"}]}, TRAINING)


def test_a_listed_path_stands_for_all_below_it():
    rules = FieldRules(honoured=frozenset({"A", "B.C.D"}))
    check_arguments("S", {"A": {"x": [1, {"y": 2}]}, "B": {"C": {"D": {"z": 1}}}}, rules)
    with pytest.raises(Unsupported, match=r"Arguments\.B\.C\.E: cannot be honoured here; possible: D"):
        check_arguments("S", {"B": {"C": {"E": 1}}}, rules)


@pytest.mark.parametrize("type_", sorted(REFUSED))
def test_types_that_never_run_on_one_machine_say_why(type_):
    document = parse({"Steps": [{"Name": "S", "Type": type_, "Arguments": {}}]})
    with pytest.raises(Unsupported, match=f"type {type_} cannot run here: .{{20,}}; possible: none"):
        check_runnable(document, {})

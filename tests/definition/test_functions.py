from __future__ import annotations

import pytest

from trainyard.definition.functions import Get, Join, JsonGet, read, scan
from trainyard.definition.problems import Problems, Where
from trainyard.errors import DefinitionError

FILE = {"Get": "Steps.Evaluate.PropertyFiles.Report"}


@pytest.mark.parametrize("value", [1, "Get", None, [], {}, {"get": "x"}, {"Values": [], "On": ""}])
def test_plain_json_is_no_expression(value):
    assert read(value) is None


@pytest.mark.parametrize(
    ("text", "namespace", "name", "path"),
    [
        ("Parameters.Max-Depth_1", "Parameters", "Max-Depth_1", ()),
        ("Execution.PipelineExecutionId", "Execution", "PipelineExecutionId", ()),
        ("PipelineExperimentConfig.TrialName", "PipelineExperimentConfig", "TrialName", ()),
        ("Steps.My-Step.A.B[0]['c']", "Steps", "My-Step", ("A", "B", 0, "c")),
        ("Steps.S['x'].y", "Steps", "S", ("x", "y")),
        ("ForEach.CurrentItem", "ForEach", "CurrentItem", ()),
        ("ForEach.CurrentItem.a[1]", "ForEach", "CurrentItem", ("a", 1)),
        ("IterationOutput.Fit.Value", "IterationOutput", "Fit", ("Value",)),
    ],
)
def test_get(text, namespace, name, path):
    assert read({"Get": text}) == Get(text=text, namespace=namespace, name=name, path=path)


def test_join_and_json_get():
    assert read({"Std:Join": {"On": "/", "Values": ["a", FILE, 1]}}) == Join(on="/", values=("a", FILE, 1))
    assert read({"Std:Join": {"Values": []}}) == Join(on="", values=())
    from_file = read({"Std:JsonGet": {"PropertyFile": FILE, "Path": "a.b[0].c"}})
    assert isinstance(from_file, JsonGet)
    assert from_file.property_file is not None
    assert (from_file.property_file.name, from_file.property_file.property_file) == ("Evaluate", "Report")
    assert from_file.path == ("a", "b", 0, "c")
    from_s3 = read({"Std:JsonGet": {"S3Uri": "s3://b/results.json", "Path": "Result"}})
    assert from_s3 == JsonGet(property_file=None, s3_uri="s3://b/results.json", path=("Result",))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"Get": "Parameters.X", "Other": 1}, "has keys beside 'Get'"),
        ({"Get": 1}, "Get takes a string such as 'Parameters.Name', not 1"),
        ({"Get": "Parameter.X"}, "unknown reference 'Parameter.X'; it may start with: Parameters, "),
        ({"Get": "Parameters."}, "is not Parameters.Name"),
        ({"Get": "Execution.Id"}, "no 'Id'; possible: CurrentDateTime"),
        ({"Get": "Steps.A"}, "names no property; write Steps.StepName.Property"),
        ({"Get": "Steps.A.b["}, "breaks at '\\['"),
        ({"Get": "ForEach.Item"}, "possible: CurrentItem"),
        ({"Std:Map": {}}, "unknown function 'Std:Map'; .*possible: Get, Std:Join, Std:JsonGet"),
        ({"Std:Join": []}, "Std:Join: must be an object, not a list"),
        ({"Std:Join": {"On": 1, "Values": ["a"]}}, "Std:Join, On: must be a string"),
        ({"Std:Join": {"On": "/"}}, "Std:Join, Values: missing"),
        ({"Std:Join": {"Values": [["a"]]}}, r"Values\[0\]: \[\"a\"\] is neither a value nor a function"),
        ({"Std:Join": {"Values": [None]}}, "null is neither a value nor a function"),
        ({"Std:JsonGet": {"PropertyFile": FILE}}, "Std:JsonGet, Path: missing"),
        ({"Std:JsonGet": {"Path": "a"}}, "needs exactly one of PropertyFile and S3Uri"),
        ({"Std:JsonGet": {"Path": "a", "S3Uri": 1}}, "S3Uri: must be a string or a function, not 1"),
        ({"Std:JsonGet": {"Path": "a", "PropertyFile": "Report"}}, 'must be {"Get": "Steps.StepName.Prop'),
        ({"Std:JsonGet": {"Path": "a..b", "PropertyFile": FILE}}, "'a..b': path 'a..b' breaks at '..b'"),
    ],
)
def test_malformed_expressions_are_refused(value, message):
    with pytest.raises(DefinitionError, match=message):
        read(value)


def test_scan_finds_every_get_with_its_place():
    value = {
        "a": [
            {"Get": "Parameters.X"},
            {"Std:Join": {"Values": [{"Get": "Steps.A.b"}, {"Get": "Steps.B.c"}]}},
        ],
        "b": {"Std:JsonGet": {"PropertyFile": FILE, "Path": "x"}},
        "c": {"Std:JsonGet": {"S3Uri": {"Std:Join": {"Values": [{"Get": "Steps.C.d"}]}}, "Path": "x"}},
    }
    problems = Problems()
    found = [(str(where), get.text) for where, get in scan(value, Where("step 'S'"), problems)]
    assert problems.messages == []
    assert found == [
        ("step 'S', a[0]", "Parameters.X"),
        ("step 'S', a[1]", "Steps.A.b"),
        ("step 'S', a[1]", "Steps.B.c"),
        ("step 'S', b", "Steps.Evaluate.PropertyFiles.Report"),
        ("step 'S', c", "Steps.C.d"),
    ]


def test_scan_goes_on_behind_a_problem():
    problems = Problems()
    found = [get.text for _, get in scan([{"Get": 1}, FILE, {"Get": "Parameters.X"}], Where(), problems)]
    assert found == ["Steps.Evaluate.PropertyFiles.Report", "Parameters.X"]
    assert problems.messages == [
        "[0]: Get takes a string such as 'Parameters.Name', not 1",
        "[1]: 'Steps.Evaluate.PropertyFiles.Report' is a property file; read it through Std:JsonGet",
    ]

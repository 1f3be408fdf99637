from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainyard.definition.properties import lookup, parse, render
from trainyard.errors import DefinitionError, ExpressionError

RESPONSE = {
    "ProcessingOutputConfig": {
        "Outputs": [
            {"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}},
            {"OutputName": "test", "S3Output": {"S3Uri": "s3://b/test"}},
        ]
    },
    "ProcessingInputs": [{"InputName": "raw", "S3Input": {"S3Uri": "s3://b/raw"}}],
    "FinalMetricDataList": [{"MetricName": "validation:mase", "Value": 0.8}],
    "HyperParameters": {"0": "zero", "with space": "x"},
    "Empty": None,
}


@pytest.mark.parametrize(
    ("path", "parts", "plainest"),
    [
        ("a", ("a",), "a"),
        ("a.b[0].c", ("a", "b", 0, "c"), "a.b[0].c"),
        ("Outputs['train'].S3Uri", ("Outputs", "train", "S3Uri"), "Outputs.train.S3Uri"),
        ("['x'][10]", ("x", 10), "x[10]"),
        ("M['validation:mase'].Value", ("M", "validation:mase", "Value"), "M.validation:mase.Value"),
        ("a['b.c']", ("a", "b.c"), "a['b.c']"),
        ("""a["b'c"]""", ("a", "b'c"), "a['b'c']"),  # the SDK escapes nothing
        ("a['it's']", ("a", "it's"), "a['it's']"),
        ("""a["']"]""", ("a", "']"), """a["']"]"""),
        ("a['']", ("a", ""), "a['']"),
        ("a-b.c d", ("a-b", "c d"), "a-b.c d"),
    ],
)
def test_parse_and_render(path, parts, plainest):
    assert parse(path) == parts
    assert render(parts) == plainest


@pytest.mark.parametrize(
    "path", ["", ".a", "a.", "a..b", "a[", "a[]", "a[-1]", "a[x]", "a['b]", "[0]a", "a'b"]
)
def test_bad_paths_are_refused_with_the_grammar(path):
    with pytest.raises(DefinitionError, match=r"possible: key\.key, \['key'\] and \[0\]"):
        parse(path)


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab0.[]'\"- é\n"), max_size=12) | st.text(max_size=20))
def test_parse_never_crashes_and_render_keeps_the_meaning(path):
    try:
        parts = parse(path)
    except DefinitionError:
        return
    assert parse(render(parts)) == parts
    assert render(parse(render(parts))) == render(parts)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("ProcessingOutputConfig.Outputs['test'].S3Output.S3Uri", "s3://b/test"),
        ("ProcessingOutputConfig.Outputs[0].OutputName", "train"),
        ("ProcessingInputs['raw'].S3Input.S3Uri", "s3://b/raw"),
        ("FinalMetricDataList['validation:mase'].Value", 0.8),
        ("FinalMetricDataList[0].Value", 0.8),
        ("HyperParameters['0']", "zero"),
        ("HyperParameters['with space']", "x"),
        ("Empty", None),
    ],
)
def test_lookup(path, value):
    assert lookup(RESPONSE, parse(path)) == value


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("ModelArtifacts", "nothing called 'ModelArtifacts' at the top; possible: Empty, Final"),
        ("ProcessingOutputConfig.Outputs['tset']", "no OutputName 'tset'.*did you mean 'test'"),
        ("ProcessingInputs[1]", "no item 1 at ProcessingInputs, which has 1"),
        ("HyperParameters[0]", "HyperParameters is an object, so it has no 0; wanted a list"),
        ("Empty.x", "Empty is null, so it has no 'x'; wanted an object"),
        ("ProcessingInputs[0]['x']['y']", "nothing called 'x' at ProcessingInputs.0."),
    ],
)
def test_lookup_says_what_was_there(path, message):
    with pytest.raises(ExpressionError, match=message):
        lookup(RESPONSE, parse(path))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@settings(deadline=None)
@given(JSON, st.lists(st.sampled_from(["", "a", "Outputs", "OutputName", 0, 1]), max_size=4).map(tuple))
def test_lookup_never_crashes(value, parts):
    try:
        lookup(value, parts)
    except ExpressionError as error:
        assert str(error)

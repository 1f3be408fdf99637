"""What a request may say."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.in_image.handler_errors import BadRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"interval": 7}', (7, None, None)),
        (b'{"interval": 10000, "interval_width": 0.95}', (10_000, 0.95, None)),
        ('{"interval": 1, "format": "csv", "interval_width": null}', (1, None, "text/csv")),
        ('{"interval": 1, "format": "json"}', (1, None, "application/json")),
    ],
)
def test_good_requests(module, body, expected):
    request = module("forecast_request").parse(body)
    assert (request.interval, request.interval_width, request.media_type) == expected
    assert not request.sampled


@pytest.mark.parametrize(("intervals", "sampled"), [("exact", False), ("sampled", True)])
def test_kinds_of_intervals(module, intervals, sampled):
    body = json.dumps({"interval": 1, "intervals": intervals})
    assert module("forecast_request").parse(body).sampled is sampled


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        (b"\xff", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("7", 'a JSON object with "interval"'),
        ("{}", 'a JSON object with "interval"'),
        ('{"interval": 0}', "whole number of steps from 1 to 10000, not 0"),
        ('{"interval": 7.0}', "not 7.0"),
        ('{"interval": "7"}', 'not "7"'),
        ('{"interval": true}', "not true"),
        ('{"interval": 7, "interval_width": 1}', "interval_width must be a number from 0.01 to 0.99, not 1"),
        ('{"interval": 7, "interval_width": NaN}', "not NaN"),
        ('{"interval": 7, "interval_width": true}', "not true"),
        ('{"interval": 7, "format": ["csv"]}', 'format must be json or csv, not ["csv"]'),
        ('{"interval": 7, "intervals": "rough"}', 'intervals must be exact or sampled, not "rough"'),
        (
            '{"interval": 7, "horizon": 1}',
            "unknown in the body: 'horizon'; possible: interval, interval_width",
        ),
    ],
)
def test_bad_requests(module, body, message):
    with pytest.raises(BadRequest) as raised:
        module("forecast_request").parse(body)
    assert message in str(raised.value)
    assert len(str(raised.value)) < 400


@given(
    st.fixed_dictionaries(
        {"interval": JSON}, optional={"interval_width": JSON, "format": JSON, "intervals": JSON}
    )
    | JSON
)
def test_any_json_is_a_request_or_refused(module, content):
    try:
        request = module("forecast_request").parse(json.dumps(content))
    except BadRequest as error:
        assert str(error)
    else:
        assert 1 <= request.interval <= 10_000

"""The script in its process is tested by test_invocation.py; here, what of it stands alone."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trainyard.execution import function_runner


def test_decimals_are_numbers_and_text_stays_as_it_is() -> None:
    assert function_runner._marshal({"n": Decimal("1.5"), "t": "é"}) == '{"n": 1.5, "t": "é"}'


@pytest.mark.parametrize("text", ["handler", ""])
def test_a_handler_is_a_module_and_a_function(text) -> None:
    with pytest.raises(function_runner.Fault, match=r"write MODULE\.FUNCTION") as raised:
        function_runner._handler(text)
    assert raised.value.kind == "Runtime.MalformedHandlerName"


def test_handlers_in_packages_are_written_with_either_sign() -> None:
    from json.decoder import JSONDecoder

    assert function_runner._handler("json/decoder.JSONDecoder") is JSONDecoder
    assert function_runner._handler("json.decoder.JSONDecoder") is JSONDecoder


def test_a_client_context_that_is_none_is_left_out() -> None:
    assert function_runner._client_context("!") is None

from __future__ import annotations

import io

from trainyard.local_aws.messages import AwsError, Request


def test_a_body_is_no_more_than_its_length_and_is_not_waited_for_where_there_is_none() -> None:
    stream = io.BytesIO(b"bodythe next request")
    assert Request(method="POST", path="/", stream=stream, length=4).body() == b"body"
    assert Request(method="GET", path="/", stream=stream).body() == b""
    assert stream.read() == b"the next request"


def test_an_error_is_the_clients_fault_unless_it_says_otherwise() -> None:
    error = AwsError("ValidationException", "no such model")
    assert (str(error), error.code, error.status) == ("no such model", "ValidationException", 400)
    assert AwsError("ServiceUnavailable", "it is ending", 503).status == 503

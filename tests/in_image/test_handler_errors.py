"""Every handler error tells its HTTP status."""

from __future__ import annotations

import pytest

from trainyard.in_image import handler_errors


@pytest.mark.parametrize(
    ("name", "status"), [("BadRequest", 400), ("NotAcceptable", 406), ("UnsupportedMediaType", 415)]
)
def test_status(name: str, status: int) -> None:
    error = getattr(handler_errors, name)("why")
    assert isinstance(error, handler_errors.HandlerError)
    assert (error.status_code, str(error)) == (status, "why")

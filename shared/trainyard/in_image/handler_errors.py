"""What a request handler raises when the request is at fault; servers answer ``status_code``, message.

Any exception with a ``status_code`` works the same way; everything else is a 500.
"""

from __future__ import annotations


class HandlerError(Exception):
    """A request that cannot be answered; ``str(error)`` is for the one who sent it."""

    status_code = 500


class BadRequest(HandlerError):
    """The body is malformed, or a value in it is out of range."""

    status_code = 400


class NotAcceptable(HandlerError):
    """None of the media types in the Accept header can be produced."""

    status_code = 406


class UnsupportedMediaType(HandlerError):
    """The body has a content type that the handler does not read."""

    status_code = 415


class Refused(HandlerError):
    """A request that the server itself refuses, with the status it answers."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code

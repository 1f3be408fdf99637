"""What the services of the local endpoint take and give: HTTP requests, responses, and AWS's errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from trainyard.errors import DiskFull, StoreBusy, UserError


@dataclass(frozen=True, kw_only=True)
class Request:
    """``path`` and ``query`` are as they came, percent-encoded; names of ``headers`` are in lower case.

    ``stream`` gives the body's ``length`` bytes, once.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: BinaryIO
    length: int = 0

    def body(self) -> bytes:
        return self.stream.read(self.length) if self.length else b""


@dataclass(frozen=True, kw_only=True)
class Response:
    """A ``body`` that is not bytes is sent in chunks as it comes, or whole where headers give its Content-Length."""

    status: int
    body: bytes | Iterable[bytes] = b""
    headers: tuple[tuple[str, str], ...] = ()


Service = Callable[[Request], Response]
"""One AWS service; expected failures are raised as AwsError, others become its InternalFailure."""


class AwsError(UserError):
    """An error as AWS words it: ``code`` is for programs (ValidationException), ``status`` the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def as_aws(error: UserError) -> AwsError:
    """An error of ours that no service has worded; of a busy store clients' own retries make another attempt."""
    if isinstance(error, AwsError):
        return error
    if isinstance(error, StoreBusy):
        return AwsError("ServiceUnavailable", str(error), 503)
    return AwsError("ServiceException", str(error), 507 if isinstance(error, DiskFull) else 400)

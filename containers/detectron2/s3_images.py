"""Images that a request names by their S3 URIs: read with the endpoint's own role, a few at once, none too large."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from decoding import BadImage

MAX_BYTES = 32 << 20
_AT_ONCE = 8
_TIMEOUT = 5  # seconds to connect, and without a byte
_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.+)", re.DOTALL)


def fetch(uris: Sequence[Any]) -> list[Callable[[], bytes]]:
    """For each URI a function that waits for its bytes; it raises BadImage with the reason if there are none."""
    pool = ThreadPoolExecutor(min(_AT_ONCE, len(uris)))
    reading = [pool.submit(_read, uri) for uri in uris]
    pool.shutdown(wait=False)
    return [one.result for one in reading]


def _read(uri: Any) -> bytes:
    match = _URI.fullmatch(uri) if isinstance(uri, str) else None
    if match is None:
        raise BadImage(f"{str(uri)[:200]!r} is no S3 URI; it must be s3://BUCKET/KEY")
    try:
        found = _client().get_object(Bucket=match[1], Key=match[2])
        with found["Body"] as stream:
            size = found["ContentLength"]
            if size > MAX_BYTES:
                raise BadImage(f"{uri} has {size:,} bytes; {MAX_BYTES:,} are possible")
            content: bytes = stream.read()
            return content
    except BadImage:
        raise
    except Exception as error:  # of botocore, whose errors are there only when it is
        raise BadImage(f"{uri} cannot be read: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    details = getattr(error, "response", {}).get("Error")
    if details:
        return f"{details.get('Code')}, {details.get('Message')}"
    return (
        f"this endpoint has no way to S3 ({' '.join(str(error).split())[:200]}). Under network isolation or without"
        " a role it can have none: send the images themselves"
    )


@lru_cache(maxsize=1)
def _client() -> Any:
    import boto3
    from botocore.config import Config

    patience = Config(
        connect_timeout=_TIMEOUT, read_timeout=_TIMEOUT, retries={"total_max_attempts": 2},
        max_pool_connections=_AT_ONCE,
    )  # fmt: skip
    return boto3.client("s3", config=patience)

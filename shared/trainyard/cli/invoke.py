"""``trainyard invoke``: one request to a served model, as InvokeEndpoint sends it."""

from __future__ import annotations

import argparse
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

from trainyard.errors import EndpointError, UsageError
from trainyard.execution.container import Reply, message_of
from trainyard.execution.deployment import LOCAL, address
from trainyard.execution.hosting import TARGET_MODEL
from trainyard.execution.store import Store

_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/jsonlines",
    ".csv": "text/csv",
    ".npy": "application/x-npy",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("endpoint", help="the endpoint's name, as served")
    parser.add_argument("request", help="a file with the request's body, or - for standard input")
    parser.add_argument(
        "--target-model", metavar="NAME", help="which of many models, for example customer_7.tar.gz"
    )
    parser.add_argument("--content-type", help="default: by the file's ending, else application/json")
    parser.add_argument("--accept", help="the answer's wanted content type, for example text/csv")
    parser.add_argument(
        "--timeout", type=float, default=60.0, help="seconds to wait for the answer (default 60)"
    )


def run(args: argparse.Namespace) -> int:
    url = address(Store(), args.endpoint)
    if not url:
        raise EndpointError(
            f"no endpoint {args.endpoint!r} answers; start it with: trainyard serve {args.endpoint}"
        )
    content_type = args.content_type or _TYPES.get(Path(args.request).suffix, "application/json")
    headers = {"Content-Type": content_type, "Accept": args.accept, TARGET_MODEL: args.target_model}
    for name, value in headers.items():
        if value and not (value.isascii() and value.isprintable()):
            raise UsageError(
                f"{value!r} cannot be sent as {name}: only printable ASCII can; a model's file name has other "
                f"characters percent-encoded, as in {quote(value, safe='')!r}"
            )
    request = urllib.request.Request(
        f"{url}/invocations", _body(args.request), {name: value for name, value in headers.items() if value}
    )
    try:
        with LOCAL.open(request, timeout=args.timeout) as answer:
            sys.stdout.buffer.write(answer.read())
    except urllib.error.HTTPError as error:
        reply = Reply(status=error.code, body=error.read())
        raise EndpointError(f"the endpoint answered {error.code}: {message_of(reply)}") from error
    except ValueError as error:  # a header with a line break, a timeout below 0
        raise UsageError(f"this request cannot be sent: {error}") from error
    except (urllib.error.URLError, TimeoutError) as error:
        raise EndpointError(f"no answer from {url} within {args.timeout:g} s: {error}") from error
    if sys.stdout.isatty():
        print()
    return 0


def _body(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"request {name!r} cannot be read: {error.strerror}") from error

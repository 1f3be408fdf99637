"""``trainyard invoke``: one request to a served model, as InvokeEndpoint sends it."""

from __future__ import annotations

import argparse
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from trainyard.cli import local
from trainyard.cli.progress import Plain
from trainyard.errors import EndpointError, UsageError
from trainyard.execution.container import Reply, message_of
from trainyard.execution.deployment import LOCAL, address
from trainyard.execution.hosting import START_SECONDS, TARGET_MODEL
from trainyard.execution.store import Store

_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/jsonlines",
    ".csv": "text/csv",
    ".npy": "application/x-npy",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("endpoint", help="the endpoint's name, as served, or as a run has deployed it")
    parser.add_argument("request", help="a file with the request's body, or - for standard input")
    parser.add_argument(
        "--target-model", metavar="NAME", help="which of many models, for example customer_7.tar.gz"
    )
    parser.add_argument("--content-type", help="default: by the file's ending, else application/json")
    parser.add_argument("--accept", help="the answer's wanted content type, for example text/csv")
    parser.add_argument(
        "--timeout", type=float, default=60.0, help="seconds to wait for the answer (default 60)"
    )
    parser.add_argument(
        "--map",
        metavar="IMAGE=TARGET",
        action="append",
        default=[],
        help="what stands for the model's image, where the endpoint is started for this request",
    )
    local.add_with_argument(parser)


def run(args: argparse.Namespace) -> int:
    content_type = args.content_type or _TYPES.get(Path(args.request).suffix.lower(), "application/json")
    headers = {"Content-Type": content_type, "Accept": args.accept, TARGET_MODEL: args.target_model}
    for name, value in headers.items():
        if value and not (value.isascii() and value.isprintable()):
            raise UsageError(
                f"{value!r} cannot be sent as {name}: only printable ASCII can; a model's file name has other "
                f"characters percent-encoded, as in {quote(value, safe='')!r}"
            )
    with _answering(args) as (url, patience):
        body = _body(args.request)
        try:
            request = urllib.request.Request(
                url, body, {name: value for name, value in headers.items() if value}
            )
            with LOCAL.open(request, timeout=patience) as answer:
                sys.stdout.buffer.write(answer.read())
        except urllib.error.HTTPError as error:
            reply = Reply(status=error.code, body=error.read())
            raise EndpointError(f"the endpoint answered {error.code}: {message_of(reply)}") from error
        except ValueError as error:  # a header with a line break, a timeout below 0
            raise UsageError(f"this request cannot be sent: {error}") from error
        except (urllib.error.URLError, TimeoutError) as error:
            raise EndpointError(f"no answer from {url} within {patience:g} s: {error}") from error
    if sys.stdout.isatty():
        print()
    return 0


@contextmanager
def _answering(args: argparse.Namespace) -> Iterator[tuple[str, float]]:
    """Where the endpoint answers, and in how many seconds at most: as served, at the store's local endpoint, or at a
    private one that starts the endpoint's containers for this request. Raises EndpointError where there is none.
    """
    name, store = args.endpoint, Store()
    if url := address(store, name):
        yield f"{url}/invocations", args.timeout
        return
    if store.resources.find("endpoint", name) is None:
        raise EndpointError(f"no endpoint {name!r} answers; start it with: trainyard serve {name}")
    here = local.Local(Plain(sys.stderr).take, args.map, getattr(args, "with"))
    if url := here.executor.endpoint_url:
        yield f"{url}/endpoints/{name}/invocations", args.timeout
        return
    from trainyard.local_aws import endpoint

    print(
        f"starting endpoint {name} for this request; trainyard local up keeps it answering", file=sys.stderr
    )
    with endpoint.private(store, here.machine) as url:
        yield f"{url}/endpoints/{name}/invocations", args.timeout + START_SECONDS


def _body(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"request {name!r} cannot be read: {error.strerror}") from error

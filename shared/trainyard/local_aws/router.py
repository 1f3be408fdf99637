"""Which of AWS's services a request is for, all of them being behind one address."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import BinaryIO, cast
from urllib.parse import parse_qs

from trainyard.local_aws.messages import AwsError, Request, Response, Service

MAX_BODY = 100 * 2**20
"""Bytes, of a request that is not for S3: Lambda takes 50 MB of zip file, which base64 makes a third longer."""

OURS = "/_trainyard/"
_TARGETS = {"SageMaker": "sagemaker", "Logs_20140328": "logs", "AWSEvents": "events"}
_RUNTIME = re.compile(r"/endpoints/[^/]+/(async-)?invocations(-response-stream)?")
_LAMBDA = re.compile(r"/20\d\d-\d\d-\d\d/[a-z]+.*")
# addresses, names without a dot, and those that nobody else can have mean this machine
_HOST = re.compile(
    r"([0-9.]+|\[[0-9a-f:.]+\]|[\w-]+|([\w-]+\.)+(localhost|internal|amazonaws\.com))(:\d+)?", re.IGNORECASE
)
_FORM = "application/x-www-form-urlencoded"


class Router:
    """A Service of services by name: signing names, with ``sagemaker-runtime``, ``trainyard`` (paths below
    ``/_trainyard/``) and ``moto``, which gets what is for no other."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self.services = dict(services)

    def __call__(self, request: Request) -> Response:
        if "origin" in request.headers or "sec-fetch-site" in request.headers:
            raise AwsError("AccessDenied", "web pages may not use the local endpoint", 403)
        host = request.headers.get("host", "")
        if host and not _HOST.fullmatch(host):  # a page whose name has come to mean this machine: no origin
            raise AwsError("AccessDenied", f"{host!r} is no name of the local endpoint; use 127.0.0.1", 403)
        name = service_name(request)
        service = self.services.get(name) or self.services.get("moto")
        if service is None:
            raise AwsError("UnsupportedOperation", f"{name} is not supported by the local endpoint")
        return service(request if name == "s3" else _whole(request))


def service_name(request: Request) -> str:
    """By path, target or signature; what says nothing is for S3: presigned and anonymous requests."""
    if request.path.startswith(OURS):
        return "trainyard"
    target = request.headers.get("x-amz-target", "").partition(".")[0]
    if target:
        return _TARGETS.get(target, "moto")
    signed = signing_name(request)
    if _RUNTIME.fullmatch(request.path) and signed in ("", "sagemaker"):
        return "sagemaker-runtime"
    if _LAMBDA.fullmatch(request.path) and signed in ("", "lambda"):
        return "lambda"
    if not signed and request.method == "POST" and request.headers.get("content-type", "").startswith(_FORM):
        return "moto"
    return {"": "s3", "s3express": "s3"}.get(signed, signed)


def signing_name(request: Request) -> str:
    """The service in the credential scope ``KEY/DATE/REGION/SERVICE/aws4_request``, of the header or the query."""
    found = re.search(r"Credential=([^,\s]+)", request.headers.get("authorization", ""))
    presigned = parse_qs(request.query, max_num_fields=None).get("X-Amz-Credential", [""])[0]
    scope = (found[1] if found else presigned).split("/")
    return scope[-2].lower() if len(scope) >= 5 else ""


def _whole(request: Request) -> Request:
    """With its body in memory; raises AwsError for one that is too long."""
    if request.length <= MAX_BODY:
        content = request.stream.read(MAX_BODY + 1 if request.length < 0 else request.length)
        if len(content) <= MAX_BODY:
            return replace(request, stream=cast(BinaryIO, io.BytesIO(content)), length=len(content))
    raise AwsError("RequestEntityTooLarge", f"the body is longer than {MAX_BODY} bytes", 413)

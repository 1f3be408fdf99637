"""Amazon ECR: which registry is the account's, its password, its repositories, its scans.

On loopback, with ``AWS_ENDPOINT_URL`` set, a plain registry stands in for the images and whatever answers there
for the API. The password goes to no other host.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from trainyard.errors import ImageRegistryError, SetupError
from trainyard.images.engine import Engine

REGISTRY_VARIABLE = "TRAINYARD_REGISTRY"
_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.(amazonaws\.com(\.cn)?|on\.aws)"
)
_LOOPBACK = re.compile(r"(localhost|127\.\d+\.\d+\.\d+)(:\d+)?")


def address() -> str:
    """``$TRAINYARD_REGISTRY``, or else the registry of the AWS account that the credentials belong to."""
    given = os.environ.get(REGISTRY_VARIABLE)
    if given:
        return given.rstrip("/")
    token = _token(f"{REGISTRY_VARIABLE} is not set, so images go to the registry of the AWS account")
    return str(token["proxyEndpoint"]).removeprefix("https://")


def is_ecr(address: str) -> bool:
    return bool(_ECR.fullmatch(_host(address)))


def answers_for(address: str) -> bool:
    """Whether ECR's API, or what stands in for it here, knows this registry."""
    stand_in = os.environ.get("AWS_ENDPOINT_URL") and _LOOPBACK.fullmatch(_host(address))
    return is_ecr(address) or bool(stand_in)


def log_in(engine: Engine, address: str) -> None:
    """``docker login`` with a password of twelve hours, which is in no argument and no output.

    Source: Amazon ECR User Guide, "Private registry authentication".
    """
    token = _token(f"for a password to {_host(address)}", address)["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    engine.run("login", "--username", user, "--password-stdin", _host(address), stdin=password.encode())


def require(address: str, repositories: Sequence[str]) -> None:
    """Raises ImageRegistryError for repositories that do not exist: their stack makes them, not a build."""
    missing = []
    for name in (_name(address, repository) for repository in repositories):
        with _explained("describe_repositories", address) as ecr:
            try:
                ecr.describe_repositories(repositoryNames=[name], **_account(address))
            except ecr.exceptions.RepositoryNotFoundException:
                missing.append(name)
    if missing:
        raise ImageRegistryError(
            f"the registry {_host(address)} has no repository {', '.join(missing)}; "
            "deploy the stack that makes the repositories (docs/codebuild.md), then build again"
        )


def scan(address: str, repository: str, digest: str) -> dict[str, Any] | None:
    """What the scan of an image says, all pages in one; None where ECR knows of none yet."""
    with _explained("describe_image_scan_findings", address) as ecr:
        request = {"repositoryName": _name(address, repository), "imageId": {"imageDigest": digest}}
        pages = ecr.get_paginator("describe_image_scan_findings").paginate(**request, **_account(address))
        try:
            answer, *others = list(pages)
        except ecr.exceptions.ScanNotFoundException:
            return None
    findings = answer.setdefault("imageScanFindings", {})
    for page in others:
        for kind in ("findings", "enhancedFindings"):
            more = page.get("imageScanFindings", {}).get(kind, [])
            findings.setdefault(kind, []).extend(more)
    return dict(answer)


def _host(address: str) -> str:
    return address.partition("/")[0]


def _name(address: str, repository: str) -> str:
    prefix = address.partition("/")[2].strip("/")
    return f"{prefix}/{repository}" if prefix else repository


def _account(address: str) -> dict[str, str]:
    """Whose registry it is: often one account keeps the images of several, and the default is one's own."""
    ecr = _ECR.fullmatch(_host(address))
    return {"registryId": ecr["account"]} if ecr else {}


def _token(purpose: str, address: str = "") -> dict[str, Any]:
    with _explained(f"get_authorization_token ({purpose})", address) as ecr:
        token: dict[str, Any] = ecr.get_authorization_token()["authorizationData"][0]
    return token


@contextlib.contextmanager
def _explained(call: str, address: str = "") -> Iterator[Any]:
    """A client of ECR in the address's region, whose errors become ImageRegistryError."""
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise SetupError("there is no boto3; install it with: python3 -m ci.setup") from error
    ecr = _ECR.fullmatch(_host(address))
    try:
        yield boto3.client("ecr", region_name=ecr["region"] if ecr else None)
    except (BotoCoreError, ClientError) as error:
        raise ImageRegistryError(f"ECR's {call} fails: {error}; {_HINT}") from error


_HINT = f"check the region and the role of the build, or give {REGISTRY_VARIABLE}=HOST[:PORT][/PREFIX]"

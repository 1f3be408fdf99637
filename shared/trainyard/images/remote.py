"""Image registries over HTTP (OCI distribution specification, the "Docker registry API v2" that ECR speaks)."""

from __future__ import annotations

import hashlib
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from typing import Any

from trainyard.errors import ImageRegistryError
from trainyard.images.credentials import credentials
from trainyard.images.engine import Engine, last_line

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
"""The one kind of manifest that SageMaker takes (aws/amazon-sagemaker-feedback 180)."""

_ACCEPTED = ", ".join(
    (
        DOCKER_MANIFEST,
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    )
)
_SECONDS = 30.0
_MOST_BYTES = 16 * 2**20  # of an answer; registries take manifests of 4 MiB
_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9.-]+(?::\d+)?)(?:/(?P<prefix>[a-z0-9][a-z0-9._/-]*[a-z0-9]))?/?")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, kw_only=True)
class RemoteImage:
    """An image in a registry; ``image`` names it by its digest, as pipelines do.

    ``config`` is the digest of its configuration, which engines call the image's id.
    """

    image: str
    digest: str
    media_type: str
    size: int
    config: str


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class ImageRegistry:
    """One registry, ``HOST[:PORT][/PREFIX]``; who may do what there is known from ``docker login``.

    Every method raises ImageRegistryError where the registry cannot be reached or refuses.
    """

    def __init__(self, address: str) -> None:
        parts = _ADDRESS.fullmatch(address)
        if not parts:
            raise ImageRegistryError(f"image registry {address!r}: write HOST[:PORT][/PREFIX]")
        self.host, self.prefix = parts["host"], f"{parts['prefix']}/" if parts["prefix"] else ""
        is_loopback = re.fullmatch(r"localhost|127\.\d+\.\d+\.\d+", self.host.partition(":")[0])
        self._url = f"{'http' if is_loopback else 'https'}://{self.host}"
        self._authorization = ""

    def reference(self, repository: str, tag: str) -> str:
        """The name that ``docker push`` and ``docker pull`` take."""
        return f"{self.host}/{self.prefix}{repository}:{tag}"

    def find(self, repository: str, tag: str) -> RemoteImage | None:
        """The image with this tag (or digest), or None."""
        answer = self._manifest(repository, tag)
        if answer is None:
            return None
        digest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        manifest = self._document(answer, f"{repository}:{tag}")
        layers = [_object(layer) for layer in _list(manifest.get("layers"))]
        return RemoteImage(
            image=f"{self.host}/{self.prefix}{repository}@{digest}",
            digest=digest,
            media_type=answer.headers.get("content-type", "").partition(";")[0],
            size=sum(int(layer.get("size", 0)) for layer in layers),
            config=str(_object(manifest.get("config")).get("digest", "")),
        )

    def tags(self, repository: str) -> list[str]:
        """All tags of a repository; none for one that does not exist."""
        tags: list[str] = []
        path, asked = f"{repository}/tags/list?n=1000", set[str]()
        while path and path not in asked:  # or a registry without an end would be read for ever
            asked.add(path)
            answer = self._ask("GET", path)
            if answer.status == 404:
                return []
            what = f"the tags of {repository}"
            self._expect(answer, 200, what)
            tags += map(str, _list(self._document(answer, what).get("tags")))
            following = re.search(r"<[^>]*\?([^>]*)>;\s*rel=.?next", answer.headers.get("link", ""))
            path = f"{repository}/tags/list?{following[1]}" if following else ""
        return tags

    def labels(self, repository: str, tag: str) -> dict[str, str]:
        """The labels in the image's configuration; none where there is no such image, or a list of several."""
        answer = self._manifest(repository, tag)
        if answer is None:
            return {}
        digest = _object(self._document(answer, f"{repository}:{tag}").get("config")).get("digest")
        if not digest:
            return {}
        what = f"the configuration of {repository}:{tag}"
        answer = self._ask("GET", f"{repository}/blobs/{digest}")
        self._expect(answer, 200, what)
        labels = _object(_object(self._document(answer, what).get("config")).get("Labels"))
        return {name: str(value) for name, value in labels.items()}

    def retag(self, repository: str, tag: str, new_tag: str) -> None:
        """Give the image with ``tag`` another tag as well; nothing is pulled or pushed."""
        answer = self._manifest(repository, tag)
        if answer is None:
            raise ImageRegistryError(f"{self.reference(repository, tag)} is not in the registry")
        put = self._ask(
            "PUT", f"{repository}/manifests/{new_tag}", answer.body, answer.headers.get("content-type", "")
        )
        self._expect(put, 201, f"tag {new_tag} of {repository}")

    def _manifest(self, repository: str, tag: str) -> _Answer | None:
        answer = self._ask("GET", f"{repository}/manifests/{tag}")
        if answer.status == 404:
            return None
        self._expect(answer, 200, f"{repository}:{tag}")
        return answer

    def _ask(self, method: str, path: str, body: bytes | None = None, content_type: str = "") -> _Answer:
        url = f"{self._url}/v2/{self.prefix}{path}"
        headers = {"Accept": _ACCEPTED, **({"Content-Type": content_type} if content_type else {})}
        answer = self._send(method, url, body, headers)
        if answer.status == 401:
            self._authorization = self._log_in(answer.headers.get("www-authenticate", ""))
            answer = self._send(method, url, body, headers)
        return answer

    def _send(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> _Answer:
        handlers = [urllib.request.ProxyHandler({})] if self._url.startswith("http:") else []
        try:
            request = urllib.request.Request(url, body, dict(headers), method=method)
            if self._authorization:
                # not to where blobs are redirected: their addresses are signed
                request.add_unredirected_header("Authorization", self._authorization)
            with urllib.request.build_opener(*handlers).open(request, timeout=_SECONDS) as response:
                return _Answer(response.status, _lower(response.headers), response.read(_MOST_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                return _Answer(error.code, _lower(error.headers), error.read(_MOST_BYTES))
        except (OSError, HTTPException, ValueError) as error:  # ValueError: an address it cannot have
            reason = getattr(error, "reason", None) or error
            raise ImageRegistryError(f"the image registry {self.host} cannot be reached: {reason}") from error

    def _log_in(self, challenge: str) -> str:
        """The Authorization header that the registry asks for (distribution spec, "Token Authentication")."""
        basic = credentials(self.host)
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() != "bearer":
            return f"Basic {basic}" if basic else ""
        wanted = dict(_CHALLENGE.findall(rest))
        realm = wanted.pop("realm", "")
        if not realm.startswith("https://"):
            raise ImageRegistryError(f"the image registry {self.host} sends its users to {realm!r} to log in")
        self._authorization = f"Basic {basic}" if basic else ""
        answer = self._send("GET", f"{realm}?{urllib.parse.urlencode(wanted)}", None, {})
        self._expect(answer, 200, "a token")
        token = self._document(answer, "a token")
        return f"Bearer {token.get('token') or token.get('access_token')}"

    def _document(self, answer: _Answer, what: str) -> dict[str, Any]:
        try:
            document = json.loads(answer.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            said = _message(answer.body)
            raise ImageRegistryError(f"the image registry {self.host} answers no JSON for {what}: {said}")
        return document

    def _expect(self, answer: _Answer, status: int, what: str) -> None:
        if answer.status == status:
            return
        hint = f"; log in first: docker login {self.host}" if answer.status in (401, 403) else ""
        raise ImageRegistryError(
            f"the image registry {self.host} answers {answer.status} for {what}: {_message(answer.body)}{hint}"
        )


def push(engine: Engine, reference: str, registry: ImageRegistry, repository: str, tag: str) -> RemoteImage:
    """Push a local image and make sure that SageMaker can take what arrived.

    A tag that is there already stays what it is: the same sources made it. Raises ImageRegistryError.
    """
    found = registry.find(repository, tag)
    if found is None:
        target = registry.reference(repository, tag)
        engine.run("tag", reference, target)
        try:
            ended = engine.try_run("push", target)
        finally:
            engine.try_run("rmi", "--no-prune", target)
        found = registry.find(repository, tag)
        if found is None:
            raise ImageRegistryError(
                f"{target} could not be pushed: {last_line(ended.stderr or ended.stdout)}"
            )
    if found.media_type != DOCKER_MANIFEST:
        raise ImageRegistryError(
            f"{found.image} has a manifest of type {found.media_type}, which SageMaker refuses; it takes "
            f"{DOCKER_MANIFEST}: build without attestations and push from an engine without the containerd image store"
        )
    return found


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _message(body: bytes) -> str:
    try:
        errors = json.loads(body)["errors"]
        return "; ".join(f"{error.get('code')}: {error.get('message')}" for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        return " ".join(body.decode("utf-8", "replace").split())[:200] or "no reason given"

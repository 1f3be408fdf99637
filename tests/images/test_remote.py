from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Callable

import pytest

from trainyard.errors import DockerError, ImageRegistryError
from trainyard.images.remote import DOCKER_MANIFEST, ImageRegistry, push

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def small_image(engine):
    """An image of one file, made in a moment."""
    name = "trainyard/small:test"
    context = b"FROM scratch\nCOPY Dockerfile /\nLABEL trainyard.source-digest=abc\n"
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(context)
        tar.addfile(entry, io.BytesIO(context))
    engine.run("build", "-q", "-t", name, "-", stdin=archive.getvalue(), environment={"DOCKER_BUILDKIT": "1"})
    yield name
    engine.try_run("rmi", "-f", name)


def test_a_pushed_image_is_found_by_its_tag_and_by_its_digest(engine, registry, small_image):
    pushed = push(engine, small_image, registry, "trainyard/small", "src-1")
    assert pushed.media_type == DOCKER_MANIFEST and pushed.size > 0
    assert (
        pushed == registry.find("trainyard/small", "src-1") == registry.find("trainyard/small", pushed.digest)
    )
    assert pushed.image == f"{registry.host}/trainyard/small@{pushed.digest}"
    assert registry.find("trainyard/small", "src-2") is None
    assert registry.labels("trainyard/small", "src-1")["trainyard.source-digest"] == "abc"
    assert registry.labels("trainyard/small", "src-2") == {}
    engine.run("pull", "-q", pushed.image)
    assert engine.image(pushed.image).id == engine.image(small_image).id
    engine.run("rmi", "--no-prune", pushed.image)


def test_another_tag_names_the_same_manifest(engine, registry, small_image):
    pushed = push(engine, small_image, registry, "trainyard/again", "src-1")
    registry.retag("trainyard/again", "src-1", "git-abc")
    assert registry.find("trainyard/again", "git-abc") == pushed
    assert sorted(registry.tags("trainyard/again")) == ["git-abc", "src-1"]
    assert registry.tags("trainyard/none") == []
    with pytest.raises(ImageRegistryError, match="src-9 is not in the registry"):
        registry.retag("trainyard/again", "src-9", "git-abc")


def test_a_tag_that_is_there_stays_what_it_is(engine, registry, small_image, base_image):
    first = push(engine, small_image, registry, "trainyard/race", "src-1")
    assert push(engine, base_image, registry, "trainyard/race", "src-1") == first


def test_an_image_that_is_not_there_cannot_be_pushed(engine, registry):
    with pytest.raises(DockerError, match="No such image: trainyard/none:none"):
        push(engine, "trainyard/none:none", registry, "trainyard/none", "src-1")


def test_a_registry_that_is_not_there_is_named():
    with pytest.raises(ImageRegistryError, match=r"the image registry localhost:9 cannot be reached"):
        ImageRegistry("localhost:9").find("a", "b")


@pytest.mark.parametrize("address", ["", "https://ecr.example", "a b", "host/UPPER", "host:port"])
def test_an_address_is_a_host_and_a_prefix(address):
    with pytest.raises(ImageRegistryError, match="write HOST"):
        ImageRegistry(address)


def test_only_loopback_is_spoken_to_without_tls():
    assert ImageRegistry("127.0.0.1:5000/team")._url == "http://127.0.0.1:5000"
    assert ImageRegistry("1.dkr.ecr.eu-west-1.amazonaws.com")._url.startswith("https://")
    assert ImageRegistry("host.example/team/a/").reference("x", "y") == "host.example/team/a/x:y"


Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def server():
    """A registry that answers what a function says; requests are kept."""
    answer: list[Callable[..., Answer]] = []
    seen: list[tuple[str, str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.command, self.path, self.headers.get("Authorization", "")))
            status, headers, body = answer[-1](self.path, self.headers)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{running.server_port}", answer.append, seen
        running.shutdown()


def test_whoever_has_logged_in_is_known_to_the_registry(server, tmp_path, monkeypatch):
    address, answers, seen = server
    told = base64.b64encode(b"me:secret").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {address: {"auth": told}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    basic = {"WWW-Authenticate": 'Basic realm="x"'}
    answers(
        lambda path, headers: (
            (200, {}, b'{"tags": ["a"]}') if "Authorization" in headers else (401, basic, b"")
        )
    )
    assert ImageRegistry(address).tags("x") == ["a"]
    assert [authorization for *_, authorization in seen] == ["", f"Basic {told}"]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            403,
            b'{"errors": [{"code": "DENIED", "message": "not yours"}]}',
            "answers 403 .* DENIED: not yours; log in",
        ),
        (500, b"broken", "answers 500 for the tags of x: broken"),
        (401, b"", "answers 401 .* no reason given; log in first: docker login"),
    ],
)
def test_a_refusal_says_what_to_do(server, tmp_path, monkeypatch, status, body, said):
    address, answers, _ = server
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    answers(lambda path, headers: (status, {}, body))
    with pytest.raises(ImageRegistryError, match=said):
        ImageRegistry(address).tags("x")


def test_credentials_are_not_sent_to_just_any_place(server, tmp_path, monkeypatch):
    address, answers, _ = server
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    bearer = {"WWW-Authenticate": f'Bearer realm="http://{address}/token",service="x"'}
    answers(lambda path, headers: (401, bearer, b""))
    with pytest.raises(ImageRegistryError, match="sends its users to 'http://"):
        ImageRegistry(address).tags("x")


def test_an_oci_manifest_is_refused_after_the_push(server, engine):
    address, answers, _ = server
    body = json.dumps({"schemaVersion": 2, "layers": []}).encode()
    answers(lambda path, headers: (200, {"Content-Type": OCI_MANIFEST}, body))
    with pytest.raises(ImageRegistryError) as error:
        push(engine, "trainyard/any:local", ImageRegistry(address), "x", "y")
    assert f"@sha256:{hashlib.sha256(body).hexdigest()} has a manifest of type {OCI_MANIFEST}" in str(
        error.value
    )


def test_long_lists_of_tags_are_read_to_their_end(server):
    address, answers, _ = server

    def pages(path: str, headers: object) -> Answer:
        if "last=a" in path:
            return 200, {}, b'{"tags": ["b"]}'
        return 200, {"Link": '</v2/x/tags/list?last=a&n=1>; rel="next"'}, b'{"tags": ["a"]}'

    answers(pages)
    assert ImageRegistry(address).tags("x") == ["a", "b"]


@pytest.mark.parametrize("body", [b"<html>log in</html>", b"[1]", b"null", b'{"layers"', b"\xff\xfe\0", b""])
@pytest.mark.parametrize("ask", [ImageRegistry.find, ImageRegistry.labels])
def test_an_answer_that_is_no_json_is_quoted_in_one_line(server, body, ask):
    address, answers, _ = server
    answers(lambda path, headers: (200, {}, body))
    with pytest.raises(ImageRegistryError, match=f"registry {address} answers no JSON for x:y: .*$"):
        ask(ImageRegistry(address), "x", "y")
    with pytest.raises(ImageRegistryError, match="answers no JSON for the tags of x"):
        ImageRegistry(address).tags("x")


def test_documents_of_other_shapes_have_no_labels_and_no_size(server):
    address, answers, _ = server
    for body in ({"layers": None, "config": None}, {"layers": "x", "config": "y"}, {"manifests": []}):
        answers(lambda path, headers, body=body: (200, {}, json.dumps(body).encode()))
        assert ImageRegistry(address).labels("x", "y") == {}
        assert ImageRegistry(address).find("x", "y").size == 0
        assert ImageRegistry(address).tags("x") == []


@pytest.mark.parametrize("place", ["http://[::1", "http://a..b/", "file:///etc/passwd"])
def test_a_redirection_to_nowhere_is_an_answer(server, place):
    address, answers, _ = server
    answers(lambda path, headers: (302, {"Location": place}, b""))
    with pytest.raises(ImageRegistryError, match=f"the image registry {address} "):
        ImageRegistry(address).tags("x")
    with pytest.raises(ImageRegistryError, match=r"registry a\.\.b cannot be reached"):
        ImageRegistry("a..b").tags("x")


def test_pages_of_tags_that_go_in_circles_come_to_an_end(server):
    address, answers, _ = server
    answers(lambda path, headers: (200, {"Link": '</v2/x/tags/list?n=1>; rel="next"'}, b'{"tags": ["a"]}'))
    assert set(ImageRegistry(address).tags("x")) == {"a"}

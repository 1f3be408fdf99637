"""ECR: against moto where it can answer, and against a server with recorded pages where it cannot."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ci import ecr
from tests.conftest import ROOT
from trainyard.errors import ImageRegistryError
from trainyard.images.engine import Engine

SCANS = ROOT / "tests" / "ci" / "scan_results"
OURS = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("address", "its"),
    [
        (OURS, True),
        (f"{OURS}/team", True),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", True),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", True),
        (f"{OURS}.evil.example", False),
        ("registry.example", False),
        ("localhost:5000", False),
    ],
)
def test_only_ecr_is_taken_for_ecr(address, its, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert ecr.is_ecr(address) == ecr.answers_for(address) == its


def test_a_stand_in_is_believed_on_loopback_alone(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert ecr.answers_for("127.0.0.1:5000/team")
    assert not ecr.answers_for("registry.example")
    assert not ecr.is_ecr("localhost:5000")


def test_the_registry_is_the_accounts_unless_another_is_given(aws, registry, monkeypatch):
    monkeypatch.setenv(ecr.REGISTRY_VARIABLE, "registry.example/team/")
    assert ecr.address() == "registry.example/team"
    monkeypatch.delenv(ecr.REGISTRY_VARIABLE)
    assert ecr.address() == OURS


def test_docker_is_logged_in_and_the_password_is_not_said(aws, engine, registry, tmp_path, capfd):
    ecr.log_in(engine, registry.host)
    assert registry.host in json.loads((tmp_path / "docker" / "config.json").read_text())["auths"]
    assert "auth-token" not in "".join(capfd.readouterr())


def test_repositories_that_are_missing_are_named(aws):
    aws.create_repository(repositoryName="team/trainyard/a")
    ecr.require("localhost:5000/team", ["trainyard/a"])
    with pytest.raises(
        ImageRegistryError, match=r"localhost:5000 has no repository trainyard/a, trainyard/b; deploy"
    ):
        ecr.require("localhost:5000", ["trainyard/a", "trainyard/b"])


def test_without_credentials_it_says_what_is_missing(monkeypatch, ci_tools):
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/none")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", ecr.REGISTRY_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(
        ImageRegistryError, match=r"TRAINYARD_REGISTRY is not set.*region.*or give TRAINYARD_REG"
    ):
        ecr.address()


@pytest.fixture
def recorded(aws, monkeypatch):
    """A server that gives these answers one after the other; what it was asked is in ``asked``, with its region."""
    answers: list[tuple[int, dict]] = []
    asked: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            region = self.headers["Authorization"].split("/")[2]
            asked.append(
                {"region": region, **json.loads(self.rfile.read(int(self.headers["Content-Length"])))}
            )
            status, document = answers.pop(0)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    yield answers, asked
    server.shutdown()
    server.server_close()


def test_all_pages_of_a_scan_are_one_answer(recorded):
    answers, asked = recorded
    page = json.loads((SCANS / "enhanced.json").read_text())
    for time in ("imageScanCompletedAt", "vulnerabilitySourceUpdatedAt"):
        page["imageScanFindings"].pop(time)
    for finding in page["imageScanFindings"]["enhancedFindings"]:
        for time in ("firstObservedAt", "lastObservedAt", "updatedAt"):
            finding.pop(time)
    answers += [(200, {**page, "nextToken": "more"}), (200, page)]
    answer = ecr.scan(f"{OURS}/team", "trainyard/a", "sha256:0")
    assert len(answer["imageScanFindings"]["enhancedFindings"]) == 12
    assert asked[0] == {
        "region": "us-east-1",
        "registryId": "123456789012",
        "repositoryName": "team/trainyard/a",
        "imageId": {"imageDigest": "sha256:0"},
    }
    assert asked[1]["nextToken"] == "more"


def test_no_scan_yet_is_an_answer_and_other_refusals_are_told(recorded):
    answers, _ = recorded
    answers.append((400, {"__type": "ScanNotFoundException", "message": "Image scan does not exist"}))
    assert ecr.scan(OURS, "trainyard/a", "sha256:0") is None
    answers.append((400, {"__type": "ImageNotFoundException", "message": "no such image"}))
    with pytest.raises(ImageRegistryError, match=r"describe_image_scan_findings fails: .*no such image"):
        ecr.scan(OURS, "trainyard/a", "sha256:0")


def test_the_registry_of_another_account_is_asked_for_in_its_own_region(recorded):
    answers, asked = recorded
    theirs = "210987654321.dkr.ecr.eu-west-1.amazonaws.com"
    token = base64.b64encode(b"AWS:secret").decode()
    answers += [(200, {"repositories": []}), (200, {"authorizationData": [{"authorizationToken": token}]})]
    ecr.require(theirs, ["trainyard/a"])
    ecr.log_in(Engine(program="true"), theirs)
    assert asked[0] == {
        "region": "eu-west-1",
        "registryId": "210987654321",
        "repositoryNames": ["trainyard/a"],
    }
    assert asked[1]["region"] == "eu-west-1"

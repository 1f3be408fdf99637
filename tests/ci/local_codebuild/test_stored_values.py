from __future__ import annotations

import json
import urllib.request

import pytest

from ci.local_codebuild.stored_values import Reference, parse_reference, resolve
from trainyard.errors import SetupError

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:name-AbCdEf"


@pytest.fixture
def aws(monkeypatch, ci_tools):
    """A client of each service, at a moto server that boto3 finds by AWS_ENDPOINT_URL."""
    import boto3
    from moto import server

    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    boto3.DEFAULT_SESSION = None  # it keeps the credentials of an earlier test
    yield boto3.client("ssm"), boto3.client("secretsmanager")
    request = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()
    running.stop()


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("name", Reference(secret="name")),
        ("a/b:key", Reference(secret="a/b", key="key")),
        ("name::AWSPREVIOUS", Reference(secret="name", stage="AWSPREVIOUS")),
        ("name:key::id", Reference(secret="name", key="key", version="id")),
        (ARN, Reference(secret=ARN)),
        (f"{ARN}:key:stage:", Reference(secret=ARN, key="key", stage="stage")),
    ],
)
def test_references(text, reference):
    assert parse_reference(text) == reference


def test_values_come_from_both_stores(aws):
    ssm, secrets = aws
    for i in range(12):  # more than one request takes
        ssm.put_parameter(Name=f"/p/{i}", Value=f"value {i}", Type="SecureString" if i % 2 else "String")
    made = secrets.create_secret(Name="login", SecretString=json.dumps({"user": "me", "port": 5}))
    secrets.create_secret(Name="plain", SecretString="just text")
    wanted = {f"P{i}": f"/p/{i}" for i in range(12)}
    found = resolve(
        wanted, {"U": "login:user", "N": f"{made['ARN']}:port", "T": "plain", "J": "login"}, "eu-west-1"
    )
    assert found == {
        **{f"P{i}": f"value {i}" for i in range(12)},
        "U": "me",
        "N": "5",
        "T": "just text",
        "J": '{"user": "me", "port": 5}',
    }


def test_all_that_is_missing_is_named(aws):
    _, secrets = aws
    secrets.create_secret(Name="plain", SecretString="just text")
    secrets.create_secret(Name="login", SecretString="{}")
    secrets.create_secret(Name="binary", SecretBinary=b"x")
    wanted = {"A": "plain:key", "B": "login:key", "C": "none", "D": "binary"}
    with pytest.raises(SetupError) as caught:
        resolve({"P": "/none"}, wanted, "eu-west-1")
    lines = str(caught.value).splitlines()
    assert lines[0] == "env.parameter-store.P = /none: there is no such parameter"
    assert lines[1] == "env.secrets-manager.A = plain:key: the secret is not JSON, so it has no key key"
    assert lines[2] == "env.secrets-manager.B = login:key: the secret has no key key"
    assert lines[3].startswith("env.secrets-manager.C = none: ") and "can't find" in lines[3]
    assert "binary" in lines[4] and len(lines) == 5


def test_a_build_has_them_but_does_not_show_them(aws, build, source):
    ssm, secrets = aws
    ssm.put_parameter(Name="/p", Value="pa55 word", Type="SecureString")
    secrets.create_secret(Name="s", SecretString="t0ken")
    done = build("""
version: 0.2
env:
  parameter-store: {P: /p, GIVEN: /none}
  secrets-manager: {S: s}
  exported-variables: [S, BOTH]
phases:
  build:
    commands:
      - echo "$P and $S and $GIVEN"; printf '%s' "$P" > p.txt
      - export BOTH="<$S>"; false "$P"
artifacts: {files: [p.txt]}
""", "--env", "GIVEN=here")  # fmt: skip
    assert done.code == 1 and done.printed() == ["*** and *** and here"]
    assert done.build["exported_variables"] == {"S": "***", "BOTH": "<***>"}
    assert (done.output / "build/artifacts/p.txt").read_text() == "pa55 word"
    kept = done.log() + (done.output / "result.json").read_text()
    assert "pa55" not in kept and "t0ken" not in kept


def test_a_build_that_lacks_one_fails_before_it_begins(aws, build, capsys):
    done = build("""
version: 0.2
env: {parameter-store: {P: /none}}
phases: {build: {commands: ["true"]}}
""")
    assert done.code == 1 and done.build["status"] == "FAILED" and done.build["phases"] == []
    assert done.build["message"] == "env.parameter-store.P = /none: there is no such parameter"
    assert done.build["message"] in capsys.readouterr().err


def test_a_service_that_does_not_answer(monkeypatch):
    pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(SetupError, match=r"stored variables cannot be had: .*127\.0\.0\.1:9"):
        resolve({"A": "/a"}, {}, "us-east-1")


def test_nothing_is_asked_for_nothing():
    assert resolve({}, {}, "nowhere") == {}

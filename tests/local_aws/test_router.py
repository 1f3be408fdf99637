from __future__ import annotations

import io

import pytest

from trainyard.local_aws import router
from trainyard.local_aws.messages import AwsError, Request, Response
from trainyard.local_aws.router import Router, service_name


def request(method="POST", path="/", query="", body=b"", length=None, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    size = len(body) if length is None else length
    return Request(method=method, path=path, query=query, headers=names, stream=io.BytesIO(body), length=size)


def signed(service: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host"


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (request(x_amz_target="SageMaker.ListModels", authorization=signed("sagemaker")), "sagemaker"),
        (request(x_amz_target="Logs_20140328.GetLogEvents"), "logs"),
        (request(x_amz_target="AWSEvents.PutRule"), "events"),
        (request(x_amz_target="AmazonSQS.SendMessage", authorization=signed("sqs")), "moto"),
        (request(path="/endpoints/e/invocations", authorization=signed("sagemaker")), "sagemaker-runtime"),
        (request(path="/endpoints/e/invocations-response-stream"), "sagemaker-runtime"),
        (request(path="/endpoints/e/async-invocations"), "sagemaker-runtime"),
        (request("PUT", path="/endpoints/e/invocations", authorization=signed("s3")), "s3"),
        (request(path="/2015-03-31/functions/f/invocations", authorization=signed("lambda")), "lambda"),
        (request("GET", path="/2015-03-31/functions/"), "lambda"),
        (request("GET", path="/2026-01-31/data.csv", authorization=signed("s3")), "s3"),
        (request("GET", path="/_trainyard/health"), "trainyard"),
        (request("GET", path="/bucket/key"), "s3"),
        (request("GET", path="/bucket/key", query="AWSAccessKeyId=a&Signature=b&Expires=1"), "s3"),
        (
            request("GET", path="/b/k", query="X-Amz-Credential=A%2F2026%2Fus-east-1%2Fs3%2Faws4_request"),
            "s3",
        ),
        (request(content_type="application/x-www-form-urlencoded; charset=utf-8"), "moto"),
        (request(authorization=signed("sts")), "sts"),
    ],
)
def test_a_request_says_for_which_service_it_is(asked, name):
    assert service_name(asked) == name


def test_moto_gets_what_is_for_no_other():
    route = Router({"s3": lambda asked: Response(status=1), "moto": lambda asked: Response(status=2)})
    assert route(request("GET", path="/b")).status == 1
    assert route(request(authorization=signed("sts"))).status == 2
    with pytest.raises(AwsError, match="sts is not supported by the local endpoint"):
        Router({})(request(authorization=signed("sts")))


@pytest.mark.parametrize("length", [None, -1])
def test_bodies_are_bounded_but_for_s3(monkeypatch, length):
    monkeypatch.setattr(router, "MAX_BODY", 10)
    route = Router(dict.fromkeys(("s3", "moto"), lambda asked: Response(status=200, body=asked.body())))
    assert route(request(authorization=signed("sts"), body=b"x" * 10, length=length)).body == b"x" * 10
    with pytest.raises(AwsError) as refused:
        route(request(authorization=signed("sts"), body=b"x" * 11, length=length))
    assert (refused.value.code, refused.value.status) == ("RequestEntityTooLarge", 413)
    assert route(request("PUT", path="/b/k", body=b"x" * 11)).status == 200


@pytest.mark.parametrize("header", [{"origin": "https://example.com"}, {"sec_fetch_site": "cross-site"}])
def test_web_pages_are_refused(header):
    with pytest.raises(AwsError, match="web pages"):
        Router({"s3": lambda asked: Response(status=200)})(request("GET", path="/b", **header))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1:4599", "localhost:4599", "LocalHost", "[::1]:4599", "172.17.0.1:40001",
        "bucket.localhost:4599", "my.own.bucket.s3.localhost", "endpoint", "my_host-1:80",
        "host.docker.internal:4599", "sts.us-east-1.amazonaws.com", "bucket.s3.us-east-1.amazonaws.com", "",
    ],
)  # fmt: skip
def test_names_of_this_machine_are_answered(host):
    answered = Router({"s3": lambda asked: Response(status=200)})(request("GET", path="/b", host=host))
    assert answered.status == 200


@pytest.mark.parametrize(
    "host",
    [
        "example.com", "example.com:4599", "127.0.0.1.example.com", "localhost.example.com", "notlocalhost.com",
        "amazonaws.com.example.com", "evil-amazonaws.com", "127.0.0.1:4599@example.com", "example.com:x",
        "127.0.0.1, example.com", "example.com#.localhost",
    ],
)  # fmt: skip
def test_a_name_that_may_be_anybodys_is_refused_even_if_it_leads_here(host):
    with pytest.raises(AwsError, match=r"is no name of the local endpoint; use 127\.0\.0\.1") as refused:
        Router({"s3": lambda asked: Response(status=200)})(request("GET", path="/b", host=host))
    assert (refused.value.code, refused.value.status) == ("AccessDenied", 403)

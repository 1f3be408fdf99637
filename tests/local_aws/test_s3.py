from __future__ import annotations

import errno
import http.client
import io
import os
import signal
import socket
import subprocess
import sys
import time
import zlib
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.conftest import wait_until
from trainyard.execution.request import client_environment
from trainyard.execution.s3 import parse_uri
from trainyard.local_aws.s3 import S3

ODD_KEYS = [
    "plain",
    "a b/c d.txt",
    "plus+and&=?#%25.csv",
    "größe/日本 🎉",
    "~(x)!*'@,;:$",
    "x/.hidden",
    "a/b/c/d",
]


@pytest.fixture
def service(store):
    service = S3(store.home / "s3")
    yield service
    service.close()


@pytest.fixture
def url(service, serve):
    return serve(service)


@pytest.fixture
def s3(url, client):
    made = client("s3", url)
    made.create_bucket(Bucket="bucket")
    return made


def keys(s3, **options) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="bucket", **options)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def test_objects_of_any_name_come_back_as_they_went(s3, store):
    for key in ODD_KEYS:
        s3.put_object(Bucket="bucket", Key=key, Body=f"of {key}".encode(), Metadata={"k": "v"})
        assert store.objects.path(parse_uri(f"s3://bucket/{key}")).read_text() == f"of {key}"
        answer = s3.get_object(Bucket="bucket", Key=key)
        assert (answer["Body"].read().decode(), answer["Metadata"]) == (f"of {key}", {"k": "v"})
        assert s3.head_object(Bucket="bucket", Key=key)["ContentLength"] == len(f"of {key}".encode())
    assert sorted(keys(s3)) == sorted(ODD_KEYS)
    assert keys(s3, Prefix="größe/") == ["größe/日本 🎉"]
    listed = s3.list_objects_v2(Bucket="bucket", Delimiter="/")
    assert {item["Prefix"] for item in listed["CommonPrefixes"]} == {"a b/", "größe/", "x/", "a/"}
    assert s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": key} for key in ODD_KEYS]})
    assert keys(s3) == []


def test_pages_ranges_copies_and_what_is_missing(s3):
    for number in range(5):
        s3.put_object(Bucket="bucket", Key=f"n/{number}", Body=b"0123456789")
    assert keys(s3, Prefix="n/", PaginationConfig={"PageSize": 2}) == [f"n/{number}" for number in range(5)]
    assert s3.get_object(Bucket="bucket", Key="n/0", Range="bytes=2-4")["Body"].read() == b"234"
    s3.copy_object(Bucket="bucket", Key="copy d+", CopySource={"Bucket": "bucket", "Key": "n/1"})
    s3.copy({"Bucket": "bucket", "Key": "copy d+"}, "bucket", "again")
    assert s3.get_object(Bucket="bucket", Key="again")["Body"].read() == b"0123456789"
    for bucket, key, code in [("bucket", "no", "NoSuchKey"), ("nobucket", "no", "NoSuchBucket")]:
        with pytest.raises(ClientError) as refused:
            s3.get_object(Bucket=bucket, Key=key)
        assert refused.value.response["Error"]["Code"] == code
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="bucket", Key="n")
    s3.delete_object(Bucket="bucket", Key="again")
    assert "again" not in keys(s3)


def test_a_large_file_goes_up_in_parts_and_comes_back(s3, tmp_path, store):
    content = os.urandom(1 << 20) * 20
    parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=4)
    s3.upload_fileobj(io.BytesIO(content), "bucket", "models/large.tar.gz", Config=parts)
    assert store.objects.read(parse_uri("s3://bucket/models/large.tar.gz")) == content
    s3.download_file("bucket", "models/large.tar.gz", str(tmp_path / "large"), Config=parts)
    assert (tmp_path / "large").read_bytes() == content


def test_what_jobs_write_and_delete_is_seen_at_once(s3, store):
    for number in range(5):
        uri = parse_uri(f"s3://bucket/job/{number}/out")
        assert keys(s3, Prefix=f"job/{number}") == []
        store.objects.put_bytes(b"1", uri)
        assert keys(s3, Prefix=f"job/{number}") == [uri.key]
        store.objects.put_bytes(b"22", uri)
        assert s3.get_object(Bucket="bucket", Key=uri.key)["Body"].read() == b"22"
        store.objects.delete(uri)
        assert keys(s3, Prefix=f"job/{number}") == []
    s3.put_object(Bucket="bucket", Key="both", Body=b"one", Metadata={"k": "v"})
    store.objects.put_bytes(b"two", parse_uri("s3://bucket/both"))
    assert s3.get_object(Bucket="bucket", Key="both")["Body"].read() == b"two"
    s3.delete_object(Bucket="bucket", Key="both")
    (store.home / "s3" / "bucket" / ".trainyard-partial-1").write_text("being written")
    assert keys(s3) == []


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_presigned_urls_need_no_client(url, client, version):
    s3 = client("s3", url, signature_version=version)
    s3.create_bucket(Bucket="bucket")
    where = {"Bucket": "bucket", "Key": "a b+é"}
    put = s3.generate_presigned_url("put_object", Params=where)
    with urlopen(Request(put, b"content", {"Content-Type": ""}, method="PUT")) as answer:
        assert answer.status == 200
    with urlopen(s3.generate_presigned_url("get_object", Params=where)) as answer:
        assert answer.read() == b"content"


def test_aws_chunked_bodies_are_stored_decoded(s3, url, store):
    body = b"5;chunk-signature=00\r\nhello\r\n1;chunk-signature=00\r\n!\r\n0;chunk-signature=00\r\n"
    body += b"x-amz-checksum-crc32:" + b64encode(zlib.crc32(b"hello!").to_bytes(4, "big")) + b"\r\n\r\n"
    headers = {
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "6",
        "x-amz-trailer": "x-amz-checksum-crc32",
        "Content-Encoding": "aws-chunked",
    }
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    for chunks in (body, iter([body[:20], body[20:]])):  # with a Content-Length, and as HTTP's chunks
        connection.request("PUT", "/bucket/key", chunks, headers)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        assert store.objects.read(parse_uri("s3://bucket/key")) == b"hello!"
        store.objects.delete(parse_uri("s3://bucket/key"))
    connection.request("PUT", "/bucket/key", body[:9], headers | {"x-amz-decoded-content-length": "x"})
    assert connection.getresponse().status == 411


def test_no_key_leaves_the_store(s3, url, store):
    secret = store.home / "secret"
    secret.write_text("secret")
    (store.home / "s3" / "file-in-root").write_text("secret")
    s3.put_object(Bucket="bucket", Key="own", Body=b"own")
    address = urlsplit(url)
    paths = [
        "/bucket/../../secret",
        "/../secret",
        "/bucket/%2e%2e/%2e%2e/secret",
        "/bucket/a/..%2f..%2f../secret",
    ]
    paths += [
        "/bucket//../../secret",
        "/%2e%2e/secret",
        "/..",
        "/bucket/x%00y",
        "/bucket/x%0ay",
        "/bucket/.",
        "/file-in-root",
    ]
    for path in paths:
        for method, headers in [("GET", {}), ("PUT", {}), ("PUT", {"x-amz-copy-source": "/bucket/own"})]:
            connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
            connection.request(method, path, b"" if method == "GET" else b"evil", headers)
            answer = connection.getresponse()
            assert b"secret" not in answer.read() or answer.status >= 400, (method, path)
            assert answer.status != 500 or method == "PUT", (method, path)
            connection.close()
    with pytest.raises(ClientError):
        s3.copy_object(Bucket="bucket", Key="stolen", CopySource="bucket/../../secret")
    with pytest.raises(ClientError):
        s3.copy_object(Bucket="bucket", Key="stolen", CopySource=quote("bucket/../../secret", safe=""))
    s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "../../secret"}, {"Key": "../x"}]})
    assert s3.list_objects_v2(Bucket="bucket", Prefix="../").get("Contents", []) == []
    assert secret.read_text() == "secret"
    assert sorted(path.name for path in store.home.rglob("*") if b"evil" in read(path)) == []
    assert keys(s3) == ["own"]


def read(path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def test_an_upload_that_breaks_off_leaves_what_was_there(s3, url, store):
    s3.put_object(Bucket="bucket", Key="model", Body=b"old")
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = b"PUT /bucket/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        connection.sendall(head % b"model" + b"x" * 500_000)
        time.sleep(0.3)
        assert keys(s3) == ["model"]
        assert [item.uri.key for item in store.objects.list(parse_uri("s3://bucket/"))] == ["model"]
    wait_until(lambda: [path.name for path in (store.home / "s3" / "bucket").iterdir()] == ["model"])
    assert store.objects.read(parse_uri("s3://bucket/model")) == b"old"


def test_rclone_is_started_again_when_it_dies(service, s3):
    first = service._process
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: service._process is not first)
    s3.put_object(Bucket="bucket", Key="after", Body=b"x")
    assert keys(s3) == ["after"]


def test_a_start_that_fails_is_tried_again(store, serve, client, monkeypatch, capfd):
    real, failures = subprocess.Popen, [OSError(errno.EAGAIN, "no process is left")]

    def spawn(*given, **more):
        if failures:
            raise failures.pop()
        return real(*given, **more)

    monkeypatch.setattr(subprocess, "Popen", spawn)
    service = S3(store.home / "s3")
    try:
        client("s3", serve(service)).create_bucket(Bucket="bucket")
    finally:
        service.close()
    assert "the local S3 cannot be started: [Errno 11] no process is left" in capfd.readouterr().err


def test_rclone_dies_with_its_process_even_when_that_is_killed(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from trainyard.local_aws.s3 import S3\n"
        "s3 = S3(Path(sys.argv[1]))\n"
        "while s3._process is None: time.sleep(0.01)\n"
        "print(s3._process.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        pid = int(parent.stdout.readline())
        wait_until(lambda: "rclone" in command_of(pid))
        parent.kill()
    wait_until(lambda: command_of(pid) == "", 5)


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def test_the_aws_cli_copies_lists_and_syncs(s3, url, tmp_path):
    (tmp_path / "data" / "sub dir").mkdir(parents=True)
    (tmp_path / "data" / "sub dir" / "one+1.csv").write_text("1")
    (tmp_path / "data" / "two.csv").write_text("2")

    def aws(*arguments: str) -> str:
        command = [sys.executable, "-m", "awscli", "s3", *arguments]
        environment = {**os.environ, **client_environment(url)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert aws("sync", str(tmp_path / "data"), "s3://bucket/data").count("upload:") == 2
    assert aws("sync", str(tmp_path / "data"), "s3://bucket/data") == ""
    assert "sub dir/one+1.csv" in aws("ls", "--recursive", "s3://bucket/data/")
    aws("cp", "s3://bucket/data/sub dir/one+1.csv", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "1"


def test_an_object_is_read_for_its_etag_once_and_again_when_it_changes(s3, service, store):
    file, size = store.home / "s3" / "bucket" / "large", 64 << 20
    with file.open("wb") as large:
        large.truncate(size)
    first = s3.head_object(Bucket="bucket", Key="large")["ETag"]
    before = read_by(service)
    part = s3.get_object(Bucket="bucket", Key="large", Range=f"bytes={size - 100}-")
    assert (part["Body"].read(), part["ETag"]) == (bytes(100), first)
    keys(s3)
    assert read_by(service) - before < size
    with file.open("r+b") as large:
        large.write(b"x")
    assert s3.head_object(Bucket="bucket", Key="large")["ETag"] != first


def read_by(service: S3) -> int:
    """The bytes that rclone has read so far."""
    return int(Path(f"/proc/{service._process.pid}/io").read_text().split()[1])

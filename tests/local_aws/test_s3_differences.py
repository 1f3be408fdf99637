from __future__ import annotations

import botocore.session
import pytest
from botocore.exceptions import ClientError

from trainyard.local_aws.s3 import S3
from trainyard.local_aws.s3_differences import UNSUPPORTED

HANDLED = {"delete", "list-type", "location", "uploads", "versioning", "versions"}  # by rclone
BESIDE = {"select-type", "x-id"}  # never alone


@pytest.fixture
def s3(store, serve, client):
    service = S3(store.home / "s3")
    s3 = client("s3", serve(service))
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="a/key", Body=b"precious")
    yield s3
    service.close()


def refused(call, **arguments) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    assert error["Message"]
    return error["Code"]


def test_every_part_of_an_object_or_a_bucket_is_handled_or_refused():
    model = botocore.session.get_session().get_service_model("s3")
    parts = set()
    for name in model.operation_names:
        query = model.operation_model(name).http["requestUri"].partition("?")[2]
        parts |= {part.partition("=")[0] for part in query.split("&") if part}
    assert parts - HANDLED - BESIDE == UNSUPPORTED - {"versionId"}


def test_what_belongs_to_an_object_or_a_bucket_is_not_taken_for_it(s3):
    place = {"Bucket": "bucket", "Key": "a/key"}
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    assert refused(s3.put_object_tagging, **place, Tagging=tags) == "NotImplemented"
    assert refused(s3.put_object_acl, **place, ACL="private") == "NotImplemented"
    assert refused(s3.delete_object_tagging, **place) == "NotImplemented"
    assert refused(s3.delete_object, **place, VersionId="1") == "NotImplemented"
    assert refused(s3.put_object, **place, Body=b"other", IfNoneMatch="*") == "NotImplemented"
    assert s3.get_object(**place)["Body"].read() == b"precious"
    s3.create_bucket(Bucket="empty")
    assert refused(s3.delete_bucket_policy, Bucket="empty") == "NotImplemented"
    assert refused(s3.put_bucket_tagging, Bucket="new", Tagging=tags) == "NotImplemented"
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["bucket", "empty"]


def test_errors_have_messages_and_ones_own_bucket_may_be_made_again(s3):
    assert refused(s3.get_object, Bucket="bucket", Key="nothing") == "NoSuchKey"
    assert refused(s3.get_object, Bucket="nothing", Key="nothing") == "NoSuchBucket"
    assert refused(s3.head_object, Bucket="bucket", Key="nothing") == "404"
    assert refused(s3.delete_bucket, Bucket="bucket") == "BucketNotEmpty"
    assert s3.create_bucket(Bucket="bucket")["Location"] == "/bucket"
    assert s3.get_object(Bucket="bucket", Key="a/key")["Body"].read() == b"precious"

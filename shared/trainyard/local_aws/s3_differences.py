"""Where ``rclone serve s3`` is not S3: what it would do wrong is refused, what it words differently is reworded."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from trainyard.local_aws.messages import AwsError, Request

UNSUPPORTED = frozenset({
    "abac", "accelerate", "acl", "analytics", "annotation", "attributes", "cors", "encryption",
    "intelligent-tiering", "inventory", "legal-hold", "lifecycle", "logging", "metadataAnnotationTable",
    "metadataConfiguration", "metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics",
    "notification", "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock",
    "renameObject", "replication", "requestPayment", "restore", "retention", "select", "session", "tagging",
    "torrent", "versionId", "website",
})  # fmt: skip
"""What a query can ask for beside an object or a bucket itself, and rclone would take for the object or the bucket."""

_CONDITIONS = ("if-match", "if-none-match")
_MESSAGES = {
    "NoSuchKey": "The specified key does not exist.",
    "NoSuchUpload": "The specified multipart upload does not exist.",
    "BucketNotEmpty": "The bucket you tried to delete is not empty",
}  # AWS: S3's error responses
_CODE = re.compile(rb"<Code>(\w+)</Code>")


def check(request: Request) -> None:
    """Raises AwsError for what is not here: tags of an object, say, would become the object."""
    asked = {name for name, _ in parse_qsl(request.query, keep_blank_values=True)}
    if found := sorted(asked & UNSUPPORTED):
        raise AwsError("NotImplemented", f"{found[0]!r} is not supported by the local S3", 501)
    if request.method in ("PUT", "POST") and (
        found := [name for name in _CONDITIONS if name in request.headers]
    ):
        raise AwsError("NotImplemented", f"the local S3 does not honour {found[0]} of what it stores", 501)


def is_own_bucket(request: Request, code: str) -> bool:
    """Whether a bucket was made that is there already, which in us-east-1 is no error (AWS: CreateBucket)."""
    return request.method == "PUT" and code == "BucketAlreadyExists"


def with_message(body: bytes) -> tuple[str, bytes]:
    """The code of an error, and its body with a message, which clients expect to be there."""
    found = _CODE.search(body)
    code = found[1].decode() if found else ""
    if found and b"<Message>" not in body:
        message = f"<Message>{_MESSAGES.get(code, code)}</Message>"
        body = body[: found.end()] + message.encode() + body[found.end() :]
    return code, body

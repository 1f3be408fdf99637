"""Tags of everything that has an ARN: AddTags, ListTags, DeleteTags, and the Tags of Create requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from trainyard.errors import AlreadyExists, NotFound, UserError
from trainyard.execution.request import ARN
from trainyard.execution.resources import TAGS
from trainyard.execution.store import Store
from trainyard.local_aws.context import Context, Handler
from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.sagemaker.listing import page

_MOST = 50
_PAGE = 50

Tags = list[dict[str, str]]


def check(request: Mapping[str, Any]) -> None:
    """Raises AwsError for Tags of a request that a resource cannot have."""
    given = request.get("Tags", [])
    keys = [tag["Key"] for tag in given]
    if len(keys) != len(set(keys)):
        raise AwsError("ValidationException", "Duplicate tag keys found. Tag keys must be unique.")
    for key in keys:
        if key.lower().startswith("aws:"):
            raise AwsError("ValidationException", f"Tag key {key!r}: keys that begin with aws: are reserved")


def keep(store: Store, arn: str, request: Mapping[str, Any]) -> Tags:
    """Add the Tags of a request to those of a resource, in place of those with the same keys; all of them."""
    given = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}

    def add(tags: Tags) -> Tags:
        now = {**{tag["Key"]: tag["Value"] for tag in tags}, **given}
        if len(now) > _MOST:
            raise AwsError(
                "ValidationException", f"{arn} would have {len(now)} tags; at most {_MOST} are possible"
            )
        return [{"Key": key, "Value": value} for key, value in now.items()]

    return _change(store, arn, add) if given else of(store, arn)


def of(store: Store, arn: str) -> Tags:
    found = store.resources.find(TAGS, arn)
    tags: Tags = found["Tags"] if found else []
    return tags


def forget(store: Store, arn: str) -> None:
    """Remove the tags of a resource that is removed."""
    with suppress(NotFound):
        store.resources.remove(TAGS, arn)


def add_tags(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    arn = _existing(context.store, request["ResourceArn"])
    check(request)
    return {"Tags": keep(context.store, arn, request)}


def list_tags(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    arn = _existing(context.store, request["ResourceArn"])
    return page(
        request,
        of(context.store, arn),
        summary=lambda tag: tag,
        sort_keys={"Key": "Key"},
        default_sort="Key",
        name="Key",
        key="Tags",
        size=_PAGE,
    )


def delete_tags(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    arn = _existing(context.store, request["ResourceArn"])
    gone: Sequence[str] = request["TagKeys"]
    _change(context.store, arn, lambda tags: [tag for tag in tags if tag["Key"] not in gone])
    return {}


def _change(store: Store, arn: str, change: Callable[[Tags], Tags]) -> Tags:
    while True:
        try:
            changed = store.resources.change(TAGS, arn, lambda found: {"Tags": change(found["Tags"])})
        except NotFound:
            with suppress(AlreadyExists):
                store.resources.add(TAGS, arn, {"Tags": []})
        else:
            tags: Tags = changed["Tags"]
            return tags


def _existing(store: Store, arn: str) -> str:
    """The ARN, if there is such a resource; raises AwsError."""
    kind, _, name = arn.removeprefix(f"{ARN}:").partition("/")
    try:
        if arn.startswith(f"{ARN}:") and _exists(store, kind, name, arn):
            return arn
    except UserError:
        pass
    raise AwsError("ValidationException", f'Could not find the resource "{arn}".')


def _exists(store: Store, kind: str, name: str, arn: str) -> bool:
    if kind == "model-package-group":
        return any(group["ModelPackageGroupArn"] == arn for group in store.registry.groups())
    if kind == "model-package":
        return bool(store.registry.describe(arn))
    # some names are the same in capitals and small letters, and kept in small ones
    return any(store.resources.find(kind, spelt) for spelt in (name, name.lower()))


OPERATIONS: dict[str, Handler] = {"AddTags": add_tags, "ListTags": list_tags, "DeleteTags": delete_tags}

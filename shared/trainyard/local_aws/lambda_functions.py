"""The operations of Lambda's API on functions: made, described, changed, listed, deleted."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from trainyard.errors import AlreadyExists, DataError, NotFound, StoreError
from trainyard.execution import functions
from trainyard.execution.found_functions import ARN, LATEST
from trainyard.execution.function_code import MAX_ZIP_BYTES
from trainyard.execution.functions import Reference, read_reference
from trainyard.execution.s3 import parse_uri
from trainyard.execution.store import Store
from trainyard.local_aws.messages import AwsError

Operation = Callable[[Store, dict[str, Any]], Mapping[str, Any]]
_NO_SETTINGS = ("FunctionName", "Code", "Publish", "PublishTo", "Tags", "RevisionId")
_PAGE = 50


def _create(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    reference = read_reference(given["FunctionName"])
    if given.get("PackageType", "Zip") != "Zip" or "ImageUri" in given["Code"]:
        raise DataError("functions of container images cannot run here; give a zip with Runtime and Handler")
    for name in ("Runtime", "Handler"):
        if name not in given:
            raise DataError(f"{name} is required for functions of a zip")
    settings = {**_settings(given), "Tags": given.get("Tags", {})}
    made = functions.create(store, reference.name, settings, _content(store, given["Code"]))
    return functions.publish(store, reference.name) if given.get("Publish") else made


def _update_code(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    name = _own(store, given)["FunctionName"]
    content = _content(store, given)
    if given.get("DryRun"):
        return functions.describe(store, Reference(name))
    changed = functions.update_code(store, name, content)
    return functions.publish(store, name) if given.get("Publish") else changed


def _update_settings(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    return functions.update_settings(store, _own(store, given)["FunctionName"], _settings(given))


def _describe(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    return functions.describe(store, _reference(given))


def _get(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    document = _describe(store, given)
    tags = functions.describe(store, Reference(_reference(given).name)).get("Tags")
    return {"Configuration": document, "Code": {}, "Tags": tags or None}


def _delete(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    functions.delete(store, _reference(given))
    return {}


def _list(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    found = functions.all_functions(store)
    if given.get("FunctionVersion") == "ALL":
        found = [each for one in found for each in (one, *_versions(one))]
    page, marker = _page(found, given)
    return {"Functions": page, "NextMarker": marker}


def _publish(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    return functions.publish(store, _own(store, given)["FunctionName"], given.get("Description", ""))


def _list_versions(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    document = functions.describe(store, Reference(_reference(given).name))
    latest = {**document, "FunctionArn": f"{document['FunctionArn']}:{LATEST}"}
    page, marker = _page([latest, *_versions(document)], given)
    return {"Versions": page, "NextMarker": marker}


def _add_permission(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    """Kept and shown, and without effect: everybody on this machine may invoke."""
    name, statement_id = _own(store, given)["FunctionName"], given["StatementId"]
    principal = given["Principal"]
    statement = {
        "Sid": statement_id,
        "Effect": "Allow",
        "Principal": {"Service": principal} if "." in principal else {"AWS": principal},
        "Action": given["Action"],
        "Resource": f"{ARN}{name}",
    }
    if source := given.get("SourceArn"):
        statement["Condition"] = {"ArnLike": {"AWS:SourceArn": source}}

    def add(document: dict[str, Any]) -> dict[str, Any]:
        if statement_id in document["Policy"]:
            message = f"The statement id ({statement_id}) provided already exists. Please provide a new statement id."
            raise AlreadyExists(message)
        return {**document, "Policy": {**document["Policy"], statement_id: statement}}

    store.resources.change(functions.KIND, name, add)
    return {"Statement": json.dumps(statement)}


def _remove_permission(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    def remove(document: dict[str, Any]) -> dict[str, Any]:
        rest = {key: value for key, value in document["Policy"].items() if key != given["StatementId"]}
        if len(rest) == len(document["Policy"]):
            raise NotFound(f"Statement {given['StatementId']} is not found in resource policy.")
        return {**document, "Policy": rest}

    store.resources.change(functions.KIND, _own(store, given)["FunctionName"], remove)
    return {}


def _policy(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    document = _own(store, given)
    if not document["Policy"]:
        raise NotFound("The resource you requested does not exist.")
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": list(document["Policy"].values())}
    return {"Policy": json.dumps(policy), "RevisionId": document["RevisionId"]}


def _tags(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    return {"Tags": functions.describe(store, read_reference(given["Resource"])).get("Tags", {})}


def _tag(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    _change_tags(store, given, lambda tags: {**tags, **given["Tags"]})
    return {}


def _untag(store: Store, given: dict[str, Any]) -> Mapping[str, Any]:
    gone = given["TagKeys"]
    _change_tags(store, given, lambda tags: {key: value for key, value in tags.items() if key not in gone})
    return {}


OPERATIONS: dict[str, Operation] = {
    "AddPermission": _add_permission,
    "CreateFunction": _create,
    "DeleteFunction": _delete,
    "GetFunction": _get,
    "GetFunctionConfiguration": _describe,
    "GetPolicy": _policy,
    "ListFunctions": _list,
    "ListTags": _tags,
    "ListVersionsByFunction": _list_versions,
    "PublishVersion": _publish,
    "RemovePermission": _remove_permission,
    "TagResource": _tag,
    "UntagResource": _untag,
    "UpdateFunctionCode": _update_code,
    "UpdateFunctionConfiguration": _update_settings,
}


def download(store: Store, name: str) -> bytes:
    """A function's zip, as it was given or, of one that was found, of its files. Raises NotFound."""
    document = functions.describe(store, read_reference(name))
    if kept := functions.zip_file(store, document):
        return kept.read_bytes()
    folder = functions.code(store, document)
    module = f"{document['FunctionName']}.py"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in [folder / module] if (folder / module).is_file() else sorted(folder.rglob("*.py")):
            archive.write(path, path.relative_to(folder).as_posix())
    return content.getvalue()


def _own(store: Store, given: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a function that was made here: one that was found is changed in its file."""
    reference = read_reference(given["FunctionName"])
    document = functions.describe(store, Reference(reference.name))
    if functions.zip_file(store, document) is None:
        raise DataError(
            f"{reference.name} {document['Description']}; change it there, or choose another name"
        )
    if given.get("RevisionId") not in (None, document["RevisionId"]):
        message = (
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetFunction API to retrieve the latest Revision Id"
        )
        raise AwsError("PreconditionFailedException", message, 412)
    return document


def _reference(given: Mapping[str, Any]) -> Reference:
    return read_reference(given["FunctionName"], given.get("Qualifier", ""))


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The members of FunctionConfiguration; empty objects, as the SageMaker SDK sends them, count as absent."""
    return {key: value for key, value in given.items() if key not in _NO_SETTINGS and value not in ({}, [])}


def _content(store: Store, code: Mapping[str, Any]) -> bytes:
    """The zip in the request, or in S3."""
    if "ZipFile" in code:
        return bytes(code["ZipFile"])
    if "S3Bucket" not in code or "S3Key" not in code:
        raise DataError("Please provide a source for function code: ZipFile, or S3Bucket and S3Key")
    try:
        uri = parse_uri(f"s3://{code['S3Bucket']}/{code['S3Key']}")
        path = store.objects.path(uri)
        if path.is_file() and path.stat().st_size > MAX_ZIP_BYTES:
            raise DataError(f"{uri} is larger than a function's zip may be ({MAX_ZIP_BYTES} bytes)")
        return store.objects.read(uri)
    except StoreError as error:
        raise DataError(
            f"Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: {error}"
        ) from error


def _versions(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [document["Published"][number] for number in sorted(document["Published"], key=int)]


def _page(items: list[dict[str, Any]], given: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    marker = given.get("Marker") or "0"
    if not marker.isdecimal() or int(marker) > len(items):
        raise DataError(f"Invalid Marker: {marker!r}; give the NextMarker of the page before")
    start, count = int(marker), min(int(given.get("MaxItems", _PAGE)), _PAGE)
    more = start + count < len(items)
    return items[start : start + count], str(start + count) if more else None


def _change_tags(
    store: Store, given: Mapping[str, Any], change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    name = _own(store, {"FunctionName": given["Resource"]})["FunctionName"]
    store.resources.change(
        functions.KIND, name, lambda document: {**document, "Tags": change(document.get("Tags", {}))}
    )

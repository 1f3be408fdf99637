"""Lambda functions: those made through the API, and those found under ``pipelines/lambdas``."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainyard.errors import AlreadyExists, DataError, NotFound
from trainyard.execution import found_functions, function_code, invocation
from trainyard.execution.found_functions import ARN, LATEST, RUNTIME
from trainyard.execution.invocation import Function, Invocation
from trainyard.execution.request import StopSignal
from trainyard.execution.resources import Document
from trainyard.execution.store import Store

KIND = "function"
_REFERENCE = re.compile(
    r"(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:)?(?:\d{12}:)?(?:function:)?"
    r"(?P<name>[A-Za-z0-9_-]{1,64})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)
_RESERVED = re.compile(
    r"_HANDLER|_X_AMZN_TRACE_ID|AWS_(DEFAULT_)?REGION|AWS_EXECUTION_ENV|AWS_LAMBDA_.*|AWS_ACCESS_KEY(_ID)?|"
    r"AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|LAMBDA_(TASK_ROOT|RUNTIME_DIR)"
)


@dataclass(frozen=True)
class Reference:
    """Which function, and which version of it: ``$LATEST`` or a number."""

    name: str
    qualifier: str = LATEST

    @property
    def arn(self) -> str:
        return f"{ARN}{self.name}"


def read_reference(text: str, qualifier: str = "") -> Reference:
    """A name, a partial ARN or a whole one, of any region and account. Raises DataError."""
    match = _REFERENCE.fullmatch(text)
    if match is None or (qualifier and match["qualifier"] not in (None, qualifier)):
        raise DataError(f"{text!r} is no function; possible: NAME, NAME:VERSION and ARNs that end so")
    return Reference(match["name"], qualifier or match["qualifier"] or LATEST)


def create(store: Store, name: str, settings: Mapping[str, Any], content: bytes) -> Document:
    """A function of a zip and the members of FunctionConfiguration that ``settings`` has.

    Raises AlreadyExists, or DataError for a zip, runtime or environment that cannot run here.
    """
    if store.resources.find(KIND, name) is not None:
        raise AlreadyExists(f"Function already exist: {name}")
    _check(settings)
    document = {
        "FunctionName": name,
        "FunctionArn": f"{ARN}{name}",
        "Runtime": RUNTIME,
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": LATEST,
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "TracingConfig": {"Mode": "PassThrough"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "Published": {},
        "Policy": {},
        **settings,
        **_kept(store, name, content),
        **_changed(),
    }
    store.resources.add(KIND, name, document)
    return document


def update_code(store: Store, name: str, content: bytes) -> Document:
    """Raises NotFound, or DataError for a zip that cannot be used."""
    function_code.leave(home(store, name), _digest(store.resources.get(KIND, name)))
    code = _kept(store, name, content)
    changed = store.resources.change(KIND, name, lambda document: {**document, **code, **_changed()})
    versions = (changed, *changed["Published"].values())
    function_code.drop_others(home(store, name), {_digest(each) for each in versions})
    return changed


def update_settings(store: Store, name: str, settings: Mapping[str, Any]) -> Document:
    """Raises as ``create`` does, and NotFound."""
    _check(settings)
    return store.resources.change(KIND, name, lambda document: {**document, **settings, **_changed()})


def publish(store: Store, name: str, description: str = "") -> Document:
    """Freeze what the function is now as its next version; unchanged since the last one, it stays that one."""

    def freeze(document: Document) -> Document:
        versions = document["Published"]
        last = versions.get(str(max(map(int, versions), default=0)))
        if last is not None and last["RevisionOf"] == document["RevisionId"]:
            return document
        number = str(document.get("LastVersion", 0) + 1)
        frozen = {key: value for key, value in document.items() if key not in ("Published", "Policy", "Tags")}
        frozen |= {
            "Version": number,
            "FunctionArn": f"{ARN}{name}:{number}",
            "RevisionOf": document["RevisionId"],
        }
        frozen |= {"Description": description} if description else {}
        return {**document, "Published": {**versions, number: frozen}, "LastVersion": int(number)}

    published = store.resources.change(KIND, name, freeze)["Published"]
    newest: Document = published[str(max(map(int, published)))]
    return newest


def delete(store: Store, reference: Reference) -> None:
    """The function, or one published version of it; its logs stay. Raises NotFound."""
    function_code.leave(home(store, reference.name), _digest(describe(store, reference)))
    if reference.qualifier == LATEST:
        store.resources.remove(KIND, reference.name)
        shutil.rmtree(home(store, reference.name), ignore_errors=True)
        return

    def without(document: Document) -> Document:
        rest = {key: value for key, value in document["Published"].items() if key != reference.qualifier}
        return {**document, "Published": rest}

    store.resources.change(KIND, reference.name, without)


def describe(store: Store, reference: Reference) -> Document:
    """The FunctionConfiguration of a function that was made through the API, or of one that was found.

    Raises NotFound.
    """
    document = store.resources.find(KIND, reference.name) or found_functions.find(reference.name)
    if document is not None and reference.qualifier != LATEST:
        document = document["Published"].get(reference.qualifier)
    if document is None:
        version = "" if reference.qualifier == LATEST else f":{reference.qualifier}"
        raise NotFound(f"Function not found: {reference.arn}{version}")
    return document


def all_functions(store: Store) -> list[Document]:
    """Those that were made, then those that were only found."""
    made = store.resources.all(KIND)
    names = {document["FunctionName"] for document in made}
    found = found_functions.find_all()
    return made + [each for each in found if each["FunctionName"] not in names]


def invoke(
    store: Store,
    function: str,
    payload: bytes = b"{}",
    *,
    qualifier: str = "",
    endpoint_url: str = "",
    stop: StopSignal | None = None,
    client_context: str = "",
) -> Invocation:
    """Run a function, given by name or ARN, on a JSON payload, to its end.

    Raises NotFound or DataError; a function that fails is an Invocation with an ``error``.
    """
    reference = read_reference(function, qualifier)
    document = describe(store, reference)
    resolved = Function(
        name=reference.name,
        arn=document["FunctionArn"],
        version=document["Version"],
        runtime=document["Runtime"],
        handler=document["Handler"],
        timeout=document["Timeout"],
        memory=document["MemorySize"],
        code=code(store, document),
        environment=document.get("Environment", {}).get("Variables", {}),
    )
    return invocation.run(
        resolved,
        store.home / "function-runs",
        store.home / "functions" / reference.name,
        payload,
        endpoint_url=endpoint_url,
        stop=stop,
        client_context=client_context,
    )


def home(store: Store, name: str) -> Path:
    """Where the store has a function's code; below ``functions/<name>`` are its logs alone."""
    return store.home / "function-code" / name


def code(store: Store, document: Mapping[str, Any]) -> Path:
    """The folder that a function is imported from."""
    if found := found_functions.folder_of(document):
        return found
    return home(store, document["FunctionName"]) / _digest(document) / "task"


def zip_file(store: Store, document: Mapping[str, Any]) -> Path | None:
    """The zip that a function was made of; one that was found has none."""
    if found_functions.folder_of(document):
        return None
    return function_code.zipped(home(store, document["FunctionName"]), _digest(document))


def _digest(document: Mapping[str, Any]) -> str:
    return base64.b64decode(document["CodeSha256"]).hex()


def _kept(store: Store, name: str, content: bytes) -> Document:
    digest = hashlib.sha256(content)
    function_code.keep(home(store, name), digest.hexdigest(), content)
    return {"CodeSha256": base64.b64encode(digest.digest()).decode(), "CodeSize": len(content)}


def _changed() -> Document:
    now = datetime.fromtimestamp(time.time(), UTC)
    return {"LastModified": f"{now:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "+0000", "RevisionId": str(uuid.uuid4())}


def _check(settings: Mapping[str, Any]) -> None:
    runtime = settings.get("Runtime", RUNTIME)
    if not re.fullmatch(r"python3\.\d+", runtime):
        raise DataError(f"the runtime {runtime!r} cannot run here; possible: python3.x, run by this Python")
    if settings.get("Layers"):
        raise DataError("Layers cannot be used here; put what the function imports into its zip")
    variables = settings.get("Environment", {}).get("Variables", {})
    reserved = [name for name in variables if _RESERVED.fullmatch(name)]
    if reserved:
        raise DataError(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )

"""Lambda functions that are files of this repository, below ``pipelines/lambdas``."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainyard.execution.request import REGION
from trainyard.execution.resources import Document
from trainyard.families import repository_root

LATEST = "$LATEST"
ARN = f"arn:aws:lambda:{REGION}:000000000000:function:"
RUNTIME = "python3.11"
_TIMEOUT, _MEMORY = 120, 512


def find_all() -> list[Document]:
    folder = _folder()
    names = sorted({path.stem for path in folder.iterdir()}) if folder.is_dir() else []
    return [each for each in map(find, names) if each is not None]


def folder_of(document: Mapping[str, Any]) -> Path | None:
    """Where a function was found; None for one that was made."""
    return Path(document["Folder"]) if "Folder" in document else None


def find(name: str) -> Document | None:
    """``<name>.py`` with a ``lambda_handler``, or ``<name>/lambda_function.py`` with one, as AWS's console makes it."""
    folder = _folder()
    file, handler = folder / f"{name}.py", f"{name}.lambda_handler"
    if not file.is_file():
        folder = folder / name
        file, handler = folder / "lambda_function.py", "lambda_function.lambda_handler"
    if not file.is_file() or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) or name.startswith("__"):
        return None
    files = [file] if file.stem == name else sorted(path for path in folder.rglob("*.py") if path.is_file())
    digest = _digest_of(folder, files)
    stat = file.stat()
    return {
        "FunctionName": name,
        "FunctionArn": f"{ARN}{name}",
        "Runtime": RUNTIME,
        "Role": "arn:aws:iam::000000000000:role/found",
        "Handler": handler,
        "Description": f"found at {file.relative_to(repository_root())}",
        "Timeout": _TIMEOUT,
        "MemorySize": _MEMORY,
        "Version": LATEST,
        "PackageType": "Zip",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "LastModified": f"{datetime.fromtimestamp(stat.st_mtime, UTC):%Y-%m-%dT%H:%M:%S}.000+0000",
        "CodeSha256": digest,
        "CodeSize": sum(path.stat().st_size for path in files),
        "Folder": str(folder),
        "Published": {},
    }


def _folder() -> Path:
    return repository_root() / "pipelines" / "lambdas"


def _digest_of(folder: Path, files: list[Path]) -> str:
    whole = hashlib.sha256()
    for path in files:
        whole.update(f"{path.relative_to(folder)}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return base64.b64encode(whole.digest()).decode()

"""What a run is given on the command line: parameters, definitions, the revision of the repository."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainyard.errors import UsageError

REVISION_PARAMETER = "GitRevision"


def settings(texts: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` texts as parameters, and those of files, as ``@FILE``; later ones count. Raises UsageError.

    A file holds ``{NAME: VALUE}``, or what ``aws sagemaker start-pipeline-execution`` takes:
    ``[{"Name": NAME, "Value": VALUE}]``.
    """
    values: dict[str, str] = {}
    for text in texts:
        if text.startswith("@"):
            values |= _of_file(text)
            continue
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise UsageError(f"--set {text!r}: write NAME=VALUE, for example --set Horizon=14, or @FILE.json")
        values[name] = value
    return values


def _of_file(text: str) -> dict[str, str]:
    content = _json(f"--set {text!r}", text[1:])
    try:
        if isinstance(content, list):
            content = {each["Name"]: each["Value"] for each in content}
        return {
            name: value if isinstance(value, str) else json.dumps(value) for name, value in content.items()
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise UsageError(
            f'--set {text!r} holds no parameters; write {{"NAME": VALUE}} or [{{"Name": "NAME", "Value": "VALUE"}}]'
        ) from error


def read_definition(file: str) -> dict[str, Any]:
    """The JSON of a definition file; raises UsageError."""
    document = _json(f"--definition {file!r}", file)
    if not isinstance(document, dict):
        raise UsageError(f"--definition {file!r} is not a pipeline definition: it holds no JSON object")
    return document


def _json(option: str, file: str) -> Any:
    from trainyard.definition import document as documents

    try:
        return json.loads(Path(file).read_text(encoding="utf-8-sig"), object_pairs_hook=documents.unique_keys)
    except RecursionError:
        raise UsageError(f"{option} is nested too deeply to be read") from None
    except OSError as error:
        raise UsageError(f"{option} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{option} is not JSON: {error}") from error


def with_revision(definition: Mapping[str, Any], parameters: Mapping[str, str], root: Path) -> dict[str, str]:
    """The parameters with ``GitRevision``, where the definition has it and nobody gave it: the commit of ``root``.

    It ends with ``-dirty`` where files of the commit are changed; it stays away where git has none to tell.
    """
    names = {parameter["Name"] for parameter in definition["Parameters"]}
    if REVISION_PARAMETER not in names or REVISION_PARAMETER in parameters:
        return dict(parameters)
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return dict(parameters)
    return {**parameters, REVISION_PARAMETER: told}

"""Who we are to an image registry: what ``docker login`` has stored, or its credential helper tells."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any


def credentials(host: str) -> str:
    """``user:password`` in base64, as ``docker login`` has stored it or its credential helper tells it."""
    folder = Path(os.environ.get("DOCKER_CONFIG", "~/.docker")).expanduser()
    try:
        config = _object(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return ""
    helper = _object(config.get("credHelpers")).get(host) or config.get("credsStore")
    told = _told(helper, host) if helper else ""
    auth = told or str(_object(_object(config.get("auths")).get(host)).get("auth") or "")
    return auth if re.fullmatch(r"[A-Za-z0-9+/=]*", auth) else ""


def _told(helper: str, host: str) -> str:
    """What a credential helper says; nothing where it is missing or refuses, as docker has it."""
    try:
        ended = subprocess.run(
            [f"docker-credential-{helper}", "get"], input=host.encode(), capture_output=True, check=True
        )
        told = json.loads(ended.stdout)
        return base64.b64encode(f"{told['Username']}:{told['Secret']}".encode()).decode()
    except (OSError, subprocess.CalledProcessError, ValueError, LookupError, TypeError):
        return ""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

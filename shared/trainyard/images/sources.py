"""Packages that come as source: where this machine has each from, what identifies it, and whether it can be had."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from trainyard.errors import SourceUnavailable
from trainyard.families import Family, Source
from trainyard.images.files import file_digest, walk

CONTEXT = "sources"
"""The folder of build contexts that holds folders and files given as sources; a family's Dockerfile mounts it."""

CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Where pip and Python look for certificate authorities."""

_SECONDS = 10
_ARCHIVES = (".whl", ".tar.gz", ".zip")
_GIT_URL = re.compile(r"git\+(https?|ssh|file)://\S+")
# what earlier builds left in a folder; objects of other versions of its requirements would be linked
_LEFT_BY_BUILDS = re.compile(r"(build|dist|\.git|[^/]*\.egg-info)(/.*)?")


@dataclass(frozen=True, kw_only=True)
class Given:
    """A source as this machine is to get it: ``value`` is a git URL where ``path`` is none."""

    source: Source
    value: str
    path: Path | None

    @cached_property
    def files(self) -> dict[str, Path]:
        """Path in a build context -> file, sorted; none of a git URL."""
        if self.path is None:
            return {}
        inside = {file.relative_to(self.path).as_posix(): file for file in walk(self.path)}
        if self.path.is_file():
            inside = {self.path.name: self.path}
        wanted = {name: file for name, file in inside.items() if not _LEFT_BY_BUILDS.fullmatch(name)}
        return {f"{CONTEXT}/{self.source.package}/{name}": wanted[name] for name in sorted(wanted)}

    @property
    def digests(self) -> dict[str, str]:
        """Path in a build context -> digest of the file. Raises ImageError for what cannot be read."""
        return {name: file_digest(file) for name, file in self.files.items()}

    @property
    def identity(self) -> str:
        """The text of a git URL, or a sha256 (hex) of what was given, wherever it lies."""
        if self.path is None:
            return self.value
        return hashlib.sha256(json.dumps(self.digests).encode()).hexdigest()

    @property
    def argument(self) -> str:
        """What a Dockerfile is told: a git URL, or a path below the build context."""
        if self.path is None:
            return self.value
        return f"/{CONTEXT}/{self.source.package}" + (f"/{self.path.name}" if self.path.is_file() else "")

    @property
    def shown(self) -> str:
        """``value`` without a password."""
        return re.sub(r"//[^/@]*@", "//", self.value)


def given(source: Source, environment: Mapping[str, str] = os.environ) -> Given:
    """What the source's variable says, or its default.

    Raises SourceUnavailable for a path where nothing is that can be installed, or what is no path.
    """
    value = environment.get(source.variable) or source.default
    if _GIT_URL.fullmatch(value):
        return Given(source=source, value=value, path=None)
    path = Path(value).expanduser().resolve()
    if "://" in value:
        reason = "that is no git URL such as git+https://HOST/PATH@COMMIT"
    elif path.is_dir():
        reason = "" if _builds(path) else "that folder has neither a pyproject.toml nor a setup.py"
    elif path.is_file():
        reason = "" if path.name.endswith(_ARCHIVES) else f"that file is none of {', '.join(_ARCHIVES)}"
    else:
        reason = "there is no such file or folder"
    if reason:
        raise unavailable(source, f"{source.variable}={value}", reason)
    return Given(source=source, value=str(path), path=path)


def of_family(family: Family) -> list[Given]:
    """Each of the family's sources; raises as ``given`` does."""
    return [given(source) for source in family.image.sources]


def require(wanted: Given) -> None:
    """Find out in a few seconds whether the source can be had; raises SourceUnavailable if not."""
    if wanted.path is not None:
        return
    address = wanted.value.removeprefix("git+").partition("#")[0]
    scheme, host, path, *_ = urlsplit(address)
    address = f"{scheme}://{host}{path.partition('@')[0]}"
    try:
        ended = subprocess.run(
            ["git", "ls-remote", "--quiet", address, "HEAD"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            env={**os.environ, **git_variables()},
        )
    except subprocess.TimeoutExpired:
        reason = f"git had no answer from there within {_SECONDS} s"
    except OSError as error:
        reason = f"git cannot be run: {error.strerror}"
    else:
        if ended.returncode == 0:
            return
        reason = (
            " ".join(ended.stderr.decode("utf-8", "replace").split()) or f"git ended with {ended.returncode}"
        )
    raise unavailable(wanted.source, wanted.shown, reason)


def git_variables() -> dict[str, str]:
    """For git: nobody is to be asked for a password, and pip's certificate authorities are git's."""
    found = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=8",
    }
    for variable in CA_VARIABLES:
        if "GIT_SSL_CAINFO" not in os.environ and Path(os.environ.get(variable, "")).is_file():
            return {**found, "GIT_SSL_CAINFO": os.environ[variable]}
    return found


def unavailable(source: Source, tried: str, reason: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"{source.package} is on no package index, and its source cannot be had: {tried}: {reason}; "
        f"make that reachable, or set {source.variable} to a git URL (git+https://HOST/PATH@COMMIT), a folder "
        "or a wheel of it"
    )


def _builds(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("pyproject.toml", "setup.py"))

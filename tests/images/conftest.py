"""A repository of two small families, one of them with an image that builds in a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainyard.families import Family, load
from trainyard.images import recipe

IGNORED = "# not in the image\nREADME.md\nexample/\nfamily.toml\n.dockerignore\n*.log\n!keep.log\n**/notes\n"
DOCKERFILE = """
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip.conf \\
    cat /run/secrets/pip.conf > /dev/null 2>&1 && echo read > /pip.conf.was || echo none > /pip.conf.was
COPY shared/trainyard /opt/trainyard/trainyard
COPY containers/tiny /opt/ml/code
ARG SERVER
ENV TRAINYARD_SERVER=${SERVER}
ENTRYPOINT ["/usr/bin/env"]
"""
MANIFEST = """
name = "{name}"
owner = "@a/b"
description = "For tests."
[image]
base = "python:3.11@sha256:{digest}"
architectures = ["amd64"]
[training]
instance = "ml.m5.large"
[serving]
server = "pooled"
content_types = ["application/json"]
accept = ["application/json"]
instance = "ml.m5.large"
[example]
generate = "example/generate.py"
request = "example/request.json"
answer = "example/answer.json"
bad_requests = "example/bad_requests.json"
"""
FILES = {
    "train.py": "print('train')",
    "inference.py": "",
    "Dockerfile": DOCKERFILE,
    "models/net.py": "x = 1",
    "models/notes": "none",
    "README.md": "read",
    "example/generate.py": "",
    "example/request.json": "{}",
    "example/answer.json": "{}",
    "example/bad_requests.json": "[]",
    "a.log": "",
    "keep.log": "",
    "__pycache__/train.pyc": "",
    "models/__pycache__/net.pyc": "",
    ".dockerignore": IGNORED,
}
OF_THE_IMAGE = ["Dockerfile", "inference.py", "keep.log", "models/net.py", "train.py"]
SHARED = {
    "shared/trainyard/__init__.py": "",
    "shared/trainyard/errors.py": "",
    "shared/trainyard/in_image/metrics.py": "y = 1",
    "shared/trainyard/in_image/bin/train": "#!/bin/sh\n",
    "shared/trainyard/in_image/__pycache__/metrics.pyc": "",
    "shared/docker/install": "#!/bin/sh\n",
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Families ``tiny`` and ``other``; no base image of the environment's, no secrets."""
    for variable in (
        recipe.BASE_VARIABLE,
        "PIP_CERT",
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "PIP_CONFIG_FILE",
    ):
        monkeypatch.delenv(variable, raising=False)
    files = dict(SHARED)
    for name in ("tiny", "other"):
        files |= {f"containers/{name}/{path}": text.replace("tiny", name) for path, text in FILES.items()}
        files[f"containers/{name}/family.toml"] = MANIFEST.format(name=name, digest="0" * 64)
    for name, text in files.items():
        (tmp_path / "repository" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "repository" / name).write_text(text)
    (tmp_path / "repository" / "shared/trainyard/in_image/bin/train").chmod(0o755)
    return tmp_path / "repository"


@pytest.fixture
def tiny(repository: Path) -> Family:
    return load(repository / "containers" / "tiny")


@pytest.fixture
def other(repository: Path) -> Family:
    return load(repository / "containers" / "other")


@pytest.fixture
def pinned_base(registry, engine, base_image, repository, monkeypatch):
    """The base image of the tests, by its digest: only a registry gives it one."""
    name = f"{registry.host}/base:test"
    engine.run("tag", base_image, name)
    engine.run("push", name)
    monkeypatch.setenv(recipe.BASE_VARIABLE, f"{registry.host}/base@{registry.find('base', 'test').digest}")
    yield
    built = engine.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "trainyard/tiny").split()
    engine.run("rmi", "--no-prune", name, *built)

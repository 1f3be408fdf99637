"""A repository of two small families, built as in CodeBuild: a loopback registry, and moto for AWS's API."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, free_port, wait_until
from tests.images.conftest import MANIFEST
from trainyard.images.engine import Engine
from trainyard.images.remote import ImageRegistry

ROOMS = ("ci", "shared", "requirements")
TOY = ROOT / "tests" / "preflight" / "toy"
DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ENV PATH=/opt/ml/code:$PATH PYTHONPATH=/opt/trainyard
COPY shared/trainyard /opt/trainyard/trainyard
COPY containers/NAME /opt/ml/code
WORKDIR /opt/ml/code
"""


@pytest.fixture(scope="session")
def ci_tools() -> Path:
    """The folder of syft, hadolint and moto_server."""
    folder = Path(sys.prefix) / "bin"
    missing = [name for name in ("syft", "hadolint", "moto_server") if not (folder / name).exists()]
    if missing:
        reason = f"{folder} lacks {', '.join(missing)}: python3 -m ci.setup gets them"
        if os.environ.get("TRAINYARD_TEST_CI") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def moto(ci_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that answers as AWS does."""
    import boto3

    url = f"http://127.0.0.1:{free_port()}"
    command = [ci_tools / "moto_server", "-H", "127.0.0.1", "-p", url.rpartition(":")[2]]
    with (tmp_path_factory.mktemp("moto") / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
        client = boto3.client("ecr", endpoint_url=url, region_name="us-east-1", **keys)
        wait_until(lambda: _answers(client))
        yield url
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def aws(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: ImageRegistry) -> Any:
    """A client of moto's ECR; the environment leads to it, and to the registry that stands in for the images."""
    import boto3

    for variable in [
        name for name in os.environ if name.startswith(("AWS_", "CODEBUILD_", "TRAINYARD_SCAN"))
    ]:
        monkeypatch.delenv(variable)
    for name, value in {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "TRAINYARD_REGISTRY": registry.host,
    }.items():
        monkeypatch.setenv(name, value)
    return boto3.client("ecr")


def _answers(client: Any) -> bool:
    from botocore.exceptions import BotoCoreError

    try:
        return bool(client.describe_repositories() or True)
    except BotoCoreError:
        return False


@dataclass(frozen=True)
class Project:
    """A repository under git with two small families, of names that no other test has."""

    folder: Path
    families: tuple[str, str]
    output: Path

    def family(self, index: int) -> Path:
        return self.folder / "containers" / self.families[index]

    def commit(self) -> str:
        """Commit all there is; the answer is the revision."""
        self.run("git", "add", ".")
        self.run(
            "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "change", "--allow-empty"
        )
        return self.run("git", "rev-parse", "HEAD").strip()

    def run(self, *command: str) -> str:
        ended = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def release(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [".venv/bin/python", "-m", "ci.release", command],
            cwd=self.folder,
            capture_output=True,
            text=True,
        )

    def codebuild(self, *arguments: str) -> tuple[dict[str, Any], str]:
        """The result that the local runner gives, and what the commands said."""
        output = self.output / secrets.token_hex(4)
        command = [".venv/bin/python", "-m", "ci.local_codebuild", "--in-place", "--json"]
        ended = subprocess.run(
            [*command, "--output", str(output), *arguments], cwd=self.folder, capture_output=True, text=True
        )
        assert ended.stdout, ended.stderr
        return json.loads(ended.stdout), ended.stderr


@pytest.fixture
def project(pinned_base: None, aws: Any, engine: Engine, tmp_path: Path) -> Iterator[Project]:
    """Two families whose images are made in a moment, and keep no contract."""
    token = secrets.token_hex(3)
    found = Project(tmp_path / "project", (f"a{token}", f"b{token}"), tmp_path / "output")
    _lay_out(found, aws)
    for index, name in enumerate(found.families):
        _write_family(found.family(index), name)
    found.run(".venv/bin/python", "-m", "ci.buildspec", "--write")
    found.commit()
    yield found
    _remove_images(engine, found)


@pytest.fixture
def house(
    pinned_base: None, aws: Any, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """Two families as `trainyard new` makes them. They are always the same, so that layers are made once."""
    found = Project(tmp_path / "project", ("first", "second"), tmp_path / "output")
    monkeypatch.setenv("TRAINYARD_HOME", str(tmp_path / "home"))
    _lay_out(found, aws)
    for name in found.families:
        found.run("./trainyard", "new", name, "--owner", "@a/b")
    found.run(".venv/bin/python", "-m", "ci.buildspec", "--write")
    found.commit()
    yield found
    _remove_images(engine, found)


@pytest.fixture
def pinned_base(
    registry: ImageRegistry, engine: Engine, base_image: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The base image of the tests, by its digest: only a registry gives it one."""
    name = f"{registry.host}/base:ci"
    engine.run("tag", base_image, name)
    engine.run("push", name)
    digest = registry.find("base", "ci").digest  # type: ignore[union-attr]
    monkeypatch.setenv("TRAINYARD_BASE_IMAGE", f"{registry.host}/base@{digest}")
    yield
    engine.run("rmi", "--no-prune", name)


def _lay_out(project: Project, aws: Any) -> None:
    """All of this repository but its families, and a repository for the images of each family to be."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, project.folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    (project.folder / "pipelines").mkdir()
    for file in ("trainyard", ".gitignore", "pipelines/__init__.py", "pipelines/compile.py"):
        shutil.copy2(ROOT / file, project.folder / file)
    with (project.folder / ".gitignore").open("a") as ignored:
        ignored.write(".venv\n")
    (project.folder / ".venv").symlink_to(sys.prefix)
    project.run("git", "init", "-q")
    known = {one["repositoryName"] for one in aws.describe_repositories()["repositories"]}
    for name in project.families:
        if f"trainyard/{name}" not in known:
            aws.create_repository(repositoryName=f"trainyard/{name}")


def _remove_images(engine: Engine, project: Project) -> None:
    """Those without a tag, too: a build at another revision takes it from the one before."""
    for name in project.families:
        listed = engine.run("image", "ls", "-q", "--filter", f"label=org.opencontainers.image.title={name}")
        engine.try_run("rmi", "--force", "--no-prune", *set(listed.split()))


def _write_family(folder: Path, name: str) -> None:
    files = {
        "family.toml": MANIFEST.format(name=name, digest="0" * 64),
        "Dockerfile": DOCKERFILE.replace("NAME", name),
        ".dockerignore": "family.toml\nexample/\n",
        "requirements.txt": "# nothing\n",
        "example/generate.py": "",
        "example/request.json": "{}",
        "example/answer.json": "{}",
        "example/bad_requests.json": "[]",
        "note.txt": name,
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for program in ("train", "serve"):
        shutil.copy2(TOY / program, folder / program)

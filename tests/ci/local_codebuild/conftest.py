"""A build in tmp_path: the real command line, real shells."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ci.local_codebuild.main import main


@dataclass(frozen=True, kw_only=True)
class Done:
    code: int
    status: str
    output: Path
    builds: dict[str, Any]

    @property
    def build(self) -> dict[str, Any]:
        (build,) = self.builds.values()
        return build

    def log(self, identifier: str = "build") -> str:
        return (self.output / identifier / "build.log").read_text()

    def printed(self, identifier: str = "build") -> list[str]:
        """What the commands printed, without what the runner said."""
        return [line for line in self.log(identifier).splitlines() if not line.startswith("[codebuild] ")]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def build(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run ``main`` on a buildspec's text in the folder ``source``."""
    numbers = iter(range(100))

    def run(buildspec: str, *arguments: str) -> Done:
        (source / "buildspec.yml").write_text(buildspec)
        output = tmp_path / f"output{next(numbers)}"
        code = main(["--source", str(source), "--output", str(output), *arguments])
        assert (output / "result.json").exists(), capsys.readouterr().err
        document = json.loads((output / "result.json").read_text())
        builds = {each["identifier"]: each for each in document["builds"]}
        return Done(code=code, status=document["status"], output=output, builds=builds)

    return run

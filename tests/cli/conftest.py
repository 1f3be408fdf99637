"""The command line in this process, with a store of its own and a small pipeline to run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from trainyard.cli.main import main
from trainyard.execution.store import default_home


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of its own, with the environments and compiled definitions that there are anyway."""
    real, made = default_home(), tmp_path / "home"
    for name in ("venvs", "compiled"):
        (real / name).mkdir(parents=True, exist_ok=True)
        made.mkdir(exist_ok=True)
        (made / name).symlink_to(real / name)
    monkeypatch.setenv("TRAINYARD_HOME", str(made))
    return made


@pytest.fixture
def cli(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


CODE = """
import pathlib, sys
print("counting; items:done=1; items:total=2;")
if sys.argv[1] == "bad":
    print("it is bad")
    sys.exit(3)
pathlib.Path("/opt/ml/processing/made/report.html").write_text("<p>" + sys.argv[1])
pathlib.Path("/opt/ml/processing/made/numbers.json").write_text('{"size": {"mean": 2.5}, "name": "x"}')
"""


@pytest.fixture
def definition(tmp_path: Path, cli: Callable[..., Result], plain_venv: Path, namespaces: None) -> list[str]:
    """The arguments of `run` for a definition with one job, whose code is in the store."""
    code = tmp_path / "main.py"
    code.write_text(CODE)
    assert cli("s3", "cp", code, "s3://bucket/code/").code == 0
    folder = "/opt/ml/processing"
    inputs = [{"InputName": "code", "S3Input": {"S3Uri": "s3://bucket/code/", "LocalPath": f"{folder}/code"}}]
    outputs = [
        {"OutputName": "made", "S3Output": {"S3Uri": "s3://bucket/made", "LocalPath": f"{folder}/made"}}
    ]
    entry = ["python3", f"{folder}/code/main.py"]
    arguments = {
        "AppSpecification": {
            "ImageUri": "image", "ContainerEntrypoint": entry, "ContainerArguments": [{"Get": "Parameters.Word"}],
        },
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large"}},
        "ProcessingInputs": inputs,
        "ProcessingOutputConfig": {"Outputs": outputs},
    }  # fmt: skip
    step = {
        "Name": "Make", "Type": "Processing", "Arguments": arguments, "CacheConfig": {"Enabled": True},
        "PropertyFiles": [{"PropertyFileName": "Numbers", "OutputName": "made", "FilePath": "numbers.json"}],
    }  # fmt: skip
    parameters = [{"Name": "Word", "Type": "String", "DefaultValue": "good"}]
    file = tmp_path / "tiny.json"
    file.write_text(json.dumps({"Version": "2020-12-01", "Parameters": parameters, "Steps": [step]}))
    return ["--definition", str(file), "--map", f"image=venv:{plain_venv}"]

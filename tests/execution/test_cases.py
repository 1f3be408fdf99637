"""Whole definitions that others wrote: ``cases/<case>`` has the definition, what its image runs, what must come of it.

``sdk_v2`` was exported by ``Pipeline.definition()`` of the SageMaker Python SDK 2.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trainyard.execution.executor import Executor
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.s3 import parse_uri
from trainyard.execution.targets import Target, Targets

CASES = Path(__file__).with_name("cases")


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_case(case: str, store, environments, root: Path, tmp_path: Path, namespaces) -> None:
    folder = CASES / case
    expected = json.loads((folder / "expect.json").read_text())
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    shutil.copy(folder / "train", venv / "bin" / "train")
    (venv / "bin" / "train").chmod(0o755)
    for file in (folder / "code").iterdir():
        store.objects.put(file, parse_uri(f"s3://demo/code/{file.name}"))
    for uri, text in expected["objects"].items():
        store.objects.put_bytes(text.encode(), parse_uri(uri))
    targets = Targets({expected["image"]: Target("venv", str(venv))}, {}, root)
    definition = json.loads((folder / "definition.json").read_text())
    for run in expected["runs"]:
        executor = Executor(store, VenvLauncher(environments, {}), targets)
        finished = executor.start(definition, case, run["parameters"])
        assert (finished.status, finished.reason) == (run["status"], run.get("reason", ""))
        assert [row["name"] for row in store.state.steps(finished.execution)] == run["steps"]

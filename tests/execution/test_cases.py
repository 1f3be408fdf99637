"""Whole definitions that others wrote: ``cases/<case>`` has the definition, what its image runs, what must come of it.

``sdk_v2`` was exported by ``Pipeline.definition()`` of the SageMaker Python SDK 2; the others have the shape of what
SDK v3 writes. A run of ``expect.json`` may ``select`` steps, and have ``faults``: so many jobs fail to start. Its
``steps`` are a list in the order in which they started, or each with its status; ``taken`` are those that a
selective execution took from an earlier one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trainyard.execution.executor import Executor
from trainyard.execution.faults import Fault
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.request import Ended, Launcher
from trainyard.execution.s3 import parse_uri
from trainyard.execution.selection import Selection
from trainyard.execution.targets import Target, Targets

CASES = Path(__file__).with_name("cases")


class Unsteady:
    """A launcher that fails to start the first jobs."""

    def __init__(self, launcher: Launcher, faults: int) -> None:
        self._launcher, self._faults = launcher, faults

    def __call__(self, *arguments: Any) -> Ended:
        self._faults -= 1
        if self._faults >= 0:
            raise Fault("an injected fault")
        return self._launcher(*arguments)


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_case(case: str, store, environments, root: Path, tmp_path: Path, namespaces) -> None:
    folder = CASES / case
    expected = json.loads((folder / "expect.json").read_text())
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    if (folder / "train").exists():
        shutil.copy(folder / "train", venv / "bin" / "train")
        (venv / "bin" / "train").chmod(0o755)
    for file in (folder / "code").iterdir():
        store.objects.put(file, parse_uri(f"s3://demo/code/{file.name}"))
    for uri, text in expected["objects"].items():
        store.objects.put_bytes(text.encode(), parse_uri(uri))
    targets = Targets({expected["image"]: Target("venv", str(venv))}, {}, root)
    definition = json.loads((folder / "definition.json").read_text())
    for run in expected["runs"]:
        launcher = Unsteady(VenvLauncher(environments, {}), run.get("faults", 0))
        selected = Selection(tuple(run["select"])) if "select" in run else None
        finished = Executor(store, launcher, targets).start(
            definition, case, run["parameters"], selected=selected
        )
        assert (finished.status, finished.reason) == (run["status"], run.get("reason", ""))
        rows = store.state.steps(finished.execution)
        as_list = isinstance(run["steps"], list)
        found = [row["name"] for row in rows] if as_list else {row["name"]: row["status"] for row in rows}
        assert found == run["steps"]
        assert sorted(row["name"] for row in rows if row["selected_from"]) == run.get("taken", [])
        attempts = {row["name"]: row["attempts"] for row in rows}
        assert attempts | run.get("attempts", {}) == attempts

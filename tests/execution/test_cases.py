"""Whole definitions that others wrote: ``cases/<case>`` has the definition, what its image runs, what must come of it.

``sdk_v2`` and ``example_*`` were exported by ``Pipeline.definition()`` of the SageMaker Python SDK 2
(``example_endpoint``: 3, whose endpoint steps 2 lacks), the latter with the shapes of AWS's public examples, but of
our own making, scripts too; the others have the shape of what SDK v3 writes. A case's ``train``, ``serve`` and
``check`` are programs of its image; ``code`` lies in s3://demo/code/, and ``functions`` are Lambda functions.

A run of ``expect.json`` may ``select`` steps, and have ``faults``: so many jobs fail to start. Its
``steps`` are a list in the order in which they started, or each with its status; ``taken`` are those that a
selective execution took from an earlier one, ``cached`` those with an earlier result. ``results`` are values by
STEP.PATH; ``=STEP.PATH`` is the value at another place. ``objects`` are contents by URI, ``answers`` what callback
steps are told. ``{execution}`` stands for the execution's id, ``{first}`` for that of the case's first run.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import wait_until
from trainyard.definition.properties import lookup, parse
from trainyard.execution import callbacks, functions
from trainyard.execution.begun import Finished
from trainyard.execution.executor import Executor
from trainyard.execution.faults import Fault
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.request import Ended, Launcher
from trainyard.execution.s3 import parse_uri
from trainyard.execution.selection import Selection
from trainyard.execution.store import Store
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
    target = Target("venv", str(_environment(folder, tmp_path / "venv")))
    _fill(store, folder, expected["objects"])
    images = [expected["image"], *expected.get("more_images", [])]
    targets = Targets(dict.fromkeys(images, target), {}, root)
    definition = json.loads((folder / "definition.json").read_text())
    first = ""
    for run in expected["runs"]:
        launcher: Launcher = VenvLauncher(environments, {})
        if "faults" in run:
            launcher = Unsteady(launcher, run["faults"])
        selected = Selection(tuple(run["select"])) if "select" in run else None
        begun = Executor(store, launcher, targets).begin(
            definition, case, run["parameters"], selected=selected
        )
        first = first or begun.execution
        with _answering(store, begun.execution, run.get("answers", {})):
            finished = begun.run()
        text = json.dumps(run).replace("{execution}", begun.execution).replace("{first}", first)
        _check(store, finished, json.loads(text))


def _environment(folder: Path, venv: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    for name in ("train", "serve", "check"):
        if (folder / name).exists():
            shutil.copy(folder / name, venv / "bin")
            (venv / "bin" / name).chmod(0o755)
    return venv


def _fill(store: Store, folder: Path, objects: dict[str, str]) -> None:
    for file in folder.glob("code/*.py"):
        store.objects.put(file, parse_uri(f"s3://demo/code/{file.name}"))
    for uri, text in objects.items():
        store.objects.put_bytes(text.encode(), parse_uri(uri))
    for file in folder.glob("functions/*.py"):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.write(file, file.name)
        functions.create(store, file.stem, {"Handler": f"{file.stem}.handler"}, content.getvalue())


@contextmanager
def _answering(store: Store, execution: str, answers: dict[str, Any]) -> Iterator[None]:
    """Meanwhile, tell each callback step what the case has for it."""

    def answer() -> None:
        for step, said in answers.items():
            wait_until(lambda step=step: bool(_callback(store, execution, step)))
            token = _callback(store, execution, step)
            if "succeed" in said:
                callbacks.succeed(store, token, said["succeed"])
            else:
                callbacks.fail(store, token, said["fail"])

    with ThreadPoolExecutor() as pool:
        told = pool.submit(answer)
        yield
        told.result()


def _callback(store: Store, execution: str, step: str) -> str:
    row = store.state.step(execution, step)
    return str(((row or {}).get("metadata") or {}).get("Callback", {}).get("CallbackToken", ""))


def _check(store: Store, finished: Finished, run: dict[str, Any]) -> None:
    assert (finished.status, finished.reason) == (run["status"], run.get("reason", ""))
    rows = store.state.steps(finished.execution)
    as_list = isinstance(run["steps"], list)
    found = [row["name"] for row in rows] if as_list else {row["name"]: row["status"] for row in rows}
    assert found == run["steps"]
    assert sorted(row["name"] for row in rows if row["selected_from"]) == run.get("taken", [])
    assert sorted(row["name"] for row in rows if row["cache_source"]) == run.get("cached", [])
    attempts = {row["name"]: row["attempts"] for row in rows}
    assert attempts | run.get("attempts", {}) == attempts
    results = {row["name"]: row["result"] for row in rows}
    for place, value in run.get("results", {}).items():
        wanted = _value(results, value[1:]) if str(value).startswith("=") else value
        assert _value(results, place) == wanted, place
    for uri, text in run.get("objects", {}).items():
        assert store.objects.read(parse_uri(uri)).decode() == text


def _value(results: dict[str, Any], place: str) -> Any:
    return lookup(results, parse(place))

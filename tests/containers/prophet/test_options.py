"""What is asked of the engine is Prophet's own, and costs nothing to import."""

from __future__ import annotations

import subprocess
import sys

from trainyard.families import repository_root


def test_they_are_prophets(snippet, tmp_path):
    snippet(
        """
import dataclasses, inspect
from prophet import Prophet
from options import Options

known = inspect.signature(Prophet).parameters
ours = {field.name: field.default for field in dataclasses.fields(Options)}
shared = known.keys() & ours.keys()
assert ours.keys() - shared == {"engine", "country_holidays", "cap_factor", "seed"}
assert all(known[name].default == ours[name] for name in shared)
""",
        tmp_path,
    )


def test_they_import_nothing_heavy():
    folder = repository_root() / "containers" / "prophet"
    code = "import sys, options; print(*{'numpy', 'pandas', 'prophet'} & sys.modules.keys())"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert (ran.stdout.strip(), ran.stderr) == ("", "")

"""How long a change takes to become a checked image: `trainyard build --changed`, then `trainyard check --quick`.

    .venv/bin/python benchmarks/builds.py [FAMILY ...]

Peer: building the family's image after a change of its lock, in the same run, which is what every change
costs where layers are not ordered by how often they change. Works on a copy of the repository, needs Docker
Engine, and what TRAINYARD_BASE_IMAGE or the families' base images name. Targets: a plan under 1 s, no change
builds nothing, a line in train.py under 10 s with its smoke test.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "shared"), str(ROOT)]

from trainyard.families import find_families  # noqa: E402

CHANGES = {
    "no change": "",
    "a line in train.py": "containers/{family}/train.py",
    "a line in in_image": "shared/trainyard/in_image/opt_ml.py",
    "a line in the lock": "containers/{family}/requirements.txt",
}


def copy_repository(to: Path) -> None:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    (to / ".venv").symlink_to(ROOT / ".venv")


def timed(repository: Path, *arguments: str) -> tuple[float, str]:
    started = time.perf_counter()
    ended = subprocess.run([str(repository / "trainyard"), *arguments], capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"trainyard {' '.join(arguments)}: {ended.stdout}{ended.stderr}")
    return time.perf_counter() - started, ended.stdout


def measure(repository: Path, family: str, change: str) -> dict[str, Any]:
    """Seconds for the plan, the build and the smoke test, and what the build said it did."""
    if change:
        with (repository / change.format(family=family)).open("a") as file:
            file.write(f"# {time.time_ns()}\n")
    plan, planned = timed(repository, "build", family, "--changed", "--plan", "--json")
    build, _ = timed(repository, "build", family, "--changed")
    [result] = json.loads(planned)
    missing = result["status"] == "missing"
    check = timed(repository, "check", family, "--quick")[0] if missing else 0.0
    return {"plan": plan, "build": build, "check": check, "built": missing, "why": result["why"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    # without those that may need gigabytes from elsewhere, unless they are named
    default = [name for name, family in find_families(ROOT).items() if not family.image.sources]
    parser.add_argument("families", nargs="*", default=default)
    families = parser.parse_args().families
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "repository"
        copy_repository(repository)
        for family in families:
            timed(repository, "build", family)  # so that all that changes is what is changed here
            timed(repository, "check", family, "--quick")
            measured = {name: measure(repository, family, change) for name, change in CHANGES.items()}
            peer = measured["a line in the lock"]["build"]
            print(f"{family:20}     plan    build  check  build / peer")
            for name, seconds in measured.items():
                print(
                    f"  {name:20}{seconds['plan']:6.2f} s {seconds['build']:6.1f} s {seconds['check']:5.1f} s  "
                    f"{seconds['build'] / peer:8.3f}  {'built' if seconds['built'] else 'nothing built'}"
                )
                if seconds["built"]:
                    print(f"    {seconds['why']}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

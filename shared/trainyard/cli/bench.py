"""``trainyard bench``: a family's quality on public data, a named peer's beside it, and what that says in words.

A family that has one brings two files. ``benchmarks/<family>_quality.py --data FOLDER --only <family>|peer
--output FILE.json`` measures, once in the family's environment and once in that of ``requirements/bench.txt``, and
tells its progress on stderr. ``benchmarks/<family>_reading.py`` needs no packages: ``data FOLDER`` prints where below
it the data lie, or fails and says where they can be had; ``table FILE.json`` prints what was measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from trainyard.errors import DataError, NotFound, UsageError, UserError
from trainyard.execution.environments import Environments
from trainyard.execution.store import Store
from trainyard.families import Family, find_families, find_family, repository_root


class Benchmark(NamedTuple):
    family: Family
    measure: Path
    reading: Path
    root: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "trainyard bench FAMILY [--data FOLDER] [--again] [--json] [OPTION OF THE BENCHMARK ...]\n"
        "What is not its own goes to benchmarks/FAMILY_quality.py, for example --seeds 1"
    )
    parser.add_argument("family", metavar="FAMILY", help="whose benchmarks/FAMILY_quality.py to run")
    parser.add_argument(
        "--data", metavar="FOLDER", help="data sets (default: $TRAINYARD_DATA, or ../shared/data)"
    )
    parser.add_argument("--again", action="store_true", help="measure anew what was measured before")
    parser.add_argument("--json", action="store_true", help="print JSON: what was measured, not the reading")


def run(args: argparse.Namespace) -> int:
    benchmark = _find(repository_root(), args.family)
    home = Store().home
    key = hashlib.sha256(json.dumps(args.passed_on).encode()).hexdigest()[:12]
    file = home / "bench" / f"{benchmark.family.name}-{key}.json"
    document = _kept(file)
    now = _digest(benchmark)
    sides = (benchmark.family.name, "peer")
    if args.again or (document["made_from"] != now and set(document["results"]) != set(sides)):
        document = {
            "family": benchmark.family.name,
            "options": args.passed_on,
            "made_from": now,
            "results": {},
        }
    if missing := [side for side in sides if side not in document["results"]]:
        data = _data(benchmark, args.data)
        environments = Environments(home / "venvs", _say)
        for side in missing:
            document["results"][side] = _measure(benchmark, side, environments, data, args.passed_on, file)
            document["measured"] = datetime.now(UTC).isoformat(timespec="seconds")
            _keep(file, document)
    print(json.dumps(document, indent=2) if args.json else _read(benchmark, "table", file).rstrip("\n"))
    if not missing:
        changed = "; its code has changed since then" if document["made_from"] != now else ""
        _say(f"measured {document['measured']}{changed}; --again measures anew")
    return 0


def _find(root: Path, name: str) -> Benchmark:
    family = find_family(root, name)
    measure = _file(root, name)
    if not measure.exists():
        others = [each for each in find_families(root) if _file(root, each).exists()]
        raise NotFound(
            f"{name} has no benchmarks/{measure.name}; families that have one: {', '.join(others) or 'none yet'}"
        )
    return Benchmark(family, measure, measure.with_name(measure.name.replace("_quality.", "_reading.")), root)


def _file(root: Path, family: str) -> Path:
    return root / "benchmarks" / f"{family.replace('-', '_')}_quality.py"


def _kept(file: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError):
        return {"made_from": "", "results": {}}
    return document


def _keep(file: Path, document: dict[str, Any]) -> None:
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps(document, indent=1))
    temporary.replace(file)


def _digest(benchmark: Benchmark) -> str:
    """Of all that the numbers come from: the benchmark, the modules beside it that it imports, the family, locks."""
    text = benchmark.measure.read_text()
    beside = [
        file
        for file in sorted(benchmark.measure.parent.glob("*.py"))
        if re.search(rf"^\s*(import|from) {file.stem}\b", text, re.MULTILINE)
    ]
    folder = benchmark.family.folder
    locks = [folder / "requirements.txt", _peer_lock(benchmark)]
    digest = hashlib.sha256()
    for file in [benchmark.measure, *beside, *sorted(folder.glob("*.py")), *locks]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _peer_lock(benchmark: Benchmark) -> Path:
    return benchmark.root / "requirements" / "bench.txt"


def _data(benchmark: Benchmark, given: str | None) -> str:
    chosen = given or os.environ.get("TRAINYARD_DATA") or str(benchmark.root.parent / "shared" / "data")
    return _read(benchmark, "data", Path(chosen).expanduser().resolve()).strip()


def _read(benchmark: Benchmark, *words: str | Path) -> str:
    """What the family's reading prints. Raises DataError with what it says when it fails."""
    command = [sys.executable, "-I", str(benchmark.reading), *map(str, words)]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        raise DataError(ended.stderr.strip() or f"{benchmark.reading} ended with {ended.returncode}")
    return ended.stdout


def _measure(
    benchmark: Benchmark, side: str, environments: Environments, data: str, options: list[str], file: Path
) -> Any:
    """One side's results, measured in its own environment; the file that it writes does not stay."""
    family = benchmark.family
    python = (
        environments.locked("bench", _peer_lock(benchmark)) if side == "peer" else environments.python(family)
    )
    _say(f"measuring {side} ({benchmark.measure.name})")
    file.parent.mkdir(parents=True, exist_ok=True)
    output = file.with_suffix(f".{side}")
    command = [str(python), "-I", str(benchmark.measure), *options]
    command += ["--data", data, "--only", side, "--output", str(output)]
    try:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode
        if code == 2:
            raise UsageError(f"{benchmark.measure.name} refuses {' '.join(options)}: see above")
        if code or not output.exists():
            raise UserError(f"measuring {side} ended with exit code {code} and no results: see above")
        return json.loads(output.read_text())
    finally:
        output.unlink(missing_ok=True)


def _say(text: str) -> None:
    if text:
        print(text, file=sys.stderr, flush=True)

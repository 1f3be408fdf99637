"""How far a model's training got, in one file that is there whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hyperparameters import ModelSpec
from model_files import write
from state import State

CODE = (
    "architecture",
    "encoding",
    "losses",
    "networks",
    "sampling",
    "state",
    "steps",
    "loop",
    "candidate",
    "fitting",
    "variants",
)


@dataclass
class Progress:
    """A model's training after ``step`` steps; ``state`` has sums since the last whole interval."""

    step: int
    state: State
    best: State | None = None
    best_entry: dict[str, Any] | None = None  # the entry of ``history`` that ``best`` is from
    history: list[dict[str, Any]] = field(default_factory=list)  # one entry per interval
    findings: list[dict[str, Any]] = field(default_factory=list)
    resumed_at: int = 0  # where this run of it began


def fingerprint(spec: ModelSpec, interval: int, digest: str, tensorflow: str) -> str:
    """What a model is made from: its options, the data's digest, the code and TensorFlow's version."""
    here = Path(__file__).parent
    code = [hashlib.sha256((here / f"{name}.py").read_bytes()).hexdigest() for name in CODE]
    made_from = json.dumps([asdict(spec), interval, digest, tensorflow, code], sort_keys=True)
    return hashlib.sha256(made_from.encode()).hexdigest()


def save(path: Path, progress: Progress, made_from: str) -> None:
    """Raises OSError when it cannot be written; the one before it is then still there."""
    arrays = {f"state.{name}": array for name, array in progress.state._asdict().items()}
    if progress.best is not None:
        arrays |= {f"best.{name}": array for name, array in progress.best._asdict().items()}
    rest = {
        "fingerprint": made_from,
        "step": progress.step,
        "best_entry": progress.best_entry,
        "history": progress.history,
        "findings": progress.findings,
    }
    text = np.frombuffer(json.dumps(rest).encode(), np.uint8)
    content = io.BytesIO()
    np.savez(content, rest=text, **arrays)
    write(path, content.getvalue())


def load(path: Path, made_from: str) -> Progress | None:
    """What was saved, if it is whole and was made from the same; removes what a killed writer left beside it."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        leftover.unlink(missing_ok=True)
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            rest = json.loads(stored["rest"].tobytes())
            state = State(*(stored[f"state.{name}"] for name in State._fields))
            best = None
            if rest["best_entry"] is not None:
                best = State(*(stored[f"best.{name}"] for name in State._fields))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        print(f"checkpoint {path.name} is damaged, training from the start: {error}", flush=True)
        return None
    if rest["fingerprint"] != made_from:
        print(f"checkpoint {path.name} has other data, options or code, training from the start", flush=True)
        return None
    return Progress(rest["step"], state, best, rest["best_entry"], rest["history"], rest["findings"])

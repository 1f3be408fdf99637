"""The Prophet family under test: its modules, its scripts in the family's environment, and one trained fleet."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from trainyard import families

FAMILY = families.repository_root() / "containers" / "prophet"
SHARED = families.repository_root() / "shared"


@pytest.fixture(scope="module")
def module() -> Iterator[Callable[[str], ModuleType]]:
    """Import a module of the family by its name in the image; forgotten afterwards, as other families
    have modules of the same names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FAMILY))
        yield importlib.import_module
    for name, loaded in list(sys.modules.items()):
        if str(getattr(loaded, "__file__", None)).startswith(f"{FAMILY}{os.sep}"):
            del sys.modules[name]


@pytest.fixture(scope="session")
def environment() -> Callable[[Path], dict[str, str]]:
    """The variables of a job whose /opt/ml is a folder of the test's."""

    def make(base: Path, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        job = {"PYTHONPATH": str(SHARED), "SAGEMAKER_BASE_DIR": str(base)}
        return kept | job | more

    return make


@pytest.fixture(scope="session")
def run(family_python: Path, environment: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """Run one of the family's scripts to its end."""

    def run(script: str, base: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [str(family_python), str(FAMILY / script), *arguments]
        return subprocess.run(
            command, env=environment(base, **more), capture_output=True, text=True, timeout=120
        )

    return run


@pytest.fixture(scope="session")
def snippet(family_python: Path, environment: Callable[..., dict[str, str]]) -> Callable[..., Any]:
    """Run a few lines in the family's environment, its modules at hand; they must succeed."""

    def run(code: str, base: Path) -> subprocess.CompletedProcess[str]:
        script = base / "snippet.py"
        script.write_text(code)
        scratch = base / "tmp"
        scratch.mkdir(exist_ok=True)
        paths = f"{FAMILY}{os.pathsep}{SHARED}"
        ran = subprocess.run(
            [str(family_python), str(script)],
            env=environment(base, PYTHONPATH=paths, TMPDIR=str(scratch)),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ran.returncode == 0, ran.stderr
        return ran

    return run


@pytest.fixture(scope="session")
def fleet_of(run: Callable[..., Any]) -> Callable[..., Path]:
    """A base folder with preprocessed customers of the example, ready to train."""

    def make(base: Path, *arguments: str) -> Path:
        made = run("example/generate.py", base, "--output", str(base / "processing/input/raw"), *arguments)
        assert made.returncode == 0, made.stderr
        ran = run("preprocess.py", base)
        assert ran.returncode == 0, ran.stderr
        (base / "input/data").mkdir(parents=True)
        (base / "input/data/training").symlink_to(base / "processing/train")
        (base / "checkpoints").mkdir()
        return base

    return make


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, run: Callable[..., Any], fleet_of: Callable[..., Path]
) -> Path:
    """The base folder of three customers that were preprocessed, trained and evaluated; do not change it."""
    base = fleet_of(tmp_path_factory.mktemp("trained"), "--customers", "3")
    (base / "processing/models").symlink_to(base / "model")
    for script in ("train.py", "evaluate.py"):
        ran = run(script, base)
        assert ran.returncode == 0, ran.stderr
        (base / f"{script}.log").write_text(ran.stdout + ran.stderr)
    return base


@pytest.fixture(scope="module")
def make_model(module: Callable[[str], ModuleType]) -> Callable[..., Any]:
    """A customer's model that was never fitted: daily rows, yearly and weekly rhythms, 25 changepoints."""

    def make(provenance: Any = None, width: float = 0.8, **changes: Any) -> Any:
        module("engine")
        given, files = module("parameters"), module("model_file")
        generator = np.random.default_rng(0)
        day, rows = 86_400_000_000_000, 731
        offsets = np.linspace(0, 583, 26).round()[1:].astype(np.int64) * day
        seasons = (("yearly", 365.25, 10), ("weekly", 7.0, 3))
        fields = {
            "growth": "linear", "start": 19723 * day, "t_scale": (rows - 1) * day, "y_scale": 60.0,
            "k": 0.1, "m": 0.5, "sigma": 0.05, "changepoint_offsets": offsets,
            "delta": generator.laplace(0, 0.02, 25), "beta": generator.normal(0, 0.05, 26),
            "seasonalities": tuple(given.Seasonality(*season, "additive", 10.0) for season in seasons),
            "holidays": (), "last": (19723 + rows - 1) * day, "rows": rows,
        } | changes  # fmt: skip
        return files.Model(given.Parameters(**fields), day, 0, width, provenance)

    return make


@pytest.fixture
def make_score(module: Callable[[str], ModuleType]) -> Callable[..., Any]:
    """A customer's score that was never computed, of a forecast that is off by ``error`` everywhere."""

    def make(
        customer: str, mase: float | None, error: float = 1.0, points: int = 4, width: float = 2.0
    ) -> Any:
        day = np.timedelta64(1, "D")
        ds = np.datetime64("2024-03-01", "us") + np.arange(points) * day
        actual = 10.0 + np.arange(points)
        yhat = actual + error
        engine, scoring, names = module("engine"), module("scoring"), module("customers")
        return scoring.Score(
            customer=customer,
            stem=names.file_stem(customer),
            points=points,
            season=7,
            mae=abs(error),
            rmse=abs(error),
            smape=5.0,
            mase=mase,
            coverage=float(abs(error) <= width),
            naive_mae=1.5,
            interval_width=0.8,
            forecast=engine.Forecast(ds, yhat, yhat - width, yhat + width),
            actual=actual,
            history_ds=ds[0] - np.arange(28, 0, -1) * day,
            history_y=np.linspace(5.0, 15.0, 28),
        )

    return make

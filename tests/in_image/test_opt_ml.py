from __future__ import annotations

from pathlib import Path

import pytest

from trainyard.in_image.opt_ml import OptMl


def test_the_places_are_those_of_sagemakers_documentation() -> None:
    ml = OptMl()
    assert {
        name: str(getattr(ml, name)) for name in ("model", "checkpoints", "failure", "output_data", "config")
    } == {
        "model": "/opt/ml/model",
        "checkpoints": "/opt/ml/checkpoints",
        "failure": "/opt/ml/output/failure",
        "output_data": "/opt/ml/output/data",
        "config": "/opt/ml/config",
    }
    assert str(ml.channel("train")) == "/opt/ml/input/data/train"


def test_another_base_moves_all_of_them(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    ml = OptMl.from_environment()
    assert ml.models == tmp_path / "models"
    assert ml.at("/opt/ml/processing/input/../x") == tmp_path / "processing" / "x"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/opt/mlx", "/etc/passwd", "/opt/ml/../../etc", "model"])
def test_paths_outside_are_refused(path: str) -> None:
    with pytest.raises(ValueError):
        OptMl().at(path)

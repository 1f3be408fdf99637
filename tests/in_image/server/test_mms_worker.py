"""Whatever a model's archive brings, it is the family's handler that answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

HANDLER = """
def model_fn(model_dir):
    return model_dir

def predict_fn(data, model):
    return {"family": model}
"""
JSON = {"Content_Type": "application/json"}


@pytest.fixture(scope="module")
def server(start_mms):
    return start_mms(HANDLER, SAGEMAKER_MULTI_MODEL="true").wait()


def lay_out(server, name: str, files: dict[str, str]) -> Path:
    folder = server.base / "models" / name / "model"
    for file, text in {"model.json": "1", **files}.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    return folder


def load_and_ask(server, name: str, **more: object) -> tuple[int, object]:
    body = json.dumps({"model_name": name, "url": f"/opt/ml/models/{name}/model", **more})
    status, answer, _ = server.ask("POST", "/models", body, **JSON)
    assert status == 200, answer
    status, answer, _ = server.ask("POST", f"/models/{name}/invoke", "1", **JSON)
    return status, json.loads(answer)


@pytest.mark.parametrize("runtime", ["python", "python2", "python3"])
def test_an_archive_that_names_a_handler(server, tmp_path, runtime):
    evil = f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit\n"
    model = {"modelName": "evil", "handler": "evil.py:handle"}
    manifest = json.dumps({"runtime": runtime, "model": model})
    shadows = ["evil.py", "json.py", "sitecustomize.py", "mms/__init__.py", "trainyard/__init__.py"]
    shadows += ["trainyard.in_image.server.mms_service/json.py"]  # on the path that workers are given
    folder = lay_out(
        server, f"by-{runtime}", {"MAR-INF/MANIFEST.json": manifest, **dict.fromkeys(shadows, evil)}
    )
    assert load_and_ask(server, f"by-{runtime}") == (200, {"family": str(folder)})
    assert list(tmp_path.iterdir()) == []


def test_a_request_that_names_a_handler(server, tmp_path):
    folder = lay_out(server, "asked", {})
    assert load_and_ask(server, "asked", handler="os:system", runtime="python3") == (
        200,
        {"family": str(folder)},
    )

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainyard.execution.launchers import process
from trainyard.execution.s3 import parse_uri

ISOLATED_OR_NOT = pytest.mark.parametrize("isolate", [True, False])


@ISOLATED_OR_NOT
def test_a_job_that_writes_to_its_inputs_cannot_change_the_store(launch, store, isolate: bool) -> None:
    code = "open('/opt/ml/input/data/data/file', 'w').write('changed')"
    launch(code, isolate=isolate)
    assert store.objects.read(parse_uri("s3://b/d/file")) == b"original"


@ISOLATED_OR_NOT
def test_checkpoints_are_in_the_store_at_once(launch, store, isolate: bool) -> None:
    ended, _, _ = launch(
        "open('/opt/ml/checkpoints/step-1', 'w').write('x'); import os; os._exit(9)", isolate=isolate
    )
    assert ended.exit_code == 9
    assert store.objects.read(parse_uri("s3://b/ck/step-1")) == b"x"


@ISOLATED_OR_NOT
def test_the_environment_is_the_jobs_own(launch, monkeypatch, isolate: bool) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    code = "import json, os, sys; print(json.dumps([dict(os.environ), sys.prefix]))"
    _, [log], [host] = launch(code, isolate=isolate)
    environment, prefix = json.loads(log.strip().splitlines()[-1])
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert (environment["MINE"], environment["TRAINING_JOB_NAME"]) == ("1", "job")
    assert environment["PLACE"] == ("/opt/ml/model" if isolate else f"{host.ml}/model")
    assert ("SAGEMAKER_BASE_DIR" in environment) != isolate
    assert prefix.endswith("/venv")


def test_where_the_kernel_refuses_it_says_what_cannot_work(launch, monkeypatch, tmp_path: Path) -> None:
    real = process._SANDBOX.read_text()
    refusing = tmp_path / "refusing.py"
    body = '    raise PermissionError(1, "not here")\n'
    refusing.write_text(
        real.replace("def _enter_namespaces() -> None:\n", f"def _enter_namespaces() -> None:\n{body}")
    )
    monkeypatch.setattr(process, "_SANDBOX", refusing)
    ended, [log], [host] = launch("import os; print(os.environ['SAGEMAKER_BASE_DIR'])")
    assert ended.exit_code == 0
    assert f"no namespaces: [Errno 1] not here; /opt/ml stands at {host.ml} instead" in log
    assert log.strip().endswith(str(host.ml))

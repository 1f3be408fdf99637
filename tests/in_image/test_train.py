"""``train`` as SageMaker runs it: a process in an /opt/ml that is laid out, with the real toolkit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"
SAYS_ALL = """
import argparse, json, os
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--name")
arguments = parser.parse_args()
answer = {**vars(arguments), "cwd": os.getcwd(), **{k: v for k, v in os.environ.items() if k.startswith("SM_")}}
with open(os.path.join(os.environ["SM_MODEL_DIR"], "answer.json"), "w") as file:
    json.dump(answer, file)
print("loss=0.5;")
"""


@pytest.fixture
def job(family_python, tmp_path):
    """Lay out a job and start its ``train``; the script's code is train.py's unless named."""
    started = []

    def start(
        code: str, hyperparameters: dict[str, str] | None = None, program: str = "train.py", **variables
    ):
        for folder in ("input/config", "input/data/training", "code", "model", "output/data"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "code" / program).write_text(code)
        hosts = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
        for name, content in (
            ("hyperparameters", hyperparameters or {}),
            ("inputdataconfig", {"training": {"TrainingInputMode": "File"}}),
            ("resourceconfig", hosts),
        ):
            (tmp_path / "input" / "config" / f"{name}.json").write_text(json.dumps(content))
        process = subprocess.Popen(
            [str(family_python), "-m", "trainyard.in_image.train"],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(SHARED),
                "SAGEMAKER_BASE_DIR": str(tmp_path),
                "SM_STUDIO_LOCAL_MODE": "True",  # the toolkit's way to say that algo-1 has no address here
                **variables,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.stdout.close()
        assert nobody_in_session(process.pid)


def nobody_in_session(leader: int) -> bool:
    sessions = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        sessions += [int(fields[3])] if fields[0] != "Z" else []
    return leader not in sessions


def test_the_script_gets_hyperparameters_and_variables(job, tmp_path):
    process = job(SAYS_ALL, {"epochs": "3", "name": "a name; with $HOME"})
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "loss=0.5;\n" in output
    answer = json.loads((tmp_path / "model" / "answer.json").read_text())
    assert (answer["epochs"], answer["name"]) == (3, "a name; with $HOME")
    assert answer["cwd"] == str(tmp_path / "code")
    assert answer["SM_CHANNEL_TRAINING"] == str(tmp_path / "input" / "data" / "training")
    assert json.loads(answer["SM_HOSTS"]) == ["algo-1"]
    assert answer["SM_HP_EPOCHS"] == "3"
    assert (tmp_path / "output" / "success").exists()


@pytest.mark.parametrize("where", ["hyperparameter", "variable"])
def test_another_program(job, where):
    given = {"sagemaker_program": '"other.py"'} if where == "hyperparameter" else {}
    variables = {"SAGEMAKER_PROGRAM": "other.py"} if where == "variable" else {}
    process = job("print('other here')", given, program="other.py", **variables)
    assert "other here\n" in process.communicate(timeout=60)[0]
    assert process.returncode == 0


def test_a_failing_script_gives_its_exit_code_and_its_last_words(job, tmp_path):
    process = job("import sys\nprint('no customers in the channel', file=sys.stderr)\nsys.exit(3)")
    process.communicate(timeout=60)
    assert process.returncode == 3
    failure = (tmp_path / "output" / "failure").read_text()
    assert failure.startswith(
        'ExecuteUserScriptError:\nExitCode 3\nErrorMessage "no customers in the channel"'
    )
    assert not (tmp_path / "output" / "success").exists()


def test_the_end_of_a_long_traceback_fits_into_what_sagemaker_shows(job, tmp_path):
    process = job("def f(n):\n    if n: f(n - 1)\n    else: raise ValueError('the very reason')\nf(200)")
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert "ValueError: the very reason" in (tmp_path / "output" / "failure").read_text()[:1024]


def test_what_the_script_wrote_as_its_failure_stays(job, tmp_path):
    failure = tmp_path / "output" / "failure"
    process = job(f"open({str(failure)!r}, 'w').write('customer 7 has two points')\nraise SystemExit(1)")
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert failure.read_text() == "customer 7 has two points"


def test_sigterm_reaches_the_script_and_its_exit_code_comes_through(job, tmp_path):
    process = job(
        "import signal, sys, time\n"
        "def save(*_):\n    time.sleep(0.3)\n    open('../model/checkpoint', 'w').close()\n    sys.exit(42)\n"
        "signal.signal(signal.SIGTERM, save)\nprint('fitting', flush=True)\ntime.sleep(60)"
    )
    while process.stdout.readline() != "fitting\n":
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 42
    assert (tmp_path / "model" / "checkpoint").exists()


def test_a_script_without_a_handler_dies_of_sigterm(job):
    process = job("print('fitting', flush=True)\nimport time\ntime.sleep(60)")
    while process.stdout.readline() != "fitting\n":
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143


def test_sigterm_while_the_toolkit_is_still_starting(job):
    process = job("import time\ntime.sleep(60)")
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode in (143, -signal.SIGTERM)


def test_the_requirements_of_the_image_are_not_installed_again(job, tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "requirements.txt").write_text("no-such-package-anywhere==0.0\n")
    process = job("print('ran')", PIP_NO_INDEX="1")
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, "ran\n" in output, "pip install" in output) == (0, True, False), output


def test_mpi_is_refused_by_name(job, tmp_path):
    process = job("", {"sagemaker_mpi_enabled": "true"})
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert "sagemaker_mpi_enabled is set, but" in (tmp_path / "output" / "failure").read_text()


def test_an_opt_ml_that_is_not_laid_out_fails(job, tmp_path):
    process = job("print('ran')")
    (tmp_path / "input" / "config" / "resourceconfig.json").unlink()
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0 and "ran\n" not in output
    assert "resourceconfig.json" in (tmp_path / "output" / "failure").read_text()

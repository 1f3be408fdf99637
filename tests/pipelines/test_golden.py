"""Every compiled pipeline that lies in golden/. After a wanted change, rewrite it and look at the difference:

PYTHONPATH=shared python -m pipelines.compile FAMILY > tests/pipelines/golden/FAMILY.json
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from tests.pipelines.reading import every_step
from trainyard.definition import document as definition_document
from trainyard.definition.runnable import check_runnable
from trainyard.execution.steps import RULES
from trainyard.families import find_family, repository_root
from trainyard.images.files import image_files

ROOT = repository_root()
GOLDEN = {file.stem: file for file in (ROOT / "tests" / "pipelines" / "golden").glob("*.json")}

# Whatever reaches for the network or into the home folder is told on stderr, and does not get there.
GUARDED = """
import os, sys
def guard(event, arguments):
    network = event in ("socket.connect", "socket.getaddrinfo", "socket.sendto")
    if network or event == "open" and str(arguments[0]).startswith(os.environ["HOME"]):
        print(event, *arguments, file=sys.stderr, flush=True)
        raise OSError(f"{event} is forbidden here")
sys.addaudithook(guard)
from pipelines.compile import main
raise SystemExit(main(sys.argv[1:]))
"""

THEIRS = """
SchemaVersion: "1.0"
SageMaker:
  TrainingJob: {RoleArn: "arn:aws:iam::999999999999:role/theirs", Environment: {THEIRS: "1"}}
  ProcessingJob: {RoleArn: "arn:aws:iam::999999999999:role/theirs"}
"""

OPERATIONS = {
    "Processing": ("CreateProcessingJob", {"ProcessingJobName": "name"}),
    "Training": ("CreateTrainingJob", {"TrainingJobName": "name"}),
    "RegisterModel": ("CreateModelPackage", {}),
}


@pytest.fixture(params=sorted(GOLDEN))
def name(request) -> str:
    return request.param


@pytest.fixture
def document(name) -> dict[str, Any]:
    return json.loads(GOLDEN[name].read_text())


def compile_in(home: Path, family: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Compile in a fresh process with nothing else in its environment, cut off from the network if we may."""
    unshare = ["unshare", "--net"] if os.geteuid() == 0 and shutil.which("unshare") else []
    if unshare and subprocess.run([*unshare, "true"], capture_output=True).returncode:
        unshare = []
    needed = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}"}
    command = [*unshare, sys.executable, "-c", GUARDED, family]
    return subprocess.run(command, env=needed | environment, cwd=home, capture_output=True, text=True)


@pytest.mark.slow
def test_it_compiles_without_credentials_network_or_home(name, tmp_path):
    run = compile_in(tmp_path, name)
    assert (run.stderr, run.returncode) == ("", 0)
    assert run.stdout == GOLDEN[name].read_text(), f"rewrite it as {__file__} says"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_set_up_of_the_machine_does_not_show_in_it(name, tmp_path):
    for file, text in (("sagemaker/config.yaml", THEIRS), (".aws/config", "[default]\nregion=eu-west-1\n")):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_text(text)
    run = compile_in(
        tmp_path,
        name,
        XDG_CONFIG_HOME=str(tmp_path),
        SAGEMAKER_USER_CONFIG_OVERRIDE=str(tmp_path / "sagemaker"),
        SAGEMAKER_VALIDATE_ROLE="true",
        SAGEMAKER_ENABLE_RICH_LOGGING="true",
        AWS_PROFILE="theirs",
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_ACCESS_KEY_ID="theirs",
        PYTHONHASHSEED="7",
        TZ="Asia/Tokyo",
    )
    assert (run.stderr, run.returncode) == ("", 0)
    assert run.stdout == GOLDEN[name].read_text()


def test_it_is_small_enough_to_be_given_inline(name):
    assert len(GOLDEN[name].read_bytes()) < 100_000


def test_it_can_be_run_here(document):
    check_runnable(definition_document.parse(document), RULES)


def test_its_programs_lie_in_the_image(name, document):
    programs = {path.rpartition("/")[2] for path in image_files(find_family(ROOT, name), ROOT)}
    for step in every_step(document["Steps"]):
        entrypoint = step["Arguments"].get("AppSpecification", {}).get("ContainerEntrypoint", [])
        for word in entrypoint:
            if word.startswith("/opt/ml/code/"):
                assert word.removeprefix("/opt/ml/code/") in programs


def test_arguments_are_requests_of_the_aws_api(document):
    model = botocore.session.get_session().get_service_model("sagemaker")
    defaults = {one["Name"]: one.get("DefaultValue", "s3://some/data") for one in document["Parameters"]}

    def resolved(part: Any) -> Any:
        match part:
            case {"Get": str(reference)}:
                return defaults.get(reference.removeprefix("Parameters."), "s3://some/thing")
            case {"Std:Join": _}:
                return "joined"
            case dict():
                return {key: resolved(one) for key, one in part.items()}
            case list():
                return [resolved(one) for one in part]
        return part

    for step in every_step(document["Steps"]):
        if step["Type"] in OPERATIONS:
            operation, minted = OPERATIONS[step["Type"]]
            shape = model.operation_model(operation).input_shape
            report = ParamValidator().validate(resolved(step["Arguments"]) | minted, shape)
            assert report.generate_report() == "", step["Name"]

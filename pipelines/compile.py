"""Compile a family's pipeline module into the JSON that ``create_pipeline`` takes, without AWS.

    PYTHONPATH=shared python -m pipelines.compile FAMILY [--images images.json] > definition.json

With ``--images``, or where the repository's root has an ``images.json``, the jobs run the image that a
build has published, by its digest; without, the newest one that was built on this machine (the parameter
``ImageUri`` has it as its default, and can be given at each run).
``TRAINYARD_ROLE_ARN`` is the role that the jobs take on AWS; without it they name a role that need not exist,
which is enough for runs on one's own machine. Apart from that the result depends on the repository and the
SDK alone, not on credentials, on ``~/.aws`` or on the SDK's configuration files.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import importlib.metadata
import json
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainyard import families
from trainyard.errors import DefinitionError, SetupError, UserError
from trainyard.families import Family
from trainyard.images import published

PIPELINES = Path(__file__).parent
REGION = "us-east-1"
BUCKET = "trainyard-local"
IMAGE_PARAMETER = "ImageUri"
ROLE_VARIABLE = "TRAINYARD_ROLE_ARN"
LOCAL_ROLE = "arn:aws:iam::000000000000:role/trainyard"
ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
SDK = ("sagemaker", "sagemaker-core", "sagemaker-train", "sagemaker-serve", "sagemaker-mlops")

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": REGION,  # sagemaker.mlops cannot be imported without one
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": os.devnull,
    "SAGEMAKER_USER_CONFIG_OVERRIDE": os.devnull,
    "SAGEMAKER_VALIDATE_ROLE": "false",  # or ModelTrainer asks IAM what the role may do
}


def definition(family: Family) -> dict[str, Any]:
    """The definition that ``build`` in the family's pipeline module makes, as ``create_pipeline`` takes it.

    Imports the SDK, which takes seconds: ``cached_definition`` avoids it. Raises DefinitionError where there
    is no such module, or it calls AWS while it is compiled; SetupError where the SDK is missing.
    """
    name, role = _module_name(family), _role_arn()
    with _hermetic():
        build = _build_function(name)
        document: dict[str, Any] = json.loads(build(family, _session(role)).definition())
    return document


def cached_definition(family: Family, cache_folder: Path) -> dict[str, Any]:
    """As ``definition``, but read from ``cache_folder/<digest>.json`` while nothing it is made of changes."""
    _module_name(family)
    file = cache_folder / f"{_digest(family)}.json"
    try:
        document: dict[str, Any] = json.loads(file.read_bytes())
    except (OSError, ValueError):
        document = definition(family)
        with contextlib.suppress(OSError):  # it only saves time: a full disk is for others to report
            _replace(file, json.dumps(document))
    return document


def with_image(document: dict[str, Any], image: str) -> dict[str, Any]:
    """The definition with this image as the default of its parameter ``ImageUri``.

    Raises DefinitionError where it has no such parameter.
    """
    names = [parameter["Name"] for parameter in document["Parameters"]]
    if IMAGE_PARAMETER not in names:
        raise DefinitionError(
            f"the pipeline has no parameter {IMAGE_PARAMETER} that could name {image}; it has: {', '.join(names)}"
        )
    parameters = [
        one | {"DefaultValue": image} if one["Name"] == IMAGE_PARAMETER else one
        for one in document["Parameters"]
    ]
    return document | {"Parameters": parameters}


def published_in(root: Path) -> list[Path]:
    """The list of images that the repository itself keeps, if it does."""
    return [file for file in (root / "images.json",) if file.exists()]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.compile", description=__doc__)
    parser.add_argument("family", metavar="FAMILY")
    parser.add_argument("--images", metavar="FILE", type=Path, action="append", default=[])
    args = parser.parse_args(argv)
    root = families.repository_root()
    try:
        family = families.find_family(root, args.family)
        files = args.images or published_in(root)
        image = published.image_of(family, published.read(files)) if files else ""
        document = definition(family)
        document = with_image(document, image) if image else document
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(document, indent=2))
    return 0


def _module_name(family: Family) -> str:
    name = family.name.replace("-", "_")
    if not (PIPELINES / f"{name}.py").is_file():
        others = {file.stem for file in PIPELINES.glob("[!_]*.py")} - {"compile"}
        raise DefinitionError(
            f"family {family.name!r} has no pipeline module pipelines/{name}.py; there are: "
            f"{', '.join(sorted(others)) or 'none yet'}; write one that offers build(family, session)"
        )
    return name


def _role_arn() -> str:
    role = os.environ.get(ROLE_VARIABLE) or LOCAL_ROLE
    if not ROLE_ARN.fullmatch(role):
        raise DefinitionError(f"{ROLE_VARIABLE}={role}: must be the ARN of a role, such as {LOCAL_ROLE}")
    return role


def _build_function(name: str) -> Any:
    try:
        module = importlib.import_module(f"pipelines.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("boto3", "sagemaker"):
            raise
        raise _sdk_is_missing(error) from error
    if not callable(getattr(module, "build", None)):
        raise DefinitionError(f"pipelines/{name}.py has no function build(family, session)")
    return module.build


def _session(role: str) -> Any:
    """A PipelineSession whose clients refuse every call and whose defaults are all given."""
    import boto3
    from sagemaker.core.workflow.pipeline_context import PipelineSession

    boto = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name=REGION)
    boto.events.register("before-call", _refuse_call)
    defaults = {
        "SchemaVersion": "1.0",
        "SageMaker": {
            "ProcessingJob": {"RoleArn": role},
            "TrainingJob": {"RoleArn": role},
            "Model": {"ExecutionRoleArn": role},
            "PythonSDK": {"Modules": {"TelemetryOptOut": True}},
        },
    }
    session = PipelineSession(boto_session=boto, default_bucket=BUCKET, sagemaker_config=defaults)
    session.default_bucket = lambda: BUCKET  # the SDK's own asks S3 whether the bucket it was given exists
    return session


def _refuse_call(model: Any, **_: Any) -> None:
    raise DefinitionError(
        f"the pipeline module calls {model.service_model.service_name}:{model.name} while it is compiled; "
        "it must not need AWS: put code into the image, and take addresses and names as pipeline parameters"
    )


@contextlib.contextmanager
def _hermetic() -> Iterator[None]:
    """Hide the caller's AWS set-up from the SDK, and the SDK's log set-up and warnings from the caller.

    Meanwhile the environment of the whole process is another one: nothing else should run beside it.
    """
    environment, root = dict(os.environ), logging.getLogger()
    handlers, level, disabled = root.handlers[:], root.level, root.manager.disable
    for name in environment:
        if name.startswith(("AWS_", "SAGEMAKER_")):
            del os.environ[name]
    os.environ.update(ENVIRONMENT)
    logging.disable()
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        root.setLevel(level)
        os.environ.clear()
        os.environ.update(environment)


def _digest(family: Family) -> str:
    """Of all that a definition is made of: the modules, the manifest and its reader, the SDK, the role."""
    reader = Path(families.__file__).parent
    files = [
        *sorted(PIPELINES.glob("*.py")),
        *(reader / name for name in ("families.py", "images/names.py", "manifest.py", "readers.py")),
        family.folder / "family.toml",
    ]
    try:
        versions = [f"{name}=={importlib.metadata.version(name)}" for name in SDK]
    except importlib.metadata.PackageNotFoundError as error:
        raise _sdk_is_missing(error) from error
    digest = hashlib.sha256(" ".join([*versions, _role_arn()]).encode())
    for file in files:
        content = file.read_bytes()
        digest.update(f"\0{file.name} {len(content)}\0".encode() + content)
    return digest.hexdigest()


def _sdk_is_missing(error: ModuleNotFoundError) -> SetupError:
    return SetupError(
        f"pipelines are written with the SageMaker Python SDK v3, which {sys.prefix} lacks ({error}): "
        "install the repository's requirements there, as ./trainyard does in .venv"
    )


def _replace(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == "__main__":
    raise SystemExit(main())

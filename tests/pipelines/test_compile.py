"""Compiling: from the repository and the SDK alone, silently, and only when something has changed."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import pipelines
from pipelines import compile as compiler
from trainyard.errors import DefinitionError, SetupError
from trainyard.families import Family, find_families, load
from trainyard.images import published

ROOT = Path(compiler.__file__).parents[1]
SOME = next(iter(find_families(ROOT)))

MANIFEST = """
name = "tiny"
owner = "@team"
description = "The least family."
[image]
base = "python:3.11-slim@sha256:{digest}"
architectures = ["amd64"]
[training]
instance = "ml.m5.large"
[serving]
server = "pooled"
content_types = ["application/json"]
accept = ["application/json"]
instance = "ml.m5.large"
[example]
generate = "a"
request = "a"
answer = "a"
bad_requests = "a"
"""

MODULE = """
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.mlops.workflow import FailStep, Pipeline

def build(family, session):
    where = ParameterString("Where", {where})
    steps = [FailStep(name="Stop", error_message=where)]
    return Pipeline(name=family.name, parameters=[where], steps=steps, sagemaker_session=session)
"""


@pytest.fixture
def family(tmp_path: Path) -> Family:
    folder = tmp_path / "containers" / "tiny"
    folder.mkdir(parents=True)
    (folder / "a").touch()
    (folder / "family.toml").write_text(MANIFEST.format(digest="0" * 64))
    return load(folder)


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write the pipeline module of the family ``tiny``, outside of the repository."""
    folder = tmp_path / "pipelines"
    folder.mkdir()
    monkeypatch.setattr(compiler, "PIPELINES", folder)
    monkeypatch.setattr(pipelines, "__path__", [str(folder)])
    monkeypatch.delenv(compiler.ROLE_VARIABLE, raising=False)

    def write(text: str) -> None:
        (folder / "tiny.py").write_text(text)

    yield write
    sys.modules.pop("pipelines.tiny", None)


def test_a_pipeline_is_compiled_and_leaves_the_process_as_it_was(family, write_module):
    write_module(MODULE.format(where="session.default_bucket()"))
    environment, handlers = dict(os.environ), logging.getLogger().handlers[:]

    document = compiler.definition(family)

    assert document["Version"] == "2020-12-01"
    assert document["Parameters"] == [{"Name": "Where", "Type": "String", "DefaultValue": "trainyard-local"}]
    assert document["Steps"] == [
        {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Where"}}}
    ]
    assert dict(os.environ) == environment
    assert logging.getLogger().handlers == handlers
    assert logging.getLogger().manager.disable == 0


def test_a_module_that_calls_aws_is_refused_with_the_call(family, write_module):
    write_module(MODULE.format(where='session.upload_data(__file__, bucket="some")'))
    with pytest.raises(DefinitionError, match=r"calls s3:PutObject while it is compiled.*into the image"):
        compiler.definition(family)


def test_an_error_in_a_module_is_shown_as_it_is(family, write_module):
    write_module(MODULE.format(where="1 / 0"))
    with pytest.raises(ZeroDivisionError):
        compiler.definition(family)


def test_a_module_without_build_is_refused(family, write_module):
    write_module("def construct(family, session): ...")
    with pytest.raises(DefinitionError, match=r"pipelines/tiny\.py has no function build"):
        compiler.definition(family)


@pytest.mark.parametrize(
    "compiled", [compiler.definition, lambda f: compiler.cached_definition(f, Path("x"))]
)
def test_a_family_without_a_module_is_refused_with_the_modules_there_are(compiled, family, write_module):
    (compiler.PIPELINES / "large.py").touch()
    with pytest.raises(
        DefinitionError, match=r"'tiny' has no pipeline module pipelines/tiny\.py; .*: large;"
    ):
        compiled(family)


def test_another_missing_package_is_not_taken_for_the_sdk(family, write_module):
    write_module("import no_such_package")
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        compiler.definition(family)
    write_module("import sagemaker.no_such_module")
    with pytest.raises(SetupError, match=r"SageMaker Python SDK v3, which .* lacks .*no_such_module"):
        compiler.definition(family)


def test_the_role_is_the_one_of_the_environment(family, write_module, monkeypatch):
    write_module(MODULE.format(where='session.sagemaker_config["SageMaker"]["TrainingJob"]["RoleArn"]'))
    for role in ("arn:aws:iam::000000000000:role/trainyard", "arn:aws-cn:iam::123456789012:role/path/mine"):
        assert compiler.definition(family)["Parameters"][0]["DefaultValue"] == role
        monkeypatch.setenv(compiler.ROLE_VARIABLE, "arn:aws-cn:iam::123456789012:role/path/mine")
    monkeypatch.setenv(compiler.ROLE_VARIABLE, "mine")
    with pytest.raises(DefinitionError, match=r"TRAINYARD_ROLE_ARN=mine: must be the ARN of a role"):
        compiler.definition(family)


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch, write_module) -> list[str]:
    """The names of the families compiled, each of which gets a definition that tells which one it is."""
    write_module("")
    names: list[str] = []

    def definition(family: Family) -> dict[str, int]:
        names.append(family.name)
        return {"Compilation": len(names)}

    monkeypatch.setattr(compiler, "definition", definition)
    return names


def test_a_definition_is_compiled_once(family, compilations, tmp_path):
    cache = tmp_path / "deep" / "cache"
    assert [compiler.cached_definition(family, cache) for _ in range(3)] == [{"Compilation": 1}] * 3
    assert [len(file.name) for file in cache.iterdir()] == [64 + len(".json")]


@pytest.mark.parametrize("changed", ["module", "another module", "manifest", "sdk", "role"])
def test_whatever_changes_the_definition_is_in_its_key(changed, family, compilations, tmp_path, monkeypatch):
    compiler.cached_definition(family, tmp_path)
    match changed:
        case "module":
            (compiler.PIPELINES / "tiny.py").write_text("# another")
        case "another module":
            (compiler.PIPELINES / "shared.py").write_text("")
        case "manifest":
            with (family.folder / "family.toml").open("a") as file:
                file.write("# another")
        case "sdk":
            monkeypatch.setattr(compiler.importlib.metadata, "version", lambda name: "99")
        case "role":
            monkeypatch.setenv(compiler.ROLE_VARIABLE, "arn:aws:iam::123456789012:role/mine")
    assert compiler.cached_definition(family, tmp_path) == {"Compilation": 2}
    assert compiler.cached_definition(family, tmp_path) == {"Compilation": 2}


@pytest.mark.parametrize("rest", [b"", b'{"Version', b"\xff"])
def test_a_torn_cache_file_is_compiled_anew(rest, family, compilations, tmp_path):
    compiler.cached_definition(family, tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(rest)
    assert compiler.cached_definition(family, tmp_path / "cache") == {"Compilation": 2}
    assert json.loads(file.read_bytes()) == {"Compilation": 2}


def test_a_cache_that_cannot_be_written_costs_only_time(family, compilations, tmp_path):
    (tmp_path / "file").touch()
    assert compiler.cached_definition(family, tmp_path / "file") == {"Compilation": 1}


def test_neither_the_import_nor_a_cached_definition_needs_the_sdk(family, compilations, tmp_path):
    compiler.cached_definition(family, tmp_path / "cache")
    program = """
        import sys
        from pathlib import Path
        from pipelines import compile
        from trainyard.families import load
        compile.PIPELINES, folder, cache = map(Path, sys.argv[1:])
        print(compile.cached_definition(load(folder), cache))
        print(*{"sagemaker", "boto3", "botocore"}.intersection(sys.modules))
    """
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}"}
    folders = (compiler.PIPELINES, family.folder, tmp_path / "cache")
    command = [sys.executable, "-c", textwrap.dedent(program), *folders]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert output == "{'Compilation': 1}\n\n"


def test_an_unknown_family_and_a_bad_file_of_images_are_told(capsys, tmp_path):
    assert compiler.main(["nobody"]) == 11
    assert "no family 'nobody'" in capsys.readouterr().err
    assert compiler.main([SOME, "--images", str(tmp_path / "none.json")]) == 24
    assert "none.json: cannot be read" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        compiler.main([])
    assert "usage: python -m pipelines.compile" in capsys.readouterr().err


def test_a_published_image_becomes_the_default_of_the_pipelines_parameter(family, write_module):
    write_module(MODULE.format(where='"here"').replace('"Where"', '"ImageUri"'))
    document = compiler.definition(family)
    changed = compiler.with_image(document, "there@sha256:0")
    assert changed["Parameters"] == [{"Name": "ImageUri", "Type": "String", "DefaultValue": "there@sha256:0"}]
    assert document["Parameters"][0]["DefaultValue"] == "here"
    assert changed | {"Parameters": 0} == document | {"Parameters": 0}


def test_a_pipeline_without_that_parameter_cannot_take_it(family, write_module):
    write_module(MODULE.format(where='"here"'))
    with pytest.raises(DefinitionError, match=r"no parameter ImageUri that could name there; it has: Where"):
        compiler.with_image(compiler.definition(family), "there")


def test_a_repository_may_keep_its_images(tmp_path):
    assert compiler.published_in(tmp_path) == []
    (tmp_path / "images.json").touch()
    assert compiler.published_in(tmp_path) == [tmp_path / "images.json"]


@pytest.mark.slow
def test_the_command_line_compiles_with_the_image_of_a_file(tmp_path, capsys, monkeypatch):
    digest = f"sha256:{'0' * 64}"
    image = published.PublishedImage(
        family=SOME, image=f"registry/trainyard/{SOME}@{digest}", digest=digest,
        tag=f"src-{'0' * 16}", source_digest="0" * 64, git_revision="unknown", base=f"base@{digest}",
        lock_digest=digest, sbom_digest=digest,
    )  # fmt: skip
    (tmp_path / "images.json").write_text(published.to_json([image]))
    assert compiler.main([SOME, "--images", str(tmp_path / "images.json")]) == 0
    parameters = json.loads(capsys.readouterr().out)["Parameters"]
    assert {one["Name"]: one.get("DefaultValue") for one in parameters}["ImageUri"] == image.image
    monkeypatch.setattr(compiler, "published_in", lambda root: [tmp_path / "images.json"])
    assert compiler.main([SOME]) == 0
    assert json.loads(capsys.readouterr().out)["Parameters"] == parameters

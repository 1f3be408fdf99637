from __future__ import annotations

import json
from pathlib import Path

import pytest


def test_a_definition_runs_and_then_comes_from_the_cache(cli, definition) -> None:
    first = cli("run", *definition)
    assert first.code == 0, first.err
    assert "Make: started" in first.out and "Make: Succeeded in" in first.out
    assert "tiny  execution" in first.out and "Succeeded after" in first.out
    assert "size.mean  2.5" in first.out
    report = first.out.split("report: ")[1].strip()
    assert Path(report).read_text() == "<p>good"
    second = cli("run", *definition, "--json")
    document = json.loads(second.out)
    [step] = document["PipelineExecutionSteps"]
    assert step["CacheHitResult"]["SourcePipelineExecutionId"] in first.out
    assert document["PropertyFiles"] == {"Numbers": {"size.mean": 2.5}}
    assert "from the cache" in second.err


def test_a_failure_says_what_to_do_and_resume_goes_on(cli, definition) -> None:
    failed = cli("run", *definition, "--set", "Word=bad")
    assert failed.code == 30
    assert "AlgorithmError: it is bad, exit code: 3" in failed.err
    assert "Traceback" not in failed.err
    execution = failed.err.split("--resume ")[1].strip()
    again = cli("run", "--resume", execution)
    assert again.code == 30
    steps = json.loads(cli("executions", execution, "--json").out)["PipelineExecutionSteps"]
    assert steps[0]["AttemptCount"] == 2


def test_dry_run_prints_the_jobs_and_runs_none(cli, definition) -> None:
    shown = cli("run", *definition, "--dry-run", "--set", "Word=you")
    assert "command: python3 /opt/ml/processing/code/main.py you" in shown.out
    document = json.loads(cli("run", *definition, "--dry-run", "--json").out)
    assert document[0]["job"]["outputs"] == {"made": "/opt/ml/processing/made -> s3://bucket/made"}
    assert json.loads(cli("executions", "--json").out) == []


def test_a_definition_runs_in_an_image_and_goes_on_in_it(cli, definition, base_image: str) -> None:
    *definition, _ = definition
    shown = cli("run", *definition, f"image=docker:{base_image}", "--dry-run")
    assert f"runs as: docker:{base_image}" in shown.out
    failed = cli("run", *definition, f"image=docker:{base_image}", "--set", "Word=bad")
    assert failed.code == 30 and "AlgorithmError: it is bad, exit code: 3" in failed.err
    again = cli("run", "--resume", "last")
    assert again.code == 30 and "AlgorithmError: it is bad, exit code: 3" in again.err
    good = cli("run", *definition, f"image=docker:{base_image}", "--json")
    assert json.loads(good.out)["PropertyFiles"] == {"Numbers": {"size.mean": 2.5}}
    again = cli("run", *definition, f"image=docker:{base_image}")
    assert "from the cache" in again.out


def test_with_docker_images_are_what_they_are_called(cli, definition) -> None:
    without_map = definition[:2]
    assert "runs as: docker:image" in cli("run", *without_map, "--with", "docker", "--dry-run").out
    refused = cli("run", *without_map, "--with", "venv", "--dry-run")
    assert refused.code == 13 and "--map image=TARGET" in refused.err


def test_an_image_that_is_not_there_starts_nothing(cli, definition, engine) -> None:
    *definition, _ = definition
    refused = cli("run", *definition, "image=docker:localhost:1/x")
    assert refused.code == 27 and "'localhost:1/x' is not on this machine and cannot be pulled" in refused.err
    assert json.loads(cli("executions", "--json").out) == []


@pytest.mark.parametrize(
    ("arguments", "code", "fragment"),
    [
        ([], 2, "say what to run, one of: FAMILY"),
        (["FAMILY", "--resume", "last"], 2, "say what to run, one of"),
        (["--resume", "last", "--dry-run"], 2, "--dry-run has no place with it"),
        (["--resume", "last", "--set", "A=1"], 2, "--set has no place with it"),
        (["--resume", "last", "--with", "docker"], 2, "--with has no place with it"),
        (["--resume", "nobody"], 23, "no execution 'nobody'"),
        (["--definition", "/no/such.json"], 2, "cannot be read"),
        (["nobody"], 11, "no family 'nobody'"),
        (["FAMILY", "--data", "/no/such/data"], 24, "no such file or folder"),
    ],
)
def test_bad_arguments_are_one_line(cli, family, arguments, code, fragment) -> None:
    result = cli("run", *(family.name if word == "FAMILY" else word for word in arguments))
    assert (result.code, fragment in result.err) == (code, True), result.err
    assert len(result.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("more", "code", "fragment"),
    [
        (["--set", "Word"], 2, "write NAME=VALUE"),
        (["--set", "Wrod=x"], 14, "Word"),
        (["--map", "other=venv:/no"], 2, "is not a virtual environment"),
        (["--data", "x"], 2, "--data goes with a family"),
    ],
)
def test_bad_settings_start_nothing(cli, definition, more, code, fragment) -> None:
    result = cli("run", *definition, *more)
    assert (result.code, fragment in result.err) == (code, True), result.err
    assert json.loads(cli("executions", "--json").out) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"Version": "1"}', "\x00"])
def test_bad_definition_files_are_refused(cli, tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    result = cli("run", "--definition", tmp_path / "bad.json")
    assert result.code in {2, 12} and "Traceback" not in result.err


def with_steps(definition: list[str], *steps: dict) -> None:
    """Add steps to the definition's file."""
    file = Path(definition[1])
    document = json.loads(file.read_text())
    document["Steps"] += steps
    file.write_text(json.dumps(document))


def test_some_steps_run_on_the_results_of_an_earlier_execution(cli, definition) -> None:
    uri = {"Get": "Steps.Make.ProcessingOutputConfig.Outputs['made'].S3Output.S3Uri"}
    with_steps(
        definition,
        {"Name": "Use", "Type": "Model", "Arguments": {"PrimaryContainer": {"ModelPackageName": uri}}},
    )
    early = cli("run", *definition, "--steps", "Use")
    assert early.code == 23 and "'Use' needs the result of 'Make', which never succeeded here" in early.err
    assert cli("run", *definition).code == 0
    for source in ([], ["--from", "last"]):
        chosen = cli("run", *definition, "--steps", "Use", *source)
        assert chosen.code == 0, chosen.err
        assert "Make: started" not in chosen.out and "taken from execution " in chosen.out
    assert cli("run", *definition, "--from", "last").code == 2
    assert "did you mean" not in cli("run", *definition, "--steps", "Usee").err
    assert cli("run", "--resume", "last", "--steps", "Use").code == 2


def test_a_property_file_that_was_not_written_troubles_only_who_asks_for_it(cli, definition) -> None:
    file = Path(definition[definition.index("--definition") + 1])
    document = json.loads(file.read_text())
    document["Steps"][0]["PropertyFiles"].append(
        {"PropertyFileName": "None", "OutputName": "made", "FilePath": "none.json"}
    )
    file.write_text(json.dumps(document))
    done = cli("run", *definition)
    assert (done.code, "size.mean  2.5" in done.out, done.err) == (0, True, "")
    asks = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Make.PropertyFiles.None"}, "Path": "a"}}
    with_steps(definition, {"Name": "Ask", "Type": "Fail", "Arguments": {"ErrorMessage": asks}})
    failed = cli("run", *definition)
    assert (failed.code, "Ask" in failed.out, "none.json cannot be read as JSON" in failed.err) == (
        30,
        True,
        True,
    )


def test_failures_that_are_waited_for_end_with_an_exit_code_all_the_same(cli, definition) -> None:
    sorry = {
        "Name": "Sorry",
        "Type": "Model",
        "Arguments": {},
        "DependsOn": [{"Step": "Make", "Trigger": "Failed"}],
    }
    with_steps(definition, sorry)
    ended = cli("run", *definition, "--set", "Word=bad", "--parallel", "1")
    assert ended.code == 30
    assert "CompletedWithFailures after" in ended.out and "Sorry: Succeeded" in ended.out
    assert "what was to run after a failure has run; step Make: AlgorithmError: it is bad" in ended.err


def test_cache_modes(cli, definition) -> None:
    assert "not cached: no earlier run" in cli("run", *definition, "--cache", "aws").out
    assert "from the cache" in cli("run", *definition, "--cache", "aws").out
    for off in (["--no-cache"], ["--cache", "off"]):
        assert "from the cache" not in cli("run", *definition, *off).out
    refused = cli("run", *definition, "--parallel", "0")
    assert refused.code == 2 and "0 steps in parallel" in refused.err

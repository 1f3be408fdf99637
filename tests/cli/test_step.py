from __future__ import annotations

import json


def test_a_step_runs_alone_on_the_example(cli, family) -> None:
    result = cli("step", family.name, "Preprocess", "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert [step["StepName"] for step in document["PipelineExecutionSteps"]] == ["Preprocess"]
    execution = document["PipelineExecutionId"]
    keys = [item["Key"] for item in json.loads(cli("s3", "ls", "s3://trainyard-local/", "--json").out)]
    assert any(f"/{execution}/train/" in key for key in keys)


def test_a_step_without_its_inputs_says_what_to_run_first(cli, family) -> None:
    result = cli("step", family.name, "Evaluate")
    assert result.code == 23
    assert "step 'Evaluate' needs the result of 'Preprocess'" in result.err


def test_an_unknown_step_is_named_with_the_others(cli, family) -> None:
    result = cli("step", family.name, "Trian")
    assert result.code == 23 and "there are: Preprocess, Train, Evaluate" in result.err

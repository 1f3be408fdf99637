from __future__ import annotations

import json


def test_a_step_runs_alone_on_the_example(cli) -> None:
    result = cli("step", "prophet", "Preprocess", "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert [step["StepName"] for step in document["PipelineExecutionSteps"]] == ["Preprocess"]
    objects = json.loads(cli("s3", "ls", "s3://trainyard-local/prophet/", "--json").out)
    assert any(item["Key"].endswith("train/customer_0.csv") for item in objects)


def test_a_step_without_its_inputs_says_what_to_run_first(cli) -> None:
    result = cli("step", "prophet", "Evaluate")
    assert result.code == 23
    assert "step 'Evaluate' needs the result of 'Preprocess'" in result.err


def test_an_unknown_step_is_named_with_the_others(cli) -> None:
    result = cli("step", "prophet", "Trian")
    assert result.code == 23 and "there are: Preprocess, Train, Evaluate" in result.err

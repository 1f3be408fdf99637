from __future__ import annotations

import pytest

from trainyard.errors import DefinitionError
from trainyard.execution.attempts import Attempt
from trainyard.execution.outcome import JobOutcome
from trainyard.execution.request import Ended
from trainyard.execution.steps.job import check_count, container_path, environment, need


def test_need_names_step_and_field() -> None:
    assert need("S", {"A": {"B": 0}}, "A", "B") == 0
    for arguments in ({}, {"A": {}}, {"A": None}, {"A": [1]}):
        with pytest.raises(DefinitionError, match=r"step 'S': Arguments\.A\.B is missing"):
            need("S", arguments, "A", "B")


@pytest.mark.parametrize("value", [0, -1, 33, "2", 1.0, True, None])
def test_counts_are_whole_numbers(value) -> None:
    with pytest.raises(DefinitionError, match="a whole number from 1 to 32 is needed"):
        check_count("S", "InstanceCount", value)


@pytest.mark.parametrize("path", ["/opt/ml", "/opt/ml/../x", "/tmp/x", "opt/ml/x", "/opt/ml/a/../../../etc"])
def test_container_paths_stay_below(path: str) -> None:
    with pytest.raises(DefinitionError, match="must be a folder below /opt/ml"):
        container_path("S", "LocalPath", path, "/opt/ml")
    assert container_path("S", "LocalPath", "/opt/ml/x/", "/opt/ml") == "/opt/ml/x"


def test_statuses() -> None:
    def outcome(failure: str = "", stopped="") -> str:
        ended = Ended(exit_codes=(0,), stopped=stopped)
        once = (Attempt(started=0, ended=1),)
        return JobOutcome(request=None, ended=ended, attempts=once, ended_at=1, failure=failure).status

    assert [outcome(), outcome("x"), outcome("x", "Stopped")] == ["Completed", "Failed", "Stopped"]


@pytest.mark.parametrize("variables", [{"": "x"}, {"A=B": "x"}, {"A": "x\0y"}])
def test_variables_that_no_process_can_have_are_refused(variables) -> None:
    assert environment("S", {"Environment": {"A": 1}}) == {"A": "1"}
    with pytest.raises(DefinitionError, match="cannot be an environment variable"):
        environment("S", {"Environment": variables})


def test_variables_fit_together_into_what_a_program_can_be_given() -> None:
    variables = {f"V{number}": "v" * 60_000 for number in range(17)}
    assert len(environment("S", {"Environment": variables})) == 17
    with pytest.raises(DefinitionError, match=r"step 'S': Environment has 1080\d+ bytes"):
        environment("S", {"Environment": {**variables, "ONE_MORE": "v" * 60_000}})

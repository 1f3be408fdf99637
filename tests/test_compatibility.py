"""docs/compatibility.md claims what there is: its tests exist, and it has every step type and every operation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from trainyard.definition.kinds import REFUSED, STEP_TYPES
from trainyard.execution.steps import KINDS
from trainyard.local_aws.endpoint import sagemaker_operations
from trainyard.local_aws.json_api import service_model

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "compatibility.md"
_VERDICT = re.compile(r"yes|(partly|no): \S.{8,}")
_CITED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


class Row(NamedTuple):
    section: str
    what: str
    verdict: str
    tests: str

    @property
    def done(self) -> bool:
        return not self.verdict.startswith("no")


def rows(text: str) -> Iterator[Row]:
    """The rows of all tables; the verdict and the tests are the last two columns."""
    section, heads = "", []
    for line in text.splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ")
        if not line.startswith("|"):
            heads = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not heads:
            heads = cells
            assert heads[-2:] == ["trainyard", "Tests"], f"{section}: {heads}"
        elif not set(line) <= set("|-"):
            assert len(cells) == len(heads), line
            yield Row(section, cells[-3] if len(cells) == 3 else cells[1], cells[-2], cells[-1])


ROWS = list(rows(PAGE.read_text()))


def of(section: str) -> list[Row]:
    return [row for row in ROWS if row.section == section]


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of the test functions in a file, also of those in classes."""
    path = ROOT / file
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what[:40])
def test_every_row_has_a_verdict_and_tests_or_says_why_it_has_none(row: Row) -> None:
    assert _VERDICT.fullmatch(row.verdict), f"{row.what}: {row.verdict!r} is not yes, partly: what, no: why"
    cited = _CITED.findall(row.tests)
    if not cited:
        assert row.verdict != "yes", f"{row.what}: yes needs a test"
        assert re.fullmatch(r"no test: \S.{15,}", row.tests), (
            f"{row.what}: {row.tests!r} names no test, nor why"
        )
        return
    assert _CITED.sub("", row.tests).strip() == "", f"{row.what}: {row.tests!r} has more than tests in it"
    missing = [f"{file}::{name}" for file, name in cited if name not in names_in(file)]
    assert not missing, f"{row.what}: there is no {', '.join(missing)}"


def test_every_step_type_stands_with_what_becomes_of_it() -> None:
    found = {row.what.strip("`"): row for row in of("Step types")}
    assert found.keys() == STEP_TYPES.keys()
    assert {name for name, row in found.items() if row.done} == set(KINDS)
    assert {name for name, row in found.items() if not row.done} == set(REFUSED)


def test_every_operation_that_is_answered_is_claimed_and_no_other() -> None:
    known = set(service_model("sagemaker").operation_names)
    claimed: dict[bool, list[str]] = {True: [], False: []}
    for row in of("The SageMaker API at the local endpoint"):
        names = re.findall(r"`(\w+)`", row.what)
        assert known.issuperset(names), f"no operations of SageMaker: {set(names) - known}"
        claimed[row.done] += names
    assert sorted(claimed[True]) == sorted(sagemaker_operations())
    assert not set(claimed[False]) & set(sagemaker_operations())


def test_all_that_users_ask_for_has_an_answer() -> None:
    table = PAGE.read_text().partition("## What users of SageMaker ask for")[2].partition("\n## ")[0]
    assert re.findall(r"^\| (\d+) \|", table, re.MULTILINE) == [str(number) for number in range(1, 21)]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("| x | yes | no test: because it is so simple |", "yes needs a test"),
        ("| x | partly | `tests/test_docs.py::test_every_command_is_described` |", "is not yes, partly"),
        ("| x | no: it is not here | |", "names no test, nor why"),
        ("| x | yes | `tests/test_docs.py::test_nothing` |", "there is no tests/test_docs.py::test_nothing"),
        ("| x | yes | `tests/test_none.py::test_x` |", "there is no tests/test_none.py"),
        ("| x | yes | `tests/test_docs.py::test_every_command_is_described` and more |", "more than tests"),
    ],
)
def test_a_page_that_claims_too_much_is_found_out(line: str, wrong: str) -> None:
    (row,) = rows(f"| What | trainyard | Tests |\n|---|---|---|\n{line}\n")
    with pytest.raises(AssertionError, match=re.escape(wrong)):
        test_every_row_has_a_verdict_and_tests_or_says_why_it_has_none(row)

"""Budgets, so that the tail cannot grow; an exception is a line here with its reason."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULE, FUNCTION, TEST = 250, 60, 50
FILES = {"train.py": 120, "inference.py": 60}
EXCEPTIONS: dict[str, str] = {}


def sources(*rooms: str) -> list[Path]:
    files = sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))
    assert files
    return files


def functions(path: Path) -> list[tuple[str, int]]:
    """(file:name, number of lines) of each function."""
    name = path.relative_to(ROOT)
    nodes = ast.walk(ast.parse(path.read_text()))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        (f"{name}:{node.name}", node.end_lineno - node.lineno + 1)
        for node in nodes
        if isinstance(node, kinds)
    ]


def over(lengths: list[tuple[str, int]], budget: int) -> list[str]:
    return [
        f"{name}: {length} lines, {budget} are allowed"
        for name, length in lengths
        if length > budget and name not in EXCEPTIONS
    ]


CODE = sources("shared/trainyard", "containers", "pipelines", "ci", "benchmarks")
TESTS = sources("tests")


def test_modules_and_functions_are_short():
    lines = [(str(path.relative_to(ROOT)), len(path.read_text().splitlines())) for path in CODE]
    wrong = over(lines, MODULE)
    wrong += [line for path in CODE for line in over(functions(path), FUNCTION)]
    wrong += [line for path in TESTS for line in over(functions(path), TEST)]
    for name, budget in FILES.items():
        wrong += over([(path, length) for path, length in lines if is_of_a_family(path, name)], budget)
    assert not wrong, "\n".join(wrong)


def is_of_a_family(path: str, name: str) -> bool:
    return path.startswith("containers/") and path.endswith(f"/{name}")


def test_every_exception_is_still_one():
    lengths = dict(entry for path in [*CODE, *TESTS] for entry in functions(path))
    lengths |= {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in CODE}
    assert [name for name in EXCEPTIONS if lengths.get(name, 0) <= FUNCTION] == []


def test_modules_are_named_for_what_they_are_for():
    assert [path for path in CODE if path.stem in ("utils", "util", "common", "helpers", "misc")] == []


def test_what_runs_in_images_is_read_by_old_pythons():
    for path in sources("shared/trainyard/in_image", "containers"):
        ast.parse(path.read_text(), str(path), feature_version=(3, 9))

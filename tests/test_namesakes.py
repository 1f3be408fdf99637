"""Each module's tests lie where its name says: shared/trainyard/a/b.py has tests/a/test_b.py."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXEMPT = {
    "shared/trainyard/cli/__main__.py": "one line, run by tests/cli/test_main.py",
}


def modules() -> dict[str, list[str]]:
    """Each module with something to test -> the names that its test module may have."""
    found = {}
    for room, mirror in (
        ("shared/trainyard", "tests"),
        ("ci", "tests/ci"),
        ("pipelines", "tests/pipelines"),
        ("containers", "tests/containers"),
    ):
        for path in sorted((ROOT / room).rglob("*.py")):
            inside = path.relative_to(ROOT / room)
            if has_behaviour(ast.parse(path.read_text())):
                names = [inside.with_name(f"test_{inside.stem.lstrip('_')}.py")]
                if room == "containers":  # a small family may have one test module
                    names.append(Path(inside.parts[0], f"test_{inside.parts[0].replace('-', '_')}.py"))
                if room == "pipelines":
                    names += [Path("test_golden.py")] if inside.stem != "compile" else []
                found[f"{room}/{inside}"] = [f"{mirror}/{name}" for name in names]
    return found


def has_behaviour(tree: ast.Module) -> bool:
    """Whether any function does something; protocols, errors and constants do not."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not (isinstance(node.body[-1], ast.Expr) and isinstance(node.body[-1].value, ast.Constant))
        for node in ast.walk(tree)
    )


def test_every_module_has_its_tests():
    missing = [
        f"{module}: none of {', '.join(tests)}"
        for module, tests in modules().items()
        if module not in EXEMPT and not any((ROOT / test).exists() for test in tests)
    ]
    assert not missing, "\n".join(missing)


def test_every_exemption_is_needed():
    assert [module for module in EXEMPT if not (ROOT / module).exists()] == []


def test_only_what_does_nothing_needs_no_test():
    assert has_behaviour(ast.parse("class A:\n def f(self):\n  return 1"))
    assert not has_behaviour(
        ast.parse('class A(Protocol):\n def f(self): ...\nclass B(Exception):\n "b"\nC = 1')
    )

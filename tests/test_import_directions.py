"""Who may import whom: the table of ARCHITECTURE.md, which this test holds everybody to."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# room: (what of ours it may import, what of others, what of others only inside functions or for types)
ANY = {"*"}
TABLE = {
    "containers": ({"trainyard.in_image"}, ANY, ANY),
    "trainyard.in_image": ({"trainyard.in_image"}, set(), ANY),
    "pipelines": (
        {"pipelines", "trainyard.families", "trainyard.images", "trainyard.errors"},
        {"sagemaker"},
        {"boto3"},
    ),
    "pipelines.lambdas": (set(), {"boto3", "botocore"}, set()),  # AWS's runtime has nothing of ours
    "trainyard": (set(), set(), set()),
    "trainyard.errors": (set(), set(), set()),
    "trainyard.readers": (set(), set(), set()),
    "trainyard.manifest": ({"trainyard.readers"}, set(), set()),
    "trainyard.families": ({"trainyard.manifest", "trainyard.readers", "trainyard.errors"}, set(), set()),
    "trainyard.images": (
        {"trainyard.images", "trainyard.families", "trainyard.errors", "trainyard.readers"},
        set(),
        set(),
    ),
    "trainyard.preflight": (
        {
            "trainyard.preflight",
            "trainyard.execution",
            "trainyard.definition",
            "trainyard.images",
            "trainyard.families",
            "trainyard.errors",
            "trainyard.in_image.opt_ml",
        },
        set(),
        set(),
    ),
    "trainyard.definition": ({"trainyard.definition", "trainyard.errors"}, set(), set()),
    "trainyard.registry": ({"trainyard.registry", "trainyard.errors"}, set(), set()),
    "trainyard.execution": (
        {
            "trainyard.execution",
            "trainyard.definition",
            "trainyard.registry",
            "trainyard.families",
            "trainyard.images",
            "trainyard.errors",
            "trainyard.in_image.opt_ml",
            "trainyard.in_image.archives",
        },
        set(),
        {"boto3", "botocore", "optuna"},
    ),
    "trainyard.local_aws": (
        {
            "trainyard.local_aws",
            "trainyard.execution",
            "trainyard.definition",
            "trainyard.registry",
            "trainyard.families",
            "trainyard.errors",
        },
        set(),
        {"botocore", "moto", "werkzeug"},
    ),
    "ci": (
        {
            "ci",
            "trainyard.families",
            "trainyard.images",
            "trainyard.preflight",
            "trainyard.errors",
            "trainyard.readers",
            "trainyard.cli.setup",
        },
        {"yaml"},
        {"boto3", "botocore"},
    ),
    "trainyard.cli": ({"trainyard", "pipelines"}, set(), {"rich", "pytest"}),
}
OURS = ("trainyard", "pipelines", "ci", "containers", "tests", "benchmarks")
# The definition is a document: its language touches no file, process or network.
EFFECTS = {"os", "io", "pathlib", "shutil", "subprocess", "socket", "urllib", "http", "tempfile", "sqlite3"}


def modules() -> list[tuple[str, Path]]:
    files = [(path, ROOT / "shared") for path in (ROOT / "shared" / "trainyard").rglob("*.py")]
    files += [
        (path, ROOT) for room in ("containers", "pipelines", "ci") for path in (ROOT / room).rglob("*.py")
    ]
    return [(".".join(path.relative_to(base).with_suffix("").parts), path) for path, base in sorted(files)]


def room_of(module: str) -> str:
    name = module.removesuffix(".__init__")
    while name not in TABLE:
        name, _, _ = name.rpartition(".")
        assert name, f"{module} lies in no room of TABLE"
    return name


def imports(tree: ast.AST, inside: bool = False) -> list[tuple[str, bool, int]]:
    """(dotted name, whether not when the module is imported, line) of every import; ``a.b`` of ``from a import b``."""
    found = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, inside, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            found += [(f"{node.module}.{alias.name}", inside, node.lineno) for alias in node.names]
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_for_types(node)
        found += imports(node, inside or later)
    return found


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def is_allowed(name: str, module: str, lazy: bool, beside: set[str]) -> bool:
    ours, others, others_lazily = TABLE[room_of(module)]
    top = name.partition(".")[0]
    if module.startswith(("containers.", "pipelines.lambdas.")) and top in beside:
        return True  # the family's or the function's own files, which lie flat where they run
    if top in OURS:
        return any(f"{name}.".startswith(f"{allowed}.") for allowed in ours)
    if top in sys.stdlib_module_names:
        return room_of(module) != "trainyard.definition" or top not in EFFECTS
    allowed = others | others_lazily if lazy else others
    return bool(allowed & {"*", top})


def test_every_import_goes_in_an_allowed_direction():
    wrong = []
    for module, path in modules():
        beside = {file.stem for file in path.parent.glob("*.py")}
        for name, lazy, line in imports(ast.parse(path.read_text())):
            if not is_allowed(name, module, lazy, beside):
                how = "inside a function" if lazy else "at the top"
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {room_of(module)} imports {name} {how}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("module", "name", "lazy", "allowed"),
    [
        ("containers.prophet.train", "prophet.Prophet", False, True),
        ("containers.prophet.train", "engine.fit", False, True),
        ("containers.prophet.train", "trainyard.in_image.metrics", False, True),
        ("containers.prophet.train", "trainyard.families", True, False),
        ("containers.prophet.train", "containers.scarcegan", True, False),
        ("trainyard.in_image.serve", "numpy", True, True),
        ("trainyard.in_image.serve", "numpy", False, False),
        ("trainyard.in_image.serve", "trainyard.errors.UserError", True, False),
        ("trainyard.execution.jobs", "trainyard.in_image.opt_ml.OptMl", False, True),
        ("trainyard.execution.jobs", "trainyard.in_image.serve", True, False),
        ("trainyard.execution.jobs", "sagemaker", True, False),
        ("trainyard.execution.jobs", "trainyard.cli.run", True, False),
        ("trainyard.definition.order", "pathlib.Path", True, False),
        ("trainyard.definition.order", "graphlib", False, True),
        ("trainyard.cli.run", "rich.table", False, False),
        ("trainyard.cli.run", "rich.table", True, True),
        ("trainyard.cli.run", "pipelines.compile", True, True),
        ("pipelines.prophet", "sagemaker.core", False, True),
        ("pipelines.prophet", "trainyard.execution", True, False),
        ("pipelines.lambdas.register_models.lambda_function", "boto3", False, True),
        ("pipelines.lambdas.register_models.lambda_function", "trainyard.errors", True, False),
        ("trainyard.images.plan", "trainyard.families_of_others", False, False),
        ("trainyard.images.build", "trainyard.execution", True, False),
        ("trainyard.preflight.training", "trainyard.execution.jobs", False, True),
        ("trainyard.execution.jobs", "trainyard.preflight", True, False),
        ("ci.release", "trainyard.cli.main", True, False),
        ("ci.ecr", "boto3", False, False),
    ],
)
def test_the_table_is_read_as_it_is_meant(module, name, lazy, allowed):
    assert is_allowed(name, module, lazy, {"train", "engine"}) == allowed

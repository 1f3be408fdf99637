"""Every family's image keeps the container contract: what ``trainyard check`` makes of it, a test per check."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipelines import compile as compiler
from tests.conftest import require_sources
from trainyard.execution.environments import Environments
from trainyard.execution.store import default_home
from trainyard.families import find_families, repository_root
from trainyard.images.build import ensure_built
from trainyard.images.engine import Engine
from trainyard.preflight import contract
from trainyard.preflight.checks import Result
from trainyard.preflight.inspection import CONFIGURATION, FILES, inspect

ROOT = repository_root()
FAMILIES = find_families(ROOT)
CHECKS = [
    (name, check.name)
    for name, family in FAMILIES.items()
    for check in (*CONFIGURATION, *FILES, *contract.contract(family))
]


@pytest.fixture(scope="module")
def results(
    engine: Engine, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, dict[str, Result]]]:
    """Each family's results by check, made when the family is first asked for."""

    class Made(dict[str, dict[str, Result]]):
        def __missing__(self, name: str) -> dict[str, Result]:
            family, home = FAMILIES[name], tmp_path_factory.mktemp(name)
            environments = Environments(default_home() / "venvs")
            require_sources(family, environments)
            image = ensure_built(family, ROOT, engine)
            done = list(inspect(engine, family, image))
            tried = contract.Tried(
                engine=engine, image=image, family=family, root=ROOT,
                definition=compiler.cached_definition(family, default_home() / "compiled"),
            )  # fmt: skip
            with contract.full_bench(tried, home) as bench:
                done += contract.examine(bench, contract.contract(family), done)
            self[name] = {result.name: result for result in done}
            return self[name]

    yield Made()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "check"), CHECKS, ids=lambda text: text.replace(" ", "-"))
def test_the_image_keeps_the_contract(results: dict[str, dict[str, Result]], name: str, check: str) -> None:
    result = results[name][check]
    assert not result.failed and not result.skipped, (
        "\n".join(each.message for each in result.findings) or result.skipped
    )

from __future__ import annotations

import pytest

from trainyard.cli.serve import chosen_package
from trainyard.errors import NotFound, UserError
from trainyard.registry.packages import package_arn


def test_the_newest_version_that_nobody_rejected_is_served(store) -> None:
    for _ in range(3):
        store.registry.register("g", {"ModelPackageGroupName": "g"}, {})
    assert chosen_package(store, "g", None) == package_arn("g", 3)
    store.registry.decide("g", 3, "Rejected", by="me", reason="worse")
    assert chosen_package(store, "g", None) == package_arn("g", 2)
    assert chosen_package(store, "g", "1") == package_arn("g", 1)
    assert chosen_package(store, "g", package_arn("g", 3)) == package_arn("g", 3)
    for version in (1, 2):
        store.registry.decide("g", version, "Rejected", by="me", reason="worse")
    with pytest.raises(NotFound, match="only rejected versions"):
        chosen_package(store, "g", None)


def test_an_unknown_group_is_one_line(cli) -> None:
    result = cli("serve", "nobody")
    assert result.code in {cls.exit_code for cls in UserError.__subclasses__()}
    assert "nobody" in result.err and len(result.err.strip().splitlines()) == 1

from __future__ import annotations

import pytest

from tests.preflight.conftest import rules, trained
from trainyard.preflight import serving
from trainyard.preflight.multi_model import manages


@pytest.mark.parametrize("toy_family", ["many models"], indirect=True)
@pytest.mark.parametrize("fault", ["no-409", "no-507", "never-unloads"])
def test_each_fault_of_managing_models_is_found(toy_bench, fault):
    bench = trained(toy_bench(fault))
    assert rules(serving.starts, bench) == set()
    assert rules(manages, bench) == {"multi-model"}

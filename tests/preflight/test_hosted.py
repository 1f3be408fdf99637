from __future__ import annotations

from dataclasses import replace

import pytest

from tests.preflight.conftest import trained
from trainyard.errors import CheckFailed, EndpointError
from trainyard.execution.model_data import ModelError
from trainyard.preflight import hosted


def test_a_container_lives_as_long_as_its_context(toy_bench):
    bench = trained(toy_bench())
    container = hosted.make(bench)
    with hosted.running(bench, container) as client:
        assert client.invoke(b'{"add": 1}').body == b'{"words": 4}'
        assert hosted.container_id(bench, container)
    assert hosted.container_id(bench, container) == ""
    with pytest.raises(ModelError):
        client.ask("GET", "/ping")


def test_one_archive_is_nothing_for_many_models(toy_bench):
    bench = trained(toy_bench())
    serving = replace(bench.family.serving, multi_model=True)
    bench.family = replace(bench.family, serving=serving)
    with pytest.raises(CheckFailed, match="CompressionType to NONE"):
        hosted.make(bench)


@pytest.mark.parametrize("toy_family", ["many models"], indirect=True)
def test_a_model_that_cannot_be_loaded_ends_the_container(toy_bench):
    bench = trained(toy_bench())
    container = hosted.make(bench)
    next(container.ml.models.rglob("model.json")).write_text("{")
    with pytest.raises((CheckFailed, EndpointError)):
        hosted.start(bench, container)
    container.stop()
    assert hosted.container_id(bench, container) == ""

"""Who answers, and what holds a fleet open; containers and weights are tested with the hosts."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hosted import Hosted, serving_venv
from trainyard.errors import EndpointError
from trainyard.execution.container import Invocation
from trainyard.execution.endpoint_records import planned, weights
from trainyard.execution.fleet import Asked, Fleet, log_folder
from trainyard.execution.model_data import ModelError


@pytest.fixture(scope="module")
def venv(tmp_path_factory):
    return serving_venv(tmp_path_factory.mktemp("serving"))


@pytest.fixture
def threads():
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def fleet(store, environments, venv, namespaces):
    def make(**environment: str) -> Fleet:
        world = Hosted(store, environments, venv)
        world.model("a", environment=environment)
        world.config("c", {"a": 1})
        document = planned(store, "c")
        return Fleet(world.machine, "e", document["Deployment"], weights(document))

    return make


def test_who_is_inside_is_answered_before_it_ends(fleet, threads):
    made = fleet(SLOW="0.5")
    made.start(threads)
    assert made.enter()
    answers: list[bytes] = []

    def ask() -> None:
        answers.append(made.invoke(Invocation(body=b"x"), Asked()).reply.body)
        made.leave()

    asking = threading.Thread(target=ask)
    asking.start()
    began = time.monotonic()
    made.retire(10)
    assert time.monotonic() - began > 0.3
    asking.join()
    assert answers == [b"a:x"]
    assert not made.enter()
    assert made.ended()


def test_who_stays_too_long_is_not_waited_for(fleet, threads):
    made = fleet()
    made.start(threads)
    assert made.enter()
    made.retire(0.1)
    with pytest.raises(ModelError, match="the container does not answer"):
        made.invoke(Invocation(body=b"x"), Asked())


def test_what_is_stopped_before_or_while_it_starts_does_not_run(fleet, threads, store):
    made = fleet(SLOW_START="60")
    made.stop()
    with pytest.raises(EndpointError, match="was stopped before it answered"):
        made.start(threads)
    assert not list(log_folder(store, "e").rglob("ml"))


def test_no_weight_at_all(fleet):
    made = fleet()
    made.weights = {"a": 0.0}
    with pytest.raises(ModelError, match="all variants have the weight 0"):
        made.invoke(Invocation(body=b"x"), Asked())

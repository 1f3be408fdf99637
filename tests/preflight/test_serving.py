"""Every check of ``serve`` passes for a server that keeps the contract and finds the one that does not."""

from __future__ import annotations

import pytest

from tests.preflight.conftest import rules, trained
from trainyard.execution.launchers import docker_serving
from trainyard.preflight import serving

FAULTS = [
    ("no-ping", serving.starts, "raised"),
    ("wrong-status", serving.refuses, "bad-request"),
    ("reads-anything", serving.refuses, "bad-request"),
    ("no-message", serving.refuses, "bad-request"),
    ("unpickles", serving.does_not_unpickle, "unpickles"),
    ("execution-parameters", serving.offers, "execution-parameters"),
    ("knows-all-paths", serving.offers, "unknown-path"),
    ("ignores-sigterm", serving.stops, "sigterm"),
    ("needs-root", serving.isolated, "isolated"),
    ("one-port", serving.binds_to_port, "bind-to-port"),
    ("starts-with-nothing", serving.fails_to_start, "start-failure"),
    ("dies-silently", serving.fails_to_start, "start-failure"),
    ("dies-with-0", serving.fails_to_start, "start-failure"),
]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(docker_serving, "_GRACE_SECONDS", 2.0)


@pytest.mark.parametrize("toy_family", ["one model", "many models"], indirect=True)
def test_a_server_that_keeps_the_contract(toy_bench, toy_family):
    bench, checks = trained(toy_bench()), serving.checks(toy_family)
    assert {check.name: rules(check.run, bench) for check in checks} == {
        check.name: set() for check in checks
    }
    assert bench.endpoint is None
    label = f"label=trainyard.store={bench.store.home}"
    assert not bench.engine.run("container", "ls", "--all", "--quiet", "--filter", label)
    assert not bench.engine.run("network", "ls", "--quiet", "--filter", label)


@pytest.mark.parametrize(("fault", "check", "found"), FAULTS)
def test_each_fault_of_a_server_is_found(toy_bench, fault, check, found):
    bench = trained(toy_bench(fault))
    if fault not in ("no-ping", "needs-root", "one-port"):
        assert rules(serving.starts, bench) == set()
    assert rules(check, bench) == {found}


def test_a_wrong_answer_is_found(toy_bench, toy_family):
    bench = trained(toy_bench())
    (toy_family.folder / "answer.json").write_text('{"words": 8}')
    assert rules(serving.starts, bench) == set()
    assert rules(serving.answers, bench) == {"answer"}


def test_an_npy_file_with_a_pickle_is_one_that_numpy_would_read():
    content = serving.pickled_array("true")
    assert content.startswith(b"\x93NUMPY\x01\x00") and (content.index(b"\n") + 1) % 64 == 0
    assert int.from_bytes(content[8:10], "little") == content.index(b"\n") + 1 - 10

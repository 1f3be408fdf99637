from __future__ import annotations

from pathlib import Path

from tests.preflight.conftest import definition
from trainyard.execution.launchers.containers import LOCK, STORE
from trainyard.execution.store import Store
from trainyard.preflight import contract
from trainyard.preflight.checks import Finding, Result


def bench_of(make, engine, image, family, home):
    tried = contract.Tried(
        engine=engine, image=image, family=family, root=family.folder.parents[1],
        definition=definition(family),
    )  # fmt: skip
    return make(tried, home)


def test_all_checks_of_a_good_image_in_a_store_that_does_not_stay(engine, toy_image, toy_family, tmp_path):
    with bench_of(contract.full_bench, engine, toy_image("good"), toy_family, tmp_path) as bench:
        bench.grace = bench.patience = 3.0
        results = list(contract.examine(bench, contract.smoke(toy_family)))
        assert [(each.name, each.failed, each.skipped) for each in results] == [
            (check.name, False, "") for check in contract.smoke(toy_family)
        ]
        assert bench.endpoint is None and bench.store.home.is_dir()
    assert not bench.store.home.exists()
    names = [check.name for check in contract.contract(toy_family)]
    assert len(set(names)) == len(names) and {each.name for each in results} < set(names)


def test_what_cannot_start_is_not_started(engine, toy_image, toy_family, tmp_path):
    broken = Result(name="train", findings=(Finding(rule="no-train", message="absent"),))
    with bench_of(contract.full_bench, engine, toy_image("good"), toy_family, tmp_path) as bench:
        results = list(contract.examine(bench, contract.contract(toy_family), [broken]))
    assert all(each.skipped for each in results)


def test_the_store_of_smoke_tests_stays_until_an_input_of_the_steps_before_training_changes(
    engine, toy_image, toy_family, tmp_path
):
    homes = []
    image = toy_image("good")

    def home() -> Path:
        with bench_of(contract.smoke_bench, engine, image, toy_family, tmp_path) as bench:
            homes.append(bench.store.home)
        return homes[-1]

    assert home() == home(), "nothing changes"
    image = toy_image("faulty", "--build-arg", "FAULT=none")
    assert home() != homes[0], "another image, of which nobody knows what it is made of"
    assert [path.exists() for path in homes[1:]] == [False, True]


def test_what_killed_checks_left_goes_and_what_others_work_in_stays(engine, toy_image, toy_family, tmp_path):
    image, killed = toy_image("good"), tmp_path / "checks" / "0123456789ab"
    labels = ("--label", f"{STORE}={killed}", "--label", f"{LOCK}={killed / 'gone' / 'docker.lock'}")
    Store(killed)
    container = engine.run("create", *labels, image.reference, "true").strip()
    with (
        bench_of(contract.full_bench, engine, image, toy_family, tmp_path) as one,
        bench_of(contract.full_bench, engine, image, toy_family, tmp_path) as other,
    ):
        assert engine.try_run("inspect", container).returncode and not killed.exists()
        assert one.store.home.is_dir() and other.store.home.is_dir()

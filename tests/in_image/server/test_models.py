"""The models of a worker: loaded once, used while they are, gone when all say so; workers agree."""

from __future__ import annotations

import json
import socket
import threading
import weakref

import pytest

from tests.conftest import wait_until
from trainyard.in_image.handler_errors import Refused
from trainyard.in_image.opt_ml import OptMl
from trainyard.in_image.server.channel import Channel, encode
from trainyard.in_image.server.directory import Directory
from trainyard.in_image.server.models import Models

URL = "/opt/ml/models/m/model"


class Model:
    """A loaded model that knows whether it is gone."""


class Ample:
    def is_short(self, more: int = 0) -> bool:
        return False


@pytest.fixture
def opt_ml(tmp_path):
    (tmp_path / "models" / "m" / "model").mkdir(parents=True)
    return OptMl(tmp_path)


@pytest.fixture
def team(opt_ml):
    """Workers of one directory, whose messages go through real sockets."""
    directory, lock, ends = Directory(), threading.Lock(), []

    def serve(number: int) -> None:
        for line in ends[number].makefile("rb"):
            with lock:
                for worker, message in directory.handle(number, json.loads(line)):
                    ends[worker].sendall(encode(message))

    def make(load=str, memory=None, copies=1) -> Models:
        ours, theirs = socket.socketpair()
        channel = Channel(ours)
        with lock:
            models = Models(load, opt_ml, channel, directory.published, memory or Ample(), copies)
            ends.append(theirs)
            directory.join(len(ends) - 1)
        channel.listen(models.heed, lambda: None)
        threading.Thread(target=serve, args=(len(ends) - 1,), daemon=True).start()
        return models

    yield make
    for end in ends:
        end.shutdown(socket.SHUT_RDWR)
        end.close()


def status_of(call, *arguments) -> int:
    with pytest.raises(Refused) as error:
        call(*arguments)
    return error.value.status_code


def test_the_folder_below_the_base_is_what_is_loaded(team, opt_ml):
    models = team()
    models.load("a", URL)
    assert models.call("a", str) == str((opt_ml.models / "m" / "model").resolve())


def test_the_others_know_it_at_once_and_read_it_when_they_are_asked(team):
    read = []
    one, two = team(), team(lambda folder: read.append(folder) or "two's")
    one.load("a", URL)
    assert two.get("a").url == URL and not read
    assert [two.call("a", str) for _ in range(3)] == ["two's"] * 3 and len(read) == 1
    assert status_of(two.load, "a", URL) == 409
    late = team()
    assert late.get("a").url == URL
    two.unload("a")
    assert [status_of(each.call, "a", str) for each in (one, two, late)] == [404] * 3
    assert status_of(one.unload, "a") == 404


def test_a_name_is_taken_from_the_moment_its_loading_begins(team):
    begun, go_on = threading.Event(), threading.Event()

    def slow(folder):
        begun.set()
        go_on.wait(10)
        return folder

    models, other = team(slow), team()
    thread = threading.Thread(target=models.load, args=("a", URL))
    thread.start()
    begun.wait(10)
    for each in (models, other):
        assert status_of(each.load, "a", URL) == 409
        assert status_of(each.get, "a") == 404
        assert status_of(each.unload, "a") == 404
        assert each.page("", 10) == ([], "")
    go_on.set()
    thread.join()
    assert models.get("a").url == other.get("a").url == URL


def test_memory_that_runs_out_is_507_and_the_name_is_free_again(team):
    answers = iter([MemoryError, ValueError, None])

    def load(folder):
        error = next(answers)
        if error:
            raise error
        return folder

    models = team(load)
    assert status_of(models.load, "a", URL) == 507
    with pytest.raises(ValueError):
        models.load("a", URL)
    models.load("a", URL)


@pytest.mark.parametrize("short", [[True], [False, True]])
def test_too_little_memory_before_or_after_loading(team, short):
    class Memory:
        states = iter([*short, False, False])

        def is_short(self, more: int = 0) -> bool:
            return next(self.states)

    loaded = []

    def load(folder):
        model = Model()
        loaded.append(weakref.ref(model))
        return model

    models = team(load, Memory())
    assert status_of(models.load, "a", URL) == 507
    assert len(loaded) == len(short) - 1 and not any(seen() for seen in loaded)
    models.load("a", URL)


def test_a_model_needs_as_much_memory_as_its_files(team, opt_ml):
    class Memory:
        def is_short(self, more: int = 0) -> bool:
            return more > 100

    (opt_ml.models / "m" / "model" / "weights").mkdir()
    (opt_ml.models / "m" / "model" / "weights" / "1").write_bytes(bytes(51))
    assert status_of(team(pytest.fail, Memory(), copies=2).load, "a", URL) == 507  # each worker will have one
    team(str, Memory(), copies=1).load("a", URL)


def test_files_that_are_gone_are_no_fault_of_who_asks(team, opt_ml):
    one, two = team(), team()
    one.load("a", URL)
    (opt_ml.models / "m" / "model").rmdir()
    assert one.call("a", str) and status_of(two.call, "a", str) == 500
    one.unload("a")


def test_an_unloaded_model_is_gone_even_from_a_cycle(team):
    def load(folder):
        model = Model()
        model.itself = model
        return model

    models, other = team(), team(load)  # other processes, really: one collector would do for both here
    models.load("a", URL)
    seen = other.call("a", weakref.ref)
    models.unload("a")
    assert seen() is None


def test_a_model_that_is_used_stays_until_it_is_not(team):
    using, go_on = threading.Event(), threading.Event()

    def use(model):
        using.set()
        go_on.wait(10)
        return model

    models, other = team(), team()
    models.load("a", URL)
    user = threading.Thread(target=other.call, args=("a", use))
    user.start()
    using.wait(10)
    unloading = threading.Thread(target=models.unload, args=("a",))
    unloading.start()
    wait_until(lambda: other.page("", 1) == ([], ""))
    assert status_of(other.call, "a", str) == 404  # nobody new has it
    assert unloading.is_alive()
    go_on.set()
    unloading.join(10)
    assert not unloading.is_alive()
    models.load("a", URL)


def test_pages_go_on_behind_a_model_that_was_unloaded(team):
    models = team()
    for name in "dbca":
        models.load(name, URL)
    page, token = models.page("", 2)
    assert ([one.name for one in page], token) == (["a", "b"], "b")
    models.unload("b")
    page, token = models.page(token, 2)
    assert ([one.name for one in page], token) == (["c", "d"], "")


@pytest.mark.parametrize("url", ["/opt/ml/models/../code", "/etc", "models/m", "/opt/ml/models/m/none", ""])
def test_other_folders_are_refused(team, opt_ml, url):
    opt_ml.code.mkdir()
    assert status_of(team().load, "a", url) == 400

from __future__ import annotations

import threading
import time

import pytest

from trainyard.errors import NotFound
from trainyard.local_aws.background import Background
from trainyard.local_aws.messages import AwsError


@pytest.fixture
def background(store) -> Background:
    return Background(store)


def test_work_runs_in_a_thread_of_its_name(background) -> None:
    names: list[str] = []
    done = threading.Event()
    background.start("my-job", lambda: (names.append(threading.current_thread().name), done.set()))
    assert done.wait(5)
    assert names == ["my-job"]
    background.close()


def test_work_of_one_kind_is_waited_for(background) -> None:
    ended: list[str] = []
    go = threading.Event()
    background.start("deploy a", lambda: (time.sleep(0.2), ended.append("a")))
    background.start("other", go.wait)
    background.wait("deploy ", 30)
    assert ended == ["a"]
    began = time.monotonic()
    background.wait("other", 0.1)
    assert 0.1 <= time.monotonic() - began < 5
    go.set()
    background.close()


def test_closing_stops_everything_and_waits_for_it(store, background) -> None:
    ended: list[str] = []
    recording = store.recorder.begin("training-job", "a", {}, background.stop)
    asked: list[float] = []

    def job() -> None:
        with recording:
            while not recording.stop.requested:
                time.sleep(0.01)
            time.sleep(0.2)
            ended.append(f"job, hurried: {recording.stop.hurried}")
            recording.finish({"TrainingJobStatus": "Stopped"})

    def other() -> None:
        while not asked:
            time.sleep(0.01)
        ended.append("other")

    background.start("a", job)
    background.start("b", other, on_stop=lambda: asked.append(time.monotonic()))
    background.close()
    assert sorted(ended) == ["job, hurried: False", "other"]
    assert store.resources.get("training-job", "a")["TrainingJobStatus"] == "Stopped"


def test_everybody_has_the_whole_grace(background) -> None:
    """One slow thread among many quick ones is not cut short by their number."""
    hurried: list[bool] = []

    def slow() -> None:
        while not background.stop.requested:
            time.sleep(0.01)
        time.sleep(0.5)
        hurried.append(background.stop.hurried)

    background.start("slow", slow)
    for number in range(20):
        background.start(f"quick-{number}", lambda: time.sleep(0.05))
    background.close(grace=5.0)
    assert hurried == [False]


def test_after_the_grace_what_still_runs_is_hurried(background) -> None:
    began = time.monotonic()

    def stubborn() -> None:
        while not background.stop.hurried:
            time.sleep(0.01)

    background.start("stubborn", stubborn)
    background.close(grace=0.3)
    assert 0.3 <= time.monotonic() - began < 5


def test_nothing_starts_once_it_closes(background) -> None:
    background.close()
    ran: list[int] = []
    with pytest.raises(AwsError, match="shutting down") as caught:
        background.start("late", lambda: ran.append(1))
    assert caught.value.status == 503
    assert ran == []


def test_an_expected_failure_is_one_line_in_the_log(background, capfd) -> None:
    def lost() -> None:
        raise NotFound("Function not found: f")

    background.start("function f", lost)
    background.close()
    assert capfd.readouterr().err == "function f: Function not found: f\n"


def test_a_bug_is_printed_and_the_rest_lives_on(background, capfd) -> None:
    background.start("bad", lambda: 1 / 0)
    done = threading.Event()
    background.start("good", done.set)
    assert done.wait(5)
    background.close()
    assert "ZeroDivisionError" in capfd.readouterr().err

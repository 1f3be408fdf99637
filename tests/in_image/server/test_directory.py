"""What the directory tells and answers, whatever order workers ask and die in."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trainyard.in_image.server.directory import Directory

NAMES = st.sampled_from("abc")


class Worker:
    """What a worker knows, and what it still has to answer."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = dict(known)
        self.told: list[dict] = []


class Talk(RuleBasedStateMachine):
    """Workers that ask, answer and die at any moment; messages to the dead are lost."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Directory(max_models=2)
        self.workers: dict[int, Worker] = {}
        self.asked: dict[int, tuple[int, str, str]] = {}  # question -> who, what, name
        self.loading: dict[str, int] = {}
        self.number = 0
        self.begin()

    @rule()
    def begin(self) -> None:
        self.number += 1
        self.workers[self.number] = Worker(self.directory.published)
        self.directory.join(self.number)

    def ask(self, worker: int, do: str, name: str) -> None:
        self.number += 1
        self.asked[self.number] = (worker, do, name)
        self.deliver(self.directory.handle(worker, {"id": self.number, "do": do, "name": name, "url": name}))

    def deliver(self, messages) -> None:
        for worker, message in messages:
            if worker not in self.workers:
                continue
            if "tell" in message:
                self.workers[worker].told.append(message)
                continue
            _, do, name = self.asked.pop(message["id"])
            if do == "reserve" and message["status"] == 200:
                assert name not in self.loading
                self.loading[name] = worker
            if do in ("publish", "remove") and message["status"] == 200:
                published = name in self.directory.published
                if do == "publish":  # another one may have removed it already
                    assert all(
                        (name in one.known) == published for one in self.workers.values() if not one.told
                    )
                else:
                    assert not any(name in one.known for one in self.workers.values())

    @rule(data=st.data(), name=NAMES)
    def reserve(self, data, name) -> None:
        if self.workers:
            self.ask(data.draw(st.sampled_from(sorted(self.workers))), "reserve", name)

    @rule(data=st.data(), do=st.sampled_from(["publish", "release"]))
    def end_loading(self, data, do) -> None:
        mine = sorted(name for name, worker in self.loading.items() if worker in self.workers)
        if mine:
            name = data.draw(st.sampled_from(mine))
            self.ask(self.loading.pop(name), do, name)

    @rule(data=st.data(), name=NAMES)
    def remove(self, data, name) -> None:
        if self.workers:
            self.ask(data.draw(st.sampled_from(sorted(self.workers))), "remove", name)

    @rule(data=st.data())
    def answer(self, data) -> None:
        told = sorted(number for number, one in self.workers.items() if one.told)
        if told:
            number = data.draw(st.sampled_from(told))
            message = self.workers[number].told.pop(0)
            if message["tell"] == "add":
                self.workers[number].known[message["name"]] = message["url"]
            else:
                self.workers[number].known.pop(message["name"], None)
            self.deliver(self.directory.handle(number, {"did": message["change"]}))

    @rule(data=st.data())
    def die(self, data) -> None:
        if self.workers:
            number = data.draw(st.sampled_from(sorted(self.workers)))
            del self.workers[number]
            self.loading = {name: worker for name, worker in self.loading.items() if worker != number}
            self.deliver(self.directory.lose(number))

    @invariant()
    def no_more_than_fit(self) -> None:
        assert len(self.directory.published) <= 2

    def teardown(self) -> None:
        """When all have answered, all know the same, and nobody still waits."""
        while any(one.told for one in self.workers.values()):
            for number, one in self.workers.items():
                while one.told:
                    message = one.told.pop(0)
                    one.known.pop(message["name"], None)
                    if message["tell"] == "add":
                        one.known[message["name"]] = message["url"]
                    self.deliver(self.directory.handle(number, {"did": message["change"]}))
        assert all(one.known == self.directory.published for one in self.workers.values())
        assert not [question for question, (worker, *_) in self.asked.items() if worker in self.workers]


TestTalk = Talk.TestCase
TestTalk.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_refusals_say_why():
    directory = Directory(max_models=1)
    directory.join(1)
    ask = {"id": 1, "do": "reserve", "name": "a", "url": "u"}
    assert directory.handle(1, ask) == [(1, {"id": 1, "status": 200})]
    assert directory.handle(1, ask)[0][1]["message"] == "model 'a' is already loaded"
    assert directory.handle(1, ask | {"name": "b"})[0][1]["status"] == 507
    assert directory.handle(1, {"id": 2, "do": "remove", "name": "a", "url": ""})[0][1]["status"] == 404

"""The load test: 1,000 models, minutes of mixed load with loads, unloads, bad requests and killed workers.

    PYTHON benchmarks/prophet_load.py [--models 1000] [--minutes 10] [--connections 16]

PYTHON has the family's packages. Each answer is compared with the one that is right for its model and question, which
is asked for before the load begins and compared with the engine's own; only the connection that loads and unloads a
model asks for it, so that it is known what is there. A quarter of the models comes and goes. A worker is killed every
30 seconds; a connection that breaks then is no fault, and is opened again. Ends with 1 unless there was no wrong
answer, no 5xx but 503 and 507, and memory that stays flat.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import selectors
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[1] / part) for part in ("benchmarks", "shared", "containers/prophet")
]

import engine  # noqa: E402
from prophet_server import FAMILY, Connection, Server, invoke, load, request, serving  # noqa: E402
from prophet_serving import small_models  # noqa: E402

PROCESSES, KILL_EVERY = 2, 30.0
STATED = (503, 507)
REOPENED = 0.005  # of the requests come on a new connection
FLAT = 1.1  # times what it was after the first fifth
QUESTIONS = (b'{"interval": 7}', b'{"interval": 30, "interval_width": 0.95}')
BAD: tuple[tuple[Callable[[str], bytes], int], ...] = (
    (lambda name: invoke(name, b"{"), 400),
    (lambda name: invoke(name, b'{"interval": -1}'), 400),
    (lambda name: invoke("nobody"), 404),
    (lambda name: request("GET", f"/models/{name}x"), 404),
    (lambda name: request("DELETE", "/models/nobody"), 404),
    (lambda name: request("POST", "/models", b'{"model_name": 1}'), 400),
    (lambda name: invoke(name).replace(b"application/json\r\nAccept", b"image/png\r\nAccept"), 415),
)


@dataclass
class Seen:
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    broken: int = 0
    memory: list[tuple[float, float]] = field(default_factory=list)


class Guest:
    """A connection with models of its own: it knows which of them are loaded, and so what each answer must be."""

    def __init__(self, server: Server, names: list[str], right: dict[str, list[bytes]], number: int) -> None:
        self.connection = Connection(server.address)
        self.names, self.right = names, right
        self.comes_and_goes = set(names[::4])
        self.there: dict[str, bool | None] = dict.fromkeys(names, True)  # None: a connection broke meanwhile
        self.random = random.Random(number)
        self.what = ""
        self.judge: Callable[[int, bytes], bool] = lambda status, body: True

    def next(self) -> bytes:
        name, dice = self.random.choice(self.names), self.random.random()
        if name in self.comes_and_goes and dice < 0.3:
            return self._come_or_go(name)
        if dice > 0.95:
            make, expected = self.random.choice(BAD)
            # a body is not looked at when the model is not there
            expected = (expected, 404) if self.there[name] is not True else (expected,)
            return self._ask("bad request", make(name), lambda status, body: status in expected)
        question = self.random.randrange(len(QUESTIONS))
        there = self.there[name]

        def judge(status: int, body: bytes) -> bool:
            if status == 404:
                return there is not True
            return there is not False and status == 200 and body == self.right[name][question]

        return self._ask(f"invoke {name}", invoke(name, QUESTIONS[question]), judge)

    def _come_or_go(self, name: str) -> bytes:
        there, self.there[name] = self.there[name], None
        if there:
            return self._ask("unload", request("DELETE", f"/models/{name}"), self._done(name, False, (200,)))
        if there is None:  # ask for it, whether it was there or not
            return self._ask("load", _loading(name), self._done(name, True, (200, 409)))
        return self._ask("load", _loading(name), self._done(name, True, (200,)))

    def _done(self, name: str, there: bool, expected: tuple[int, ...]) -> Callable[[int, bytes], bool]:
        def judge(status: int, body: bytes) -> bool:
            if status in expected:
                self.there[name] = there
            return status in expected

        return judge

    def _ask(self, what: str, content: bytes, judge: Callable[[int, bytes], bool]) -> bytes:
        self.what, self.judge = what, judge
        return content


def _loading(name: str) -> bytes:
    body = json.dumps({"model_name": name, "url": f"/opt/ml/models/{name}/model"}).encode()
    return request("POST", "/models", body)


def right_answers(server: Server, models: dict[str, Path]) -> dict[str, list[bytes]]:
    """Load all; what is answered to each question is what the engine says in this process, too."""
    connection, found = Connection(server.address), {}
    for name, folder in models.items():
        status, answer = load(connection, name)
        if status != 200:
            raise SystemExit(f"loading {name}: {status} {answer.decode()}")
        model = engine.load((folder / "model.json").read_bytes())
        found[name] = [connection.ask(invoke(name, question))[1] for question in QUESTIONS]
        for question, answer in zip(map(json.loads, QUESTIONS), found[name], strict=True):
            expected = engine.predict(
                model, engine.future(model, question["interval"]), question.get("interval_width")
            )
            for column in ("yhat", "yhat_lower", "yhat_upper"):
                if [row[column] for row in json.loads(answer)] != getattr(expected, column).tolist():
                    raise SystemExit(f"{name} is answered wrongly: {answer[:200].decode()}")
    connection.close()
    return found


def run(server: Server, guests: list[Guest], seconds: float) -> Seen:
    seen, waiting = Seen(), selectors.DefaultSelector()
    began = time.monotonic()
    kill, measure, interval = began + min(KILL_EVERY, seconds / 3), began, max(seconds / 40, 0.5)

    def send(guest: Guest) -> None:
        while True:
            content = guest.next()
            if guest.random.random() < REOPENED:
                guest.connection.close()
            try:
                guest.connection.send(content)
            except OSError:
                seen.broken += 1
                guest.connection.close()
                time.sleep(0.01)
                continue
            waiting.register(guest.connection.socket, selectors.EVENT_READ, guest)
            return

    for guest in guests:
        send(guest)
    while (now := time.monotonic()) < began + seconds:
        if now >= measure:
            seen.memory.append((now - began, server.memory()))
            measure += interval
        if now >= kill:
            os.kill(random.choice(server.workers()), signal.SIGKILL)
            kill += KILL_EVERY
        for key, _ in waiting.select(0.5):
            guest = key.data
            answer = guest.connection.receive()
            if answer is None:
                continue
            waiting.unregister(key.fileobj)
            _judge(guest, *answer, seen)
            send(guest)
    for key in list(waiting.get_map().values()):
        key.data.connection.close()
    return seen


def _judge(guest: Guest, status: int, body: bytes, seen: Seen) -> None:
    if status == 0:
        seen.broken += 1
        return
    seen.statuses[f"{guest.what.split()[0]} {status}"] += 1
    if status not in STATED and not guest.judge(status, body):
        seen.wrong.append(f"{guest.what}: {status} {body[:200].decode(errors='replace')}")


def verdict(seen: Seen) -> list[str]:
    """What was not as it should be."""
    faults = [f"{len(seen.wrong)} wrong answers, the first: {seen.wrong[0]}"] if seen.wrong else []
    codes = Counter[int]()
    for what, count in seen.statuses.items():
        codes[int(what.split()[1])] += count
    faults += [
        f"{count} answers {code}" for code, count in codes.items() if code >= 500 and code not in STATED
    ]
    settled = [memory for _, memory in seen.memory[len(seen.memory) // 5 :]]
    if settled and max(settled[-3:]) > FLAT * max(settled[:3]):
        faults.append(f"memory grew from {max(settled[:3]):.1f} to {max(settled[-3:]):.1f} MB")
    return faults


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=16)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        models = small_models(base, arguments.models)
        with serving(base, FAMILY / "inference.py", TRAINYARD_PROCESSES=str(PROCESSES)) as server:
            right, count = right_answers(server, models), arguments.connections
            guests = [Guest(server, list(models)[number::count], right, number) for number in range(count)]
            seen = run(server, guests, 60 * arguments.minutes)
    for what, number in sorted(seen.statuses.items()):
        print(f"{what:20}{number:12,}")
    print(f"{'connections broken':20}{seen.broken:12,}")
    print("memory, MB: " + " ".join(f"{memory:.1f}" for _, memory in seen.memory))
    faults = verdict(seen)
    print(*(f"NOT as it should be: {fault}" for fault in faults), sep="\n", end="")
    if not faults:
        print(f"{seen.statuses.total():,} answers: none wrong, no 5xx but {STATED}, memory flat", end="")
    print()
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""A server of Prophet models as a process of its own, its memory, and a client that is quicker than it."""

from __future__ import annotations

import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FAMILY = ROOT / "containers" / "prophet"
BODY = b'{"interval": 7}'


@dataclass
class Server:
    """``base`` is its /opt/ml."""

    process: subprocess.Popen[bytes]
    base: Path
    log: Path
    address: tuple[str, int] = ("127.0.0.1", 0)

    def pids(self) -> list[int]:
        """Its processes, however they were started: those that have its folder in their environment."""
        found, mark = [], f"SAGEMAKER_BASE_DIR={self.base}\0".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        return sorted(found)

    def memory(self) -> float:
        """Megabytes (10^6 bytes) of all processes; what they share is counted once."""
        return sum(map(_pss, self.pids())) / 1e6

    def workers(self) -> list[int]:
        return [pid for pid in self.pids() if pid != self.process.pid]


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return 1024 * int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])


@contextmanager
def serving(base: Path, program: Path, **variables: str) -> Iterator[Server]:
    """``serve`` of many models, with ``program`` as the family's handler."""
    if not (base / "code").exists():
        (base / "code").symlink_to(program.parent)
    log = base / "log"
    shown = {
        "PYTHONPATH": str(ROOT / "shared"), "SAGEMAKER_BASE_DIR": str(base), "SAGEMAKER_MULTI_MODEL": "true",
        "SAGEMAKER_PROGRAM": program.name, "SAGEMAKER_BIND_ADDRESS": "127.0.0.1", "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1", "SAGEMAKER_BIND_TO_PORT": str(free_port()),
    }  # fmt: skip
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "trainyard.in_image.serve"],
            env={**os.environ, **shown, **variables}, stdout=stream, stderr=stream,
        )  # fmt: skip
    server = Server(process, base, log)
    try:
        while not (found := re.search(r"serving on http://127\.0\.0\.1:(\d+)", log.read_text())):
            if process.poll() is not None:
                raise SystemExit(f"the server has ended: {log.read_text()[-2000:]}")
            time.sleep(0.02)
        server.address = ("127.0.0.1", int(found[1]))
        yield server
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            for pid in server.pids():  # multi-model-server leaves some
                os.kill(pid, signal.SIGKILL)


def free_port() -> int:
    """Below the highest that multi-model-server takes."""
    for port in range(20_000 + os.getpid() % 5_000, 32_000):
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SystemExit("no port is free")


def request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return head.encode() + b"Accept: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def invoke(model: str, body: bytes = BODY) -> bytes:
    return request("POST", f"/models/{model}/invoke", body)


@dataclass
class Connection:
    """One request at a time."""

    address: tuple[str, int]
    socket: socket.socket | None = None
    received: bytearray = field(default_factory=bytearray)
    began: float = 0.0
    asked: object = None

    def send(self, content: bytes, asked: object = None) -> None:
        if self.socket is None:
            self.socket = socket.create_connection(self.address, timeout=60)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked, self.began = asked, time.perf_counter()
        self.received.clear()
        self.socket.sendall(content)

    def receive(self) -> tuple[int, bytes] | None:
        """Status and body once they are whole; None before; status 0 when the connection was closed."""
        assert self.socket is not None
        try:
            part = self.socket.recv(262_144)
        except OSError:
            part = b""
        if not part:
            self.close()
            return 0, b""
        self.received += part
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self.received[:end].lower()
        length = int(re.search(rb"content-length: *(\d+)", head)[1])
        if len(self.received) < end + 4 + length:
            return None
        if b"connection: close" in head:
            self.close()
        return int(self.received[9:12]), bytes(self.received[end + 4 : end + 4 + length])

    def ask(self, content: bytes) -> tuple[int, bytes]:
        self.send(content)
        while (answer := self.receive()) is None:
            pass
        return answer

    def close(self) -> None:
        if self.socket:
            self.socket.close()
        self.socket = None


def load(connection: Connection, model: str) -> tuple[int, bytes]:
    body = f'{{"model_name": "{model}", "url": "/opt/ml/models/{model}/model"}}'.encode()
    return connection.ask(request("POST", "/models", body))


@dataclass
class Pace:
    """``milliseconds`` of each request."""

    per_second: float
    milliseconds: list[float]
    statuses: Counter[int]


def pace(address: tuple[str, int], requests: Sequence[bytes], connections: int, seconds: float) -> Pace:
    """Ask again and again, ``connections`` at a time, each answer awaited before the next question."""
    waiting = selectors.DefaultSelector()
    spent: list[float] = []
    statuses: Counter[int] = Counter()
    asked = 0
    for number in range(connections):
        one = Connection(address)
        one.send(requests[number % len(requests)])
        waiting.register(one.socket, selectors.EVENT_READ, one)
        asked += 1
    began = time.perf_counter()
    while (now := time.perf_counter()) < began + seconds or not spent:
        for key, _ in waiting.select(1.0):
            one = key.data
            answer = one.receive()
            if answer is None:
                continue
            now = time.perf_counter()
            spent.append(1000 * (now - one.began))
            statuses[answer[0]] += 1
            if one.socket is None:
                waiting.unregister(key.fileobj)
            one.send(requests[asked % len(requests)])
            if one.socket is not key.fileobj:
                waiting.register(one.socket, selectors.EVENT_READ, one)
            asked += 1
    for key in list(waiting.get_map().values()):
        key.data.close()
    return Pace(len(spent) / (now - began), spent, statuses)

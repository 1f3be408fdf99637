"""Threads that run what was accepted, and their end: no job outlives the endpoint."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable

from trainyard.errors import UserError
from trainyard.execution.request import StopSignal
from trainyard.execution.store import Store
from trainyard.local_aws.messages import AwsError


class Background:
    """Starts threads by name; ``close`` stops the jobs of all of them and waits for their ends.

    ``stop`` is the signal that everything started here should heed, as the parent of its own.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.stop = StopSignal()
        self._threads: dict[threading.Thread, Callable[[], None]] = {}
        self._closed = False
        self._lock = threading.Lock()

    def start(
        self, name: str, work: Callable[[], object], on_stop: Callable[[], None] = lambda: None
    ) -> None:
        """Run ``work`` in a thread; ``on_stop`` is called when the endpoint closes before it has ended.

        Raises AwsError when the endpoint is closing.
        """
        thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
        with self._lock:
            if self._closed:
                raise AwsError("ServiceUnavailable", "the local endpoint is shutting down", 503)
            thread.start()
            self._threads[thread] = on_stop

    def wait(self, kind: str, seconds: float) -> None:
        """Until no work whose name begins with ``kind`` is under way, at most so long."""
        deadline = time.monotonic() + seconds
        with self._lock:
            threads = [each for each in self._threads if each.name.startswith(kind)]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def close(self, grace: float = 10.0) -> None:
        """Ask everything to stop, after ``grace`` seconds to stop at once, and wait."""
        with self._lock:
            self._closed = True
        self._request()
        self._join(grace)
        self._request()
        self._join(30.0)

    def _run(self, work: Callable[[], object]) -> None:
        try:
            work()
        except UserError as error:
            print(f"{threading.current_thread().name}: {error}", file=sys.stderr, flush=True)
        except Exception:  # a bug of ours, which the endpoint's log shall show; the endpoint lives on
            traceback.print_exc()
        finally:
            with self._lock:
                self._threads.pop(threading.current_thread(), None)

    def _request(self) -> None:
        self.stop.request()
        for recording in self.store.recorder.running():
            recording.stop.request()
        with self._lock:
            waiting = list(self._threads.values())
        for on_stop in waiting:
            on_stop()

    def _join(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

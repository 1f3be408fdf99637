"""A local endpoint from its port being taken to its container being stopped."""

from __future__ import annotations

import errno
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

from trainyard.errors import EndpointError
from trainyard.execution.front import Front
from trainyard.execution.hosting import ModelServer

_GRACE = 10.0  # seconds that requests under way get when the endpoint closes


class Endpoint:
    """Holds its port from its construction on, answers between ``open`` and ``close``.

    Raises EndpointError when the port cannot be had; port 0 picks a free one (see ``url``).
    """

    def __init__(self, server: ModelServer, *, name: str, port: int = 8080, host: str = "127.0.0.1") -> None:
        self.name = name
        self._server = server
        try:
            self._front = Front((host, port), server, name)
        except (OSError, OverflowError) as error:
            raise EndpointError(_cannot_listen(host, port, error)) from error
        self._thread = threading.Thread(target=self._front.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        host, port = self._front.server_address[:2]
        return f"http://{host!s}:{port}"

    def open(self) -> None:
        """Start the container, then answer. Raises EndpointError, with the port given back."""
        try:
            self._server.start()
        except BaseException:
            self._front.server_close()
            raise
        self._thread.start()

    def close(self) -> None:
        """Take no more requests, let those under way end, stop the container; harmless when not open."""
        if self._thread.is_alive():
            self._front.shutdown()
            self._thread.join()
        self._front.server_close()
        self._front.wait_until_idle(_GRACE)
        self._server.stop()

    def serve(self, ready: Callable[[str], None] = lambda url: None) -> None:
        """Open, call ``ready`` with the URL, answer until Ctrl-C or SIGTERM, close; from the main thread.

        Raises EndpointError when the container cannot start or ends by itself.
        """
        opened, stop = threading.Event(), threading.Event()

        def on_signal(number: int, frame: FrameType | None) -> None:
            stop.set()
            if not opened.is_set():  # a container may take minutes to start
                raise KeyboardInterrupt

        before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self.open()
            opened.set()
            ready(self.url)
            self._watch(stop)
        except KeyboardInterrupt:
            pass
        finally:
            opened.set()
            self.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(0.2):
            if ended := self._server.ended():
                raise EndpointError(f"the serving container of {self.name} ended: {ended}")

    def __enter__(self) -> Endpoint:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _cannot_listen(host: str, port: int, error: Exception) -> str:
    reason = "it is in use" if getattr(error, "errno", None) == errno.EADDRINUSE else str(error)
    return (
        f"cannot listen on port {port} of {host}: {reason}; "
        "stop what uses it, or choose another port (0 picks a free one)"
    )

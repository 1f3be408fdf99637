"""What an image does as ``serve``: load the family's ``inference.py`` and answer HTTP until SIGTERM.

With ``SAGEMAKER_MULTI_MODEL=true`` models are loaded on demand; without, the one in ``/opt/ml/model`` is
loaded before the port is opened, so that a /ping that is answered means a model that can be loaded.
``TRAINYARD_SERVER`` says which server it is, ``pooled`` or ``multi-model-server``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from trainyard.in_image.opt_ml import OptMl
from trainyard.in_image.server import mms
from trainyard.in_image.server.accepting import Shares, accept
from trainyard.in_image.server.app import App
from trainyard.in_image.server.channel import Channel
from trainyard.in_image.server.directory import Directory
from trainyard.in_image.server.handler import BadHandler, Failed, Handler, import_handler
from trainyard.in_image.server.listening import listen
from trainyard.in_image.server.models import Models
from trainyard.in_image.server.settings import MULTI_MODEL_SERVER, BadSetting, Settings
from trainyard.in_image.server.supervisor import READY, Supervisor

_GRACE = 25  # seconds for requests under way; SageMaker kills the container 30 s after SIGTERM
_log = logging.getLogger("trainyard.serve")


def main(arguments: Sequence[str] = ()) -> int:
    """Serve; 0 after SIGTERM, 1 with one line on standard error when that cannot begin.

    With ``--check`` do no more than import the handler and load the one model: 0, or 1 and the same line.
    """
    try:
        settings = Settings.from_environment(os.environ)
        logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(message)s")
        opt_ml = OptMl.from_environment()
        if settings.server == MULTI_MODEL_SERVER and "--check" not in arguments:
            return mms.serve(settings, opt_ml)
        handler = _handler(settings, opt_ml)
        if "--check" in arguments:
            if not settings.multi_model:
                handler.load(opt_ml.model)
            return 0
        listener = listen(settings.host, settings.port)
    except (BadSetting, BadHandler, Failed, MemoryError, OSError) as error:
        return _cannot(error)
    import uvicorn.server  # noqa: F401 -- before the workers are forked, which then share it

    shares = Shares(settings.processes)

    def work(number: int, channel: socket.socket, there: Mapping[str, str]) -> int:
        return _work(handler, settings, opt_ml, listener, shares, number, Channel(channel), there)

    host, port = listener.getsockname()[:2]
    ready = partial(_log.info, "serving on http://%s:%d", host, port)
    return Supervisor(settings.processes, Directory(settings.max_models), work, ready).run()


def _cannot(error: BaseException) -> int:
    sys.stderr.write(f"serve: {' '.join(str(error).split()) or type(error).__name__}\n")
    return 1


def _handler(settings: Settings, opt_ml: OptMl) -> Handler:
    module = import_handler(opt_ml.code / settings.program)
    if threading.active_count() > 1:
        _log.warning(
            "%s starts threads when it is imported: workers, which are forked, lack them", settings.program
        )
    most = min(settings.max_batch, settings.workers)  # a thread brings one input
    return Handler(module, settings.program, settings.default_accept, most, settings.batch_wait / 1000)


def _work(
    handler: Handler,
    settings: Settings,
    opt_ml: OptMl,
    listener: socket.socket,
    shares: Shares,
    number: int,
    channel: Channel,
    there: Mapping[str, str],
) -> int:
    """One worker: answer requests until SIGTERM, or until one of them hangs."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup([])  # it would accept all that comes
            kind: Any = config.http_protocol_class
            protocol = partial(
                kind, config=config, server_state=self.server_state, app_state=self.lifespan.state
            )
            connections = self.server_state.connections
            self.accepting = asyncio.create_task(accept(listener, protocol, shares, number, connections))
            self.accepting.add_done_callback(lambda task: end())
            channel.send(READY)

        async def on_tick(self, counter: int) -> bool:
            shares.report(number, len(self.server_state.connections))
            return await super().on_tick(counter)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            self.accepting.cancel()
            await super().shutdown(sockets)

    def end() -> None:
        server.should_exit = True

    def stuck() -> None:
        if not server.should_exit:
            _log.error("a request hangs: this worker ends, another one takes its place")
        config.timeout_graceful_shutdown = 1
        end()

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; the supervisor has it, too
    try:
        many = partial(Models, handler.load, opt_ml, channel, there, copies=settings.processes)
        models = many() if settings.multi_model else None
        model = None if models else handler.load(opt_ml.model)
    except (Failed, MemoryError) as error:
        return _cannot(error)
    app = App(handler, settings, model, models, stuck)
    config = uvicorn.Config(
        app, loop="asyncio", ws="none", lifespan="off", log_config=None, access_log=False,
        server_header=False, proxy_headers=False, timeout_graceful_shutdown=_GRACE,
    )  # fmt: skip
    server = Server(config)
    # until here SIGTERM ends this process at once; uvicorn has a handler of its own, and raises it again at its end
    signal.signal(signal.SIGTERM, lambda number, frame: end())
    channel.listen(models.heed if models else None, end)
    server.run(sockets=[listener])
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

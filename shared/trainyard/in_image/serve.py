"""What an image does as ``serve``: load the family's ``inference.py`` and answer HTTP until SIGTERM.

With ``SAGEMAKER_MULTI_MODEL=true`` models are loaded on demand; without, the one in ``/opt/ml/model`` is
loaded before the port is opened, so that a /ping that is answered means a model that can be loaded.
``TRAINYARD_SERVER`` says which server it is, ``pooled`` or ``multi-model-server``.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from types import FrameType

from trainyard.in_image.opt_ml import OptMl
from trainyard.in_image.server import mms
from trainyard.in_image.server.app import App
from trainyard.in_image.server.handler import BadHandler, Failed, Handler, import_handler
from trainyard.in_image.server.listening import listen
from trainyard.in_image.server.models import Models
from trainyard.in_image.server.settings import MULTI_MODEL_SERVER, BadSetting, Settings

_GRACE = 25  # seconds for requests under way; SageMaker kills the container 30 s after SIGTERM


def main(arguments: Sequence[str] = ()) -> int:
    """Serve; 0 after SIGTERM, 1 with one line on standard error when that cannot begin.

    With ``--check`` do no more than import the handler and load the one model: 0, or 1 and the same line.
    """
    try:
        settings = Settings.from_environment(os.environ)
        logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(message)s")
        opt_ml = OptMl.from_environment()
        if "--check" in arguments:
            _app(settings, opt_ml)
            return 0
        if settings.server == MULTI_MODEL_SERVER:
            return mms.serve(settings, opt_ml)
        app = _app(settings, opt_ml)
        listener = listen(settings.host, settings.port)
    except (BadSetting, BadHandler, Failed, MemoryError, OSError) as error:
        sys.stderr.write(f"serve: {' '.join(str(error).split()) or type(error).__name__}\n")
        return 1
    _run(app, listener)
    return 0


def _app(settings: Settings, opt_ml: OptMl) -> App:
    handler = Handler(
        import_handler(opt_ml.code / settings.program), settings.program, settings.default_accept
    )
    if settings.multi_model:
        return App(handler, settings, models=Models(handler.load, opt_ml, settings.max_models))
    return App(handler, settings, model=handler.load(opt_ml.model))


def _run(app: App, listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )  # fmt: skip
    server = uvicorn.Server(config)

    # for signals before uvicorn's own handlers are there, and for those that it raises once more at its end:
    # being asked to stop is no failure
    def stop(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    host, port = listener.getsockname()[:2]
    logging.getLogger("trainyard.serve").info("serving on http://%s:%d", host, port)
    server.run(sockets=[listener])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

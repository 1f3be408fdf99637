"""What an image does as ``serve``: load the family's ``inference.py`` and answer HTTP until SIGTERM.

With ``SAGEMAKER_MULTI_MODEL=true`` models are loaded on demand; without, the one in ``/opt/ml/model`` is
loaded before the port is opened, so that a /ping that is answered means a model that is ready.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys

from trainyard.in_image.opt_ml import OptMl
from trainyard.in_image.server.app import App
from trainyard.in_image.server.handler import BadHandler, Failed, Handler, import_handler
from trainyard.in_image.server.models import Models
from trainyard.in_image.server.settings import BadSetting, Settings

_GRACE = 25  # seconds for requests under way; SageMaker kills the container 30 s after SIGTERM


def main() -> int:
    """Serve; 0 after SIGTERM, 1 with one line on standard error when that cannot begin."""
    try:
        settings = Settings.from_environment(os.environ)
        logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(message)s")
        app = _app(settings, OptMl.from_environment())
        listener = _listen(settings)
    except (BadSetting, BadHandler, Failed, MemoryError, OSError) as error:
        sys.stderr.write(f"serve: {' '.join(str(error).split()) or type(error).__name__}\n")
        return 1
    host, port = listener.getsockname()[:2]
    logging.getLogger("trainyard.serve").info("serving on http://%s:%d", host, port)
    _run(app, listener)
    return 0


def _app(settings: Settings, opt_ml: OptMl) -> App:
    handler = Handler(
        import_handler(opt_ml.code / settings.program), settings.program, settings.default_accept
    )
    if settings.multi_model:
        return App(handler, settings, models=Models(handler.load, opt_ml, settings.max_models))
    return App(handler, settings, model=handler.load(opt_ml.model))


def _listen(settings: Settings) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise OSError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; "
            "SAGEMAKER_BIND_ADDRESS and SAGEMAKER_BIND_TO_PORT choose where"
        ) from error
    return listener


def _run(app: App, listener: socket.socket) -> None:
    import uvicorn

    # uvicorn raises the signal that stopped it once more at its end: being asked to stop is no failure
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: None)
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    raise SystemExit(main())

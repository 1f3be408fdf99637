"""The family's handler inside a worker of multi-model-server, which has one model and one thread.

sagemaker-inference's handler service stands between the two; its Transformer, which would unpickle
``application/x-npy`` and send tracebacks to clients, is replaced by ``Requests``.
"""

from __future__ import annotations

import http
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainyard.in_image.handler_errors import HandlerError, Refused
from trainyard.in_image.opt_ml import OptMl
from trainyard.in_image.server.formats import JSON
from trainyard.in_image.server.handler import BadHandler, Failed, Handler, import_handler
from trainyard.in_image.server.messages import CUSTOM_ATTRIBUTES, Answer
from trainyard.in_image.server.settings import Settings

FAILURE = "TRAINYARD_MMS_FAILURE"
"""Names the file in which a worker says why it has no model, where that is the end of the container."""

_log = logging.getLogger("trainyard.serve")
_service: Any = None  # of this process


def handle(data: Sequence[Mapping[str, Any]] | None, context: Any) -> list[bytes] | None:
    """multi-model-server's entry point: called with no data to load the model, then with each request.

    Raises BadHandler, Failed or MemoryError, the last of which multi-model-server answers with 507.
    """
    global _service
    if data is None:
        try:
            _service = _load(context)
        except (BadHandler, Failed, MemoryError) as error:
            _report(error)
            if isinstance(error, MemoryError):
                _end_parent()
            raise
        return None
    answers: list[bytes] = _service.handle(data, context)
    return answers


class Requests:
    """sagemaker-inference's Transformer, as far as its handler service calls it."""

    def __init__(self, handler: Handler, model: Any) -> None:
        self._handler = handler
        self._model = model

    def transform(self, data: Sequence[Mapping[str, Any]], context: Any) -> list[bytes]:
        """The bodies of the answers; status, content type and headers go into ``context``."""
        return [self._answer(index, request, context) for index, request in enumerate(data)]

    def _answer(self, index: int, request: Mapping[str, Any], context: Any) -> bytes:
        sent = context.get_all_request_header(index)
        headers = {name.lower(): value for name, value in sent.items() if isinstance(value, str)}
        try:
            if "body" not in request:  # multi-model-server has taken it apart
                raise Refused(
                    415, f"content type {headers.get('content-type')!r} cannot be read by this server"
                )
            body, content_type = self._handler.answer(
                self._model,
                bytes(request["body"]),
                headers.get("content-type", ""),
                headers.get("accept", ""),
            )
        except HandlerError as error:
            _log.info("%d %s", error.status_code, error)
            context.set_response_status(error.status_code, _phrase(error.status_code), index)
            context.set_response_content_type(index, JSON)
            return Answer.error(error.status_code, str(error)).body
        context.set_response_status(200, "OK", index)
        context.set_response_content_type(index, content_type)
        if CUSTOM_ATTRIBUTES in headers:
            context.set_response_header(index, CUSTOM_ATTRIBUTES, headers[CUSTOM_ATTRIBUTES])
        return body


def _load(context: Any) -> Any:
    settings, opt_ml = Settings.from_environment(os.environ), OptMl.from_environment()
    # standard error, because multi-model-server takes what it reads on the other one for its own
    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level, force=True,
        format="%(asctime)s %(levelname)s %(message)s",
    )  # fmt: skip
    logging.getLogger("mms").setLevel(logging.WARNING)  # it says how long each request took
    from sagemaker_inference import default_handler_service  # type: ignore[import-not-found, unused-ignore]

    handler = Handler(
        import_handler(opt_ml.code / settings.program), settings.program, settings.default_accept
    )
    folder = _model_folder(context, opt_ml) if settings.multi_model else opt_ml.model
    return default_handler_service.DefaultHandlerService(Requests(handler, handler.load(folder)))


def _model_folder(context: Any, opt_ml: OptMl) -> Path:
    """The folder that multi-model-server was told to load, by its real name; raises BadHandler."""
    folder = Path(context.system_properties["model_dir"]).resolve()
    if opt_ml.models.resolve() not in folder.parents:
        raise BadHandler(f"{folder} is not below {opt_ml.models}")
    return folder


def _report(error: BaseException) -> None:
    """Leave the reason for the process that started multi-model-server, which would try again for ever."""
    message = " ".join(str(error).split()) or type(error).__name__
    _log.error("the model cannot be loaded: %s", message)
    if os.environ.get(FAILURE):
        file = Path(os.environ[FAILURE])
        part = file.with_name(f"{file.name}.{os.getpid()}")
        part.write_text(json.dumps(message))
        part.replace(file)


def _end_parent() -> None:
    """End the process that workers of this model are forked from, before 507 is answered.

    multi-model-server would want to end it then, be interrupted by itself, and keep the model as one that is
    loaded: the next attempt to load it would be answered with 409.
    """
    parent = os.getppid()
    os.kill(parent, signal.SIGKILL)
    while os.getppid() == parent:
        time.sleep(0.01)
    time.sleep(0.2)  # until Java knows as well


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""

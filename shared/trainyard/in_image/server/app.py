"""The HTTP contracts as one ASGI application: which path and method means what.

One model:    GET /ping, POST /invocations, GET /execution-parameters
Many models:  GET /ping, POST /models, GET /models, GET and DELETE /models/{name}, POST /models/{name}/invoke
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from trainyard.in_image.handler_errors import HandlerError, Refused
from trainyard.in_image.server.handler import Handler
from trainyard.in_image.server.messages import (
    CUSTOM_ATTRIBUTES,
    Answer,
    Disconnected,
    Receive,
    Request,
    Scope,
    Send,
    read_body,
    write,
)
from trainyard.in_image.server.models import Loaded, Models
from trainyard.in_image.server.settings import Settings
from trainyard.in_image.server.workers import Workers

_log = logging.getLogger("trainyard.serve")
_PAGE = 100
_LONGEST = 1024  # characters of a name; all processes keep it and are sent it
_UNLOADS = 16  # at once, in each process


class App:
    """``model`` is the one model that is served, or ``models`` are the many.

    ``stuck`` is called when a request has not been answered in time.
    """

    def __init__(
        self,
        handler: Handler,
        settings: Settings,
        model: Any = None,
        models: Models | None = None,
        stuck: Callable[[], None] = lambda: None,
    ) -> None:
        self._handler = handler
        self._settings = settings
        self._model = model
        self._models = models
        self._workers = Workers(settings.workers, settings.max_queue, settings.timeout, stuck)
        # unloading waits for requests in other processes, and those in this one need not wait with it
        self._unloading = Workers(_UNLOADS, settings.max_queue, settings.timeout, lambda: None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            body = await read_body(scope, receive, self._settings.max_body_mb * 2**20)
            answer = await self._route(Request.of(scope, body))
        except Disconnected:
            return
        except asyncio.CancelledError:  # by uvicorn, when time is up
            answer = Answer.error(503, "this process ends; try again")
        except HandlerError as error:
            answer = Answer.error(error.status_code, str(error))
            _log.info("%s %r: %d %s", scope["method"], scope["path"], error.status_code, error)
        await write(send, answer)

    async def _route(self, request: Request) -> Answer:
        path = request.path
        if path == ("ping",):
            _allow(request, "GET")
            return Answer(200)
        if path == ("execution-parameters",):
            _allow(request, "GET")
            return self._execution_parameters()
        if self._models is None:
            if path == ("invocations",):
                _allow(request, "POST")
                return await self._invoke(self._handler.answer, self._model, request=request)
        elif path[:1] == ("models",) and len(path) <= 3:
            return await self._route_models(self._models, request)
        raise Refused(404, f"no {'/' + '/'.join(path)!r} here; {self._where()}")

    async def _route_models(self, models: Models, request: Request) -> Answer:
        if len(request.path) == 1:
            if _allow(request, "GET", "POST") == "GET":
                return _page(models, request)
            name, url = _load_request(request.body)
            await self._workers.run(models.load, name, url)
            _log.info("loaded %r from %s", name, url)
            return Answer.json({"modelName": name, "modelUrl": url})
        name = request.path[1]
        if len(request.path) == 2:
            if _allow(request, "GET", "DELETE") == "GET":
                return Answer.json(_entry(models.get(name)))
            await self._unloading.run(models.unload, name)
            _log.info("unloaded %r", name)
            return Answer.json({"modelName": name})
        if request.path[2] != "invoke":
            raise Refused(404, f"no {request.path[2]!r} of a model; there is invoke")
        _allow(request, "POST")
        models.get(name)  # or it waits for a thread, only to be told that there is no such model
        return await self._invoke(models.call, name, self._handler.answer, request=request)

    async def _invoke(
        self, answer: Callable[..., tuple[bytes, str]], *model: object, request: Request
    ) -> Answer:
        headers = request.headers
        body, content_type = await self._workers.run(
            answer, *model, request.body, headers.get("content-type", ""), headers.get("accept", "")
        )
        passed_on = [(name, headers[name]) for name in (CUSTOM_ATTRIBUTES,) if name in headers]
        return Answer(200, body, content_type, tuple(passed_on))

    def _execution_parameters(self) -> Answer:
        return Answer.json(
            {
                "MaxConcurrentTransforms": self._workers.count * self._settings.processes,
                "BatchStrategy": "MULTI_RECORD",
                "MaxPayloadInMB": self._settings.max_body_mb,
            }
        )

    def _where(self) -> str:
        if self._models is None:
            return "this container serves one model at /invocations"
        return "this container serves many models at /models/{name}/invoke"


def _allow(request: Request, *methods: str) -> str:
    if request.method not in methods:
        raise Refused(405, f"{request.method} is not possible here; use {' or '.join(methods)}")
    return request.method


def _load_request(body: bytes) -> tuple[str, str]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is not JSON: {error}") from error
    name, url = (content.get("model_name"), content.get("url")) if isinstance(content, dict) else (None, None)
    if not (isinstance(name, str) and isinstance(url, str) and name and url):
        raise Refused(400, 'the body must be {"model_name": "<text>", "url": "<folder>"}')
    if len(name) > _LONGEST:
        raise Refused(400, f"the body has a model_name of {len(name)} characters; {_LONGEST} are possible")
    return name, url


def _page(models: Models, request: Request) -> Answer:
    limit = request.query.get("limit", str(_PAGE))
    if not limit.isdecimal() or len(limit) > 4 or not 1 <= int(limit) <= 1000:
        raise Refused(400, f"limit is {limit!r:.300}; it must be a whole number from 1 to 1000")
    page, token = models.page(request.query.get("next_page_token", ""), int(limit))
    content: dict[str, Any] = {"models": [_entry(one) for one in page]}
    if token:
        content["nextPageToken"] = token
    return Answer.json(content)


def _entry(loaded: Loaded) -> dict[str, str]:
    return {"modelName": loaded.name, "modelUrl": loaded.url}

"""A family's ``inference.py``, found, checked, and completed with defaults for what it does not write."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from trainyard.in_image.handler_errors import HandlerError
from trainyard.in_image.server import formats
from trainyard.in_image.server.batching import Batches, BatchFailed

_log = logging.getLogger("trainyard.serve")
_PARAMETERS = {
    "model_fn": ("model_dir",),
    "input_fn": ("body", "content_type"),
    "predict_fn": ("data", "model"),
    "output_fn": ("prediction", "accept"),
    "predict_batch_fn": ("data", "model"),
    "transform_fn": ("model", "body", "content_type", "accept"),
}


def import_handler(file: Path) -> ModuleType:
    """Import ``inference.py`` with its folder on the path, as a script would have it.

    Raises BadHandler when there is no such file or it cannot be imported.
    """
    if not file.is_file():
        raise BadHandler(f"no {file.name} in {file.parent}; SAGEMAKER_PROGRAM may name another file there")
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise BadHandler(f"{file} is not a Python file; SAGEMAKER_PROGRAM must name one")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a family's own code raises
        _log.exception("importing %s", file)
        raise BadHandler(f"{file} cannot be imported: {describe(error)}") from error
    return module


def describe(error: BaseException) -> str:
    """An exception in one line, as it may be shown to whoever sent the request."""
    return " ".join(f"{type(error).__name__}: {error}".split())


class BadHandler(Exception):
    """inference.py is missing, cannot be imported, or lacks a function; the message says which."""


class Failed(HandlerError):
    """A handler's function raised; ``status_code`` is the exception's own, or 500."""

    def __init__(self, function: str, error: BaseException) -> None:
        code = getattr(error, "status_code", None)
        if isinstance(code, int) and 400 <= code <= 599:
            self.status_code = code
            super().__init__(str(error))
        else:
            _log.error("%s failed", function, exc_info=error)
            super().__init__(f"{function} failed: {describe(error)}")


class Handler:
    """Loads models and answers requests with a family's functions, any number of threads at once."""

    def __init__(
        self,
        module: ModuleType,
        name: str,
        default_accept: str = formats.JSON,
        max_batch: int = 1,
        batch_wait: float = 0.0,
    ) -> None:
        """``batch_wait`` is seconds. Raises BadHandler when a required function is missing or takes other arguments."""
        self._functions = {
            function: getattr(module, function) for function in _PARAMETERS if hasattr(module, function)
        }
        for required, instead in (("model_fn", ""), ("predict_fn", "transform_fn")):
            if required not in self._functions and instead not in self._functions:
                raise BadHandler(f"{name} has no {required}({', '.join(_PARAMETERS[required])})")
        for function, implementation in self._functions.items():
            _check_arguments(name, function, implementation)
        self._default_accept = default_accept
        batch = self._functions.get("predict_batch_fn") if max_batch > 1 else None
        self._batches = Batches(batch, max_batch, batch_wait) if batch else None

    def load(self, folder: Path) -> Any:
        """The model in ``folder``; raises Failed, or MemoryError."""
        try:
            return self._call("model_fn", None, str(folder))
        except Failed as error:
            if isinstance(error.__cause__, MemoryError):
                raise MemoryError from error
            raise

    def answer(self, model: Any, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """The answer's body and content type for a request's body and headers; raises HandlerError."""
        media_type, content = formats.parse_content_type(content_type, body)
        wanted = formats.parse_accept(accept, self._default_accept)
        if "transform_fn" in self._functions:
            return self._finish("transform_fn", (model, content, media_type, wanted[0]), wanted[0])
        data = self._call("input_fn", formats.decode, content, media_type)
        prediction = self._predict(data, model)
        for accepted in wanted[:-1]:
            try:
                return self._finish("output_fn", (prediction, accepted), accepted)
            except Failed as error:
                if error.status_code != 406:
                    raise
        return self._finish("output_fn", (prediction, wanted[-1]), wanted[-1])

    def _predict(self, data: Any, model: Any) -> Any:
        if self._batches:
            try:
                return self._batches.predict(data, model)
            except BatchFailed:
                _log.info("a batch failed; each of its inputs is tried by itself", exc_info=True)
        return self._call("predict_fn", None, data, model)

    def _finish(self, function: str, arguments: tuple[Any, ...], media_type: str) -> tuple[bytes, str]:
        """The body and content type that the last function gives, as either it or a pair of them."""
        result = self._call(function, formats.encode, *arguments)
        body, answered_type = result if isinstance(result, tuple) else (result, media_type)
        if isinstance(body, str):
            body = body.encode()
        if not isinstance(body, (bytes, bytearray)):
            raise Failed(function, TypeError(f"it must return str or bytes, not {type(body).__name__}"))
        return bytes(body), answered_type

    def _call(self, function: str, default: Callable[..., Any] | None, *arguments: Any) -> Any:
        implementation = self._functions.get(function, default)
        assert implementation is not None
        try:
            return implementation(*arguments)
        except BaseException as error:  # whatever a family's own code raises; libraries have exits and panics
            raise Failed(function, error) from error


def _check_arguments(name: str, function: str, implementation: Callable[..., Any]) -> None:
    try:
        inspect.signature(implementation).bind(*_PARAMETERS[function])
    except TypeError as error:
        expected = ", ".join(_PARAMETERS[function])
        raise BadHandler(f"{name}: {function} must take ({expected}): {error}") from error

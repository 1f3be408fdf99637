"""The models that are loaded, by the opaque names that the platform gave them."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainyard.in_image.handler_errors import HandlerError
from trainyard.in_image.opt_ml import OptMl


class Refused(HandlerError):
    """A request that the server itself refuses, with the status it answers."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code


@dataclass(frozen=True)
class Loaded:
    name: str
    url: str
    model: Any


class Models:
    """Models by name; any number of threads may load, use and unload at once.

    ``max_models`` stands for memory: 0 is no limit.
    """

    def __init__(self, load: Callable[[Path], Any], opt_ml: OptMl, max_models: int = 0) -> None:
        self._load = load
        self._opt_ml = opt_ml
        self._max_models = max_models
        self._lock = threading.Lock()
        self._models: dict[str, Loaded | None] = {}  # None while it is being loaded

    def load(self, name: str, url: str) -> None:
        """Load the model that lies unpacked at ``url`` (``/opt/ml/models/{name}/model``).

        Raises Refused: 400 for a folder that is none or lies elsewhere, 409 when the name is taken, 507
        when there is no room; and HandlerError when the model cannot be read.
        """
        folder = self._folder(url)
        with self._lock:
            if name in self._models:
                raise Refused(409, f"model {name!r} is already loaded")
            if self._max_models and len(self._models) >= self._max_models:
                raise Refused(507, f"{len(self._models)} models are loaded and no more fit; unload one first")
            self._models[name] = None
        loaded = None
        try:
            loaded = Loaded(name, url, self._load(folder))
        except MemoryError as error:
            raise Refused(507, f"no memory left to load model {name!r}; unload one first") from error
        finally:
            with self._lock:
                if loaded is None:
                    del self._models[name]
                else:
                    self._models[name] = loaded

    def get(self, name: str) -> Loaded:
        with self._lock:
            loaded = self._models.get(name)
        if loaded is None:
            raise _not_loaded(name)
        return loaded

    def unload(self, name: str) -> None:
        """Forget a model; its memory is free when this returns, unless a request still uses it."""
        with self._lock:
            if self._models.get(name) is None:
                raise _not_loaded(name)
            del self._models[name]
        gc.collect()

    def page(self, after: str, limit: int) -> tuple[list[Loaded], str]:
        """At most ``limit`` models in order of name, beginning behind ``after``; and where to go on, or ''."""
        with self._lock:
            loaded = sorted((one for one in self._models.values() if one), key=lambda one: one.name)
        rest = [one for one in loaded if one.name > after]
        return rest[:limit], rest[limit - 1].name if len(rest) > limit else ""

    def _folder(self, url: str) -> Path:
        root = self._opt_ml.models.resolve()
        try:
            folder = self._opt_ml.at(url).resolve()
            folder.relative_to(root)
            is_folder = folder.is_dir()
        except (ValueError, OSError) as error:
            raise Refused(400, f"url {url!r:.300} is not below {OptMl().models}") from error
        if not is_folder:
            raise Refused(400, f"url {url!r:.300} is not a folder")
        return folder


def _not_loaded(name: str) -> Refused:
    return Refused(404, f"model {name!r} is not loaded")

"""The models that are loaded, by the opaque names that the platform gave them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from trainyard.in_image.handler_errors import Refused
from trainyard.in_image.opt_ml import OptMl
from trainyard.in_image.server.channel import Channel
from trainyard.in_image.server.directory import Message, not_loaded
from trainyard.in_image.server.memory import Memory, give_back

T = TypeVar("T")


@dataclass(eq=False)
class Loaded:
    """``model`` is None until this process needs it; another one has loaded it."""

    name: str
    url: str
    model: Any = None
    users: int = 0
    loading: threading.Lock = field(default_factory=threading.Lock)
    unused: Callable[[], None] | None = None  # called when its last user is done


class Models:
    """Models by name; any number of threads may load, use and unload at once.

    The other workers know of each through ``channel``; they load it when they are first asked, so that a model is
    loaded only where there is room for as many ``copies`` of its files.
    """

    def __init__(
        self,
        load: Callable[[Path], Any],
        opt_ml: OptMl,
        channel: Channel,
        there: Mapping[str, str] = {},
        memory: Memory | None = None,
        copies: int = 1,
    ) -> None:
        self._load = load
        self._opt_ml = opt_ml
        self._channel = channel
        self._memory = memory or Memory()
        self._copies = copies
        self._lock = threading.Lock()
        self._models = {name: Loaded(name, url) for name, url in there.items()}

    def load(self, name: str, url: str) -> None:
        """Load the model that lies unpacked at ``url`` (``/opt/ml/models/{name}/model``).

        When this returns every worker knows it. Raises Refused: 400 for a folder that is none or lies
        elsewhere, 409 when the name is taken, 507 when there is no room; and HandlerError when the model
        cannot be read.
        """
        folder = self._folder(url)
        self._channel.ask("reserve", name, url)
        loaded = Loaded(name, url)
        try:
            loaded.model = self._read(name, folder, self._copies)
        except BaseException:
            self._channel.ask("release", name)
            raise
        with self._lock:
            self._models[name] = loaded
        self._channel.ask("publish", name)

    def call(self, name: str, function: Callable[..., T], *arguments: object) -> T:
        """``function(model, *arguments)``; the model stays while that runs. Raises Refused: 404, 500, 507."""
        with self._lock:
            loaded = self._get(name)
            loaded.users += 1
        try:
            if loaded.model is None:
                with loaded.loading:
                    if loaded.model is None:
                        loaded.model = self._read(name, self._folder_again(loaded))
            return function(loaded.model, *arguments)
        finally:
            with self._lock:
                loaded.users -= 1
                unused = None if loaded.users else loaded.unused
            if unused:
                loaded.model = None
                unused()

    def get(self, name: str) -> Loaded:
        with self._lock:
            return self._get(name)

    def unload(self, name: str) -> None:
        """Forget a model; its memory is free when this returns, in every worker. Raises Refused (404)."""
        self._channel.ask("remove", name)

    def heed(self, message: Message) -> None:
        """Do what all workers are told to, and say so when it is done."""

        def done() -> None:
            if message["tell"] == "remove":
                give_back()
            self._channel.send({"did": message["change"]})

        name = message["name"]
        with self._lock:
            if message["tell"] == "add":
                self._models.setdefault(name, Loaded(name, message["url"]))
            elif loaded := self._models.pop(name, None):
                if loaded.users:
                    loaded.unused = done
                    return
                del loaded
        done()

    def page(self, after: str, limit: int) -> tuple[list[Loaded], str]:
        """At most ``limit`` models in order of name, beginning behind ``after``; and where to go on, or ''."""
        with self._lock:
            loaded = sorted(self._models.values(), key=lambda one: one.name)
        rest = [one for one in loaded if one.name > after]
        return rest[:limit], rest[limit - 1].name if len(rest) > limit else ""

    def _get(self, name: str) -> Loaded:
        loaded = self._models.get(name)
        if loaded is None:
            raise Refused(404, not_loaded(name))
        return loaded

    def _read(self, name: str, folder: Path, copies: int = 1) -> Any:
        full = f"no memory left to load model {name!r}; unload one first"
        # a model takes at least what its files do; one that takes far more may still be ended by the kernel
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        if self._memory.is_short(copies * size):
            raise Refused(507, full)
        try:
            model = self._load(folder)
        except MemoryError as error:
            raise Refused(507, full) from error
        if self._memory.is_short((copies - 1) * size):
            del model
            give_back()
            raise Refused(507, full)
        return model

    def _folder_again(self, loaded: Loaded) -> Path:
        try:
            return self._folder(loaded.url)
        except Refused as error:  # no fault of the request
            raise Refused(500, f"the files of model {loaded.name!r} are gone: {error}") from error

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

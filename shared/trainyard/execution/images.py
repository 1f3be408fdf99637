"""The images that jobs run in: a family's is built when there is none of its files, any other is pulled."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from trainyard.errors import DockerError
from trainyard.families import Family
from trainyard.images.engine import Engine, LocalImage, find_engine
from trainyard.images.recipe import Recipe


class Images:
    """``say`` is told, in a few words, what takes time. Docker Engine is looked for when it is needed."""

    def __init__(self, root: Path, say: Callable[[str], None] = lambda text: None) -> None:
        self._root = root
        self._say = say
        self._families: dict[str, Family] = {}

    @cached_property
    def engine(self) -> Engine:
        return find_engine()

    def reference(self, family: Family) -> str:
        """The name of the image that the family's files make, whether there is one yet or not.

        It stays the same for as long as this object lives: files may change while a pipeline runs.
        """
        for reference, known in self._families.items():
            if known == family:
                return reference
        reference = Recipe.of(family, self._root).reference
        self._families[reference] = family
        return reference

    def ensure(self, reference: str) -> LocalImage:
        """The image, built or pulled if the engine does not have it.

        Raises DockerError, or ImageError for a family whose image cannot be built.
        """
        found = self.engine.image(reference)
        if found is None and reference in self._families:
            from trainyard.images.build import ensure_built

            found = ensure_built(self._families[reference], self._root, find_engine(building=True), self._say)
        return found or self._pulled(reference)

    def _pulled(self, reference: str) -> LocalImage:
        self._say(f"pulling {reference}")
        try:
            self.engine.run("pull", "--quiet", reference)
        except DockerError as error:
            raise DockerError(
                f"image {reference!r} is not on this machine and cannot be pulled ({error}); `docker images` lists "
                "those that are here, `trainyard build FAMILY` makes a family's"
            ) from error
        finally:
            self._say("")
        found = self.engine.image(reference)
        if found is None:
            raise DockerError(f"docker has pulled {reference!r}, but does not have it: see `docker images`")
        return found

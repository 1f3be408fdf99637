"""Model archives on their way into a serving container: one model, or the many below a prefix."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from trainyard.errors import EndpointError
from trainyard.in_image.archives import BadArchive, extract_archive
from trainyard.in_image.opt_ml import OptMl


def identifier(name: str) -> str:
    """The SHA-256 of a TargetModel: whatever the name is, this is a folder's name and fits in a URL."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def place_model(data: Path, opt_ml: OptMl) -> None:
    """Lay one model out in ``/opt/ml/model``: unpack a ``model.tar.gz``, or copy a folder's files.

    Raises EndpointError when there is none or it cannot be read.
    """
    try:
        shutil.rmtree(opt_ml.model, ignore_errors=True)
        if data.is_dir():
            shutil.copytree(data, opt_ml.model)
        else:
            opt_ml.model.mkdir(parents=True)
            extract_archive(data, opt_ml.model)
    except BadArchive as error:
        raise EndpointError(f"the model cannot be unpacked: {error}") from error
    except OSError as error:
        raise EndpointError(f"the model {data} cannot be laid out: {error.strerror or error}") from error


class ModelError(EndpointError):
    """A request that the platform refuses or a model that it cannot offer; ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ModelPrefix:
    """The archives of a multi-model endpoint, in a folder that stands for their S3 prefix.

    Each is unpacked once for a container, when it is asked for. A TargetModel is the
    archive's path below the prefix, for example ``customer_7.tar.gz``.
    """

    def __init__(self, folder: Path, opt_ml: OptMl) -> None:
        self._folder = folder.resolve()
        self._opt_ml = opt_ml
        self._unpacked: dict[str, tuple[int, int]] = {}

    def names(self) -> Iterator[str]:
        """The TargetModels there are, folder by folder."""
        for folder, subfolders, files in os.walk(self._folder):
            subfolders.sort()
            for file in sorted(files):
                if file.endswith(".tar.gz"):
                    yield Path(folder, file).relative_to(self._folder).as_posix()

    def find(self, name: str) -> Path:
        """The archive called ``name``.

        Raises ModelError: 400 for a name that leads out of the prefix, 404 where there is none.
        """
        path = self._folder / name
        if not name or "\0" in name or name.startswith("/") or ".." in path.parts:
            raise ModelError(400, f"TargetModel {name!r} is no path below the model prefix")
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):  # absent, too long, or links in a circle
            real = None
        if real is None or not real.is_file():
            some = ", ".join(islice(self.names(), 3)) or "none at all"
            raise ModelError(
                404, f"no model {name!r} at this endpoint; there are {some}; GET /models lists them"
            )
        if not real.is_relative_to(self._folder):
            raise ModelError(400, f"TargetModel {name!r} is a link that leaves the model prefix")
        return real

    def unpack(self, name: str) -> None:
        """Unpack the archive into ``/opt/ml/models/<identifier>/model``, unless it is there already.

        Two threads must not unpack the same name at once. Raises ModelError, after which nothing is left.
        """
        archive = self.find(name)
        place = self._opt_ml.models / identifier(name)
        partial = place.with_name(f".{place.name}.partial")
        try:
            state = archive.stat()
            stamp = (state.st_mtime_ns, state.st_size)
            if self._unpacked.get(name) != stamp:
                shutil.rmtree(partial, ignore_errors=True)
                shutil.rmtree(place, ignore_errors=True)
                partial.mkdir(parents=True)
                extract_archive(archive, partial / "model")
                (partial / "model").mkdir(exist_ok=True)  # an empty archive is an empty folder
                partial.rename(place)
                self._unpacked[name] = stamp
        except BadArchive as error:
            raise ModelError(500, f"model {name!r} cannot be unpacked: {error}") from error
        except OSError as error:
            status = 507 if error.errno in (errno.ENOSPC, errno.EDQUOT) else 500
            raise ModelError(status, f"model {name!r} cannot be unpacked: {error.strerror}") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

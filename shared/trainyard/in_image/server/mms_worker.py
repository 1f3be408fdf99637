"""A worker of multi-model-server: its own program, held to one handler.

A model archive (``MAR-INF/MANIFEST.json``) and whoever registers a model may name a handler, a Python module
that multi-model-server would import. Whatever they name, it is the family's ``inference.py`` that answers.
"""

from __future__ import annotations

import multiprocessing
import runpy
import sys
from collections.abc import Sequence
from typing import Any

HANDLER = "trainyard.in_image.server.mms_service:handle"


def main(argv: Sequence[str]) -> None:
    """``argv``: multi-model-server's model_service_worker.py and its arguments; runs until it is killed."""
    from mms import model_loader  # type: ignore[import-not-found, unused-ignore]

    class Loader(model_loader.MmsModelLoader):  # type: ignore[misc, unused-ignore]
        def load(self, model_name: str, model_dir: str, handler: str, gpu_id: Any, batch_size: int) -> Any:
            return super().load(model_name, model_dir, HANDLER, gpu_id, batch_size)

    model_loader.ModelLoaderFactory.get_model_loader = staticmethod(lambda model_dir: Loader())
    multiprocessing.set_start_method("fork")  # which it relies on, and which is no default from 3.14 on
    sys.argv = list(argv)
    runpy.run_path(argv[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])

"""What the files of a family offer: SageMaker's own conventions, written down once and checked nowhere else.

``train.py``, ``preprocess.py`` and ``evaluate.py`` are scripts: argparse for their arguments (train.py's are
the hyperparameters), the ``SM_*`` variables or ``/opt/ml`` for their folders, exit code 0 or not.
``inference.py`` is a module of functions, of which a family writes those that differ from the defaults.
"""

from __future__ import annotations

from typing import Any, Protocol


class TrainScript(Protocol):
    """train.py: what ``train`` runs, and what other scripts and tests may call."""

    # parse ``argv`` (default: the command line), train, write SM_MODEL_DIR; 0 or why not
    def main(self, argv: list[str] | None = None, /) -> int: ...


class InferenceHandler(Protocol):
    """inference.py, as ``sagemaker-inference`` has it, for one model or many.

    Functions are called from several threads at once; SAGEMAKER_MODEL_SERVER_WORKERS=1 makes it one.
    An exception with a ``status_code`` (trainyard.in_image.handler_errors) is answered with it, others with 500.
    """

    # read the model that lies unpacked in ``model_dir``; required
    def model_fn(self, model_dir: str, /) -> Any: ...

    # body to model input; text types come decoded (str), others as bytes; ``content_type`` has no
    # parameters, its attribute ``parameters`` (a dict of str) does
    # default: application/json, text/csv, application/x-npy
    def input_fn(self, body: str | bytes, content_type: str, /) -> Any: ...

    # model input to prediction; required where there is no transform_fn
    def predict_fn(self, data: Any, model: Any, /) -> Any: ...

    # several model inputs to as many predictions; optional, and only called by the pooled server where
    # TRAINYARD_MAX_BATCH is more than 1
    def predict_batch_fn(self, data: list[Any], model: Any, /) -> list[Any]: ...

    # prediction to answer, or (answer, content type)
    # default: application/json, text/csv, application/x-npy
    def output_fn(self, prediction: Any, accept: str, /) -> str | bytes | tuple[str | bytes, str]: ...


class TransformHandler(Protocol):
    """inference.py that does input, prediction and output in one function instead."""

    def model_fn(self, model_dir: str, /) -> Any: ...

    def transform_fn(
        self, model: Any, body: str | bytes, content_type: str, accept: str, /
    ) -> str | bytes | tuple[str | bytes, str]: ...

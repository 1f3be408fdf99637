"""Where SageMaker puts things inside a container; nothing else spells ``/opt/ml``.

Sources: AWS SageMaker Developer Guide, "How Amazon SageMaker runs your training image",
"Build your own processing container", "Custom inference code with hosting services".
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_BASE = "/opt/ml"


@dataclass(frozen=True)
class OptMl:
    """The folders and files of one container's ``/opt/ml``, whatever folder stands for it.

    Creating an ``OptMl`` touches no disk.
    """

    base: Path = Path(DEFAULT_BASE)

    @classmethod
    def from_environment(cls) -> OptMl:
        """The base that the sagemaker-training toolkit would use (``SAGEMAKER_BASE_DIR``)."""
        return cls(Path(os.environ.get("SAGEMAKER_BASE_DIR", DEFAULT_BASE)))

    def at(self, container_path: str) -> Path:
        """The real place of a path as the container spells it (``/opt/ml/...``).

        Raises ValueError for a path outside ``/opt/ml``.
        """
        path = Path(os.path.normpath(container_path))
        return self.base / path.relative_to(DEFAULT_BASE)

    @property
    def code(self) -> Path:
        return self.base / "code"

    @property
    def config(self) -> Path:
        """Processing jobs: processingjobconfig.json and resourceconfig.json."""
        return self.base / "config"

    @property
    def input_config(self) -> Path:
        """Training jobs: hyperparameters.json, inputdataconfig.json and resourceconfig.json."""
        return self.base / "input" / "config"

    @property
    def input_data(self) -> Path:
        return self.base / "input" / "data"

    def channel(self, name: str) -> Path:
        return self.input_data / name

    @property
    def model(self) -> Path:
        return self.base / "model"

    @property
    def models(self) -> Path:
        """Multi-model hosting: one ``{model_name}/model`` folder each."""
        return self.base / "models"

    @property
    def checkpoints(self) -> Path:
        return self.base / "checkpoints"

    @property
    def output(self) -> Path:
        return self.base / "output"

    @property
    def output_data(self) -> Path:
        return self.output / "data"

    @property
    def failure(self) -> Path:
        """Training: why the job failed; its first 1,024 characters become the FailureReason."""
        return self.output / "failure"

    @property
    def message(self) -> Path:
        """Processing: its first 1,024 bytes become the ExitMessage."""
        return self.output / "message"

    @property
    def processing(self) -> Path:
        return self.base / "processing"

"""trainyard: SageMaker training containers as plugins, and an executor that runs their pipelines on one machine."""

from __future__ import annotations

__version__ = "0.1.0"

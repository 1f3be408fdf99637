"""A transform job as a value: CreateTransformJob's request, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from trainyard.execution.request import Channel
from trainyard.execution.transform.batches import BatchStrategy
from trainyard.execution.transform.joining import Joining
from trainyard.execution.transform.splitting import SplitType

MOST_MEGABYTES = 100
"""Of all requests that are under way at once (AWS API reference, MaxPayloadInMB)."""


@dataclass(frozen=True, kw_only=True)
class TransformRequest:
    """One transform job. What is None was left to the container, and to the defaults; times are in seconds."""

    name: str
    model: str
    channel: Channel
    output_uri: str
    content_type: str = ""
    accept: str = ""
    gzipped: bool = False
    split: SplitType = "None"
    assemble: Literal["None", "Line"] = "None"
    joining: Joining
    instances: int = 1
    strategy: BatchStrategy | None = None
    max_payload: int | None = None
    max_concurrent: int | None = None
    timeout: float = 600.0
    retries: int = 3
    environment: Mapping[str, str] = field(default_factory=dict)
    capture_uri: str = ""
    inference_ids: bool = False

    @property
    def as_it_is(self) -> bool:
        """Whether an object is one request and its answer the output, as they are."""
        joining = self.joining
        plain = joining.input_filter.whole and joining.answers_as_they_are
        return plain and self.split == "None" and self.assemble == "None"

    @property
    def platform_environment(self) -> dict[str, str]:
        """What the container finds (AWS: "Use Your Own Inference Code with Batch Transform")."""
        given = {
            "SAGEMAKER_MAX_PAYLOAD_IN_MB": self.max_payload,
            "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": self.max_concurrent,
            "SAGEMAKER_BATCH_STRATEGY": {"SingleRecord": "SINGLE_RECORD", "MultiRecord": "MULTI_RECORD"}.get(
                self.strategy or ""
            ),
        }
        return {"SAGEMAKER_BATCH": "true", **{name: str(value) for name, value in given.items() if value}}

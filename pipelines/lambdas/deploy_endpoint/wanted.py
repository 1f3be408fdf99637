"""What an event asks for, and what is made for it: each is named after what it is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TAG = "deploy_endpoint"
_NAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}")
_PACKAGE = re.compile(r"arn:[^:]+:sagemaker:[^:]+:\d*:model-package/[^/]+/(\d+)")


@dataclass(frozen=True)
class Wanted:
    """What the event asks for; ``traffic`` from 0 to 1, ``wait`` in seconds."""

    endpoint: str
    package: str
    instance_type: str
    instance_count: int
    role: str
    traffic: float
    wait: float

    @property
    def model(self) -> str:
        return self.own_name(self.package, self.role)

    @property
    def variant(self) -> dict[str, Any]:
        parts = (self.package, self.role, self.instance_type, self.instance_count)
        return {
            "VariantName": f"v{self.package.rpartition('/')[2]}-{digest(*parts)}",
            "ModelName": self.model,
            "InstanceType": self.instance_type,
            "InitialInstanceCount": self.instance_count,
        }

    @property
    def prefix(self) -> str:
        return f"{self.endpoint[:50].rstrip('-')}-"

    def own_name(self, *parts: object) -> str:
        return f"{self.prefix}{digest(self.endpoint, *parts)}"

    @property
    def tags(self) -> list[dict[str, str]]:
        return [{"Key": TAG, "Value": self.endpoint}]


def read(event: Mapping[str, Any]) -> Wanted:
    """Raises ValueError, which names what is wrong with the event."""
    missing = [
        name
        for name in ("endpoint_name", "model_package_arn", "instance_type", "role")
        if not event.get(name)
    ]
    if missing:
        raise ValueError(f"the event has no {', '.join(missing)}")
    wanted = Wanted(
        endpoint=event["endpoint_name"],
        package=event["model_package_arn"],
        instance_type=event["instance_type"],
        instance_count=int(event.get("instance_count", 1)),
        role=event["role"],
        traffic=float(event.get("traffic", 1)),
        wait=float(event.get("wait", 0)),
    )
    if not _NAME.fullmatch(wanted.endpoint):
        raise ValueError(f"endpoint_name {wanted.endpoint!r}: use up to 63 letters, digits and '-'")
    if not _PACKAGE.fullmatch(wanted.package):
        raise ValueError(f"model_package_arn {wanted.package!r} is no version of a model package group")
    if wanted.instance_count < 1:
        raise ValueError(f"instance_count {wanted.instance_count}: must be 1 or more")
    if not 0 <= wanted.traffic <= 1:
        raise ValueError(f"traffic {wanted.traffic:g}: must be from 0 to 1")
    return wanted


def digest(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:12]

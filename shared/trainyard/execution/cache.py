"""Step caching by content: the same inputs, image, arguments and environment give the earlier result.

The fields follow AWS's list ("Caching Pipeline Steps", default cache key attributes), with each S3 URI
replaced by what is stored there and each image by what it runs: a changed file behind an unchanged
URI is a miss, an unchanged file behind a new URI is a hit. Instance types and counts, roles and output
URIs are not part of the key, as on AWS. ``aws_key`` is AWS's own key, to the letter.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from trainyard.execution.request import Channel, JobRequest
from trainyard.execution.s3 import ObjectStore, parse_uri
from trainyard.execution.staging import channel_objects
from trainyard.execution.state import Row, State

Key = dict[str, str]
"""Field path to value, flat, so that two keys can be compared field by field."""


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """``hit`` is the step row whose result stands, or None; ``note`` says in words why not."""

    hit: Row | None
    note: str


def job_key(request: JobRequest, store: ObjectStore, state: State, target_digest: str) -> Key:
    """The cache key of a job; reads only those stored files that have changed since they were last read."""
    key = {"image": f"{request.image} ({target_digest[:16]})", "kind": request.kind}
    key |= _flat("arguments", list(request.command))
    if request.arguments_only:
        key["entry point"] = "the image's own"
    key |= _flat("environment", dict(request.environment))
    key |= _flat("hyperparameters", request.config.get("input/config/hyperparameters.json", {}))
    for channel in request.channels:
        key[f"input {channel.name}"] = content(channel, store, state)
        key[f"input {channel.name}, path"] = channel.container_path
        key[f"input {channel.name}, distribution"] = channel.distribution
        if channel.mode == "Pipe":
            key[f"input {channel.name}, mode"] = f"Pipe ({channel.compression}, {channel.record_wrapper})"
    for output in request.outputs:
        kind = "archive" if output.archive else "files"
        key[f"output {output.name}"] = f"{output.container_path} ({kind})"
    if request.checkpoint:
        key["checkpoints, path"] = request.checkpoint.container_path
    return key


# AWS, "Caching pipeline steps", default cache key attributes, for the types whose jobs run here.
_AWS_KEYS: Mapping[str, tuple[str, ...]] = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        "AlgorithmSpecification", "CheckpointConfig", "DebugHookConfig", "DebugRuleConfigurations", "Environment",
        "HyperParameters", "InputDataConfig",
    ),
    "Tuning": (
        "HyperParameterTuningJobConfig",
        *(
            f"{definition}.{name}"
            for definition in ("TrainingJobDefinition", "TrainingJobDefinitions")
            for name in (
                "AlgorithmSpecification", "HyperParameterRanges", "InputDataConfig", "StaticHyperParameters",
                "TuningObjective",
            )
        ),
    ),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
}  # fmt: skip
_NOT_IN_AWS_KEYS = ("FailOnViolation",)
_LITERAL = "request, as on AWS"


def aws_key(type_: str, arguments: Mapping[str, Any], own: Mapping[str, Any] = MappingProxyType({})) -> Key:
    """AWS's key: the listed fields of the resolved request to the letter, S3 URIs and all, contents not read.

    For check steps, and a type that AWS has no list of, it is the whole request, and the resolved keys that only
    the type has.
    """
    fields = _AWS_KEYS.get(type_)
    listed = {name: value for name, value in own.items() if name not in _NOT_IN_AWS_KEYS}
    parts = _flat("", {**arguments, **listed}) if fields is None else {}
    for field in fields or ():
        head, _, rest = field.partition(".")
        for place, value in _each(head, arguments.get(head)) if rest else [(head, arguments.get(head))]:
            inner = value.get(rest) if rest and isinstance(value, Mapping) else value
            if inner is not None:
                parts |= _flat(f"{place}.{rest}" if rest else place, inner)
    return {"key": _LITERAL, **{path.lstrip("."): text for path, text in parts.items()}}


def _each(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, list):
        return [(f"{name}[{index}]", item) for index, item in enumerate(value)]
    return [] if value is None else [(name, value)]


def look_up(
    state: State, store: ObjectStore, pipeline: str, step: str, key: Key, expire_after: timedelta | None
) -> Lookup:
    """The newest earlier run of this step in this pipeline with the same key whose outputs still stand."""
    note = ""
    for row in state.successes(pipeline, step, key):
        age = time.time() - row["ended"]
        if expire_after is not None and age > expire_after.total_seconds():
            return Lookup(hit=None, note=note or f"the result of {_ago(age)} ago has expired")
        lost = "" if key.get("key") == _LITERAL else _first_lost(store, row["outputs"] or {})
        if not lost:
            return Lookup(hit=row, note=f"same as {_ago(age)} ago")
        note = note or f"output {lost} of the earlier run is gone or has changed"
    if note:
        return Lookup(hit=None, note=note)
    earlier = state.last_success(pipeline, step)
    if earlier is None:
        return Lookup(hit=None, note="no earlier run")
    if earlier["cache_key"].get("key") != key.get("key"):
        return Lookup(hit=None, note="the earlier run was kept under another kind of key")
    return Lookup(hit=None, note=difference(earlier["cache_key"], key))


def difference(earlier: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Which fields of a key changed, in words, for example ``hyperparameters.growth: linear -> flat``."""
    changes = []
    for name in sorted(set(earlier) | set(now)):
        before, after = earlier.get(name), now.get(name)
        if before == after:
            continue
        if before is None:
            changes.append(f"{name} is new: {_short(after)}")
        elif after is None:
            changes.append(f"{name} is gone (was {_short(before)})")
        else:
            changes.append(f"{name}: {_short(before)} -> {_short(after)}")
    more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
    return "; ".join(changes[:3]) + more + (" changed" if not changes else "")


def content(channel: Channel, store: ObjectStore, state: State) -> str:
    objects = channel_objects(store, channel)
    digests = state.digests(objects)
    whole = hashlib.sha256()
    for item, digest in zip(objects, digests, strict=True):
        whole.update(f"{item.relative}\0{digest}\n".encode())
    size = sum(item.size for item in objects)
    return f"{len(objects)} files, {size:,} bytes ({whole.hexdigest()[:16]})"


def _flat(name: str, value: Any) -> Key:
    if isinstance(value, Mapping):
        return {path: text for key in value for path, text in _flat(f"{name}.{key}", value[key]).items()}
    if isinstance(value, list):
        return {
            path: text for i, item in enumerate(value) for path, text in _flat(f"{name}[{i}]", item).items()
        }
    return {name: value if isinstance(value, str) else json.dumps(value)}


def _first_lost(store: ObjectStore, outputs: Mapping[str, list[int]]) -> str:
    for uri, mark in outputs.items():
        path = store.path(parse_uri(uri))
        if not path.is_file() or store.mark(path) != mark:
            return uri
    return ""


def _short(text: str | None) -> str:
    text = str(text)
    return repr(text) if len(text) <= 60 else repr(f"{text[:57]}...")


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"

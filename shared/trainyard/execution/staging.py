"""Lay out a job's hosts on disk before it starts: channels, SageMaker's configuration files, empty folders."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainyard.errors import StoreError
from trainyard.execution.request import Channel, JobRequest, Mount, StagedHost
from trainyard.execution.s3 import ObjectStore, StoredObject, disk_errors, parse_uri
from trainyard.in_image.opt_ml import OptMl

_PROCESSING_CODE = "/opt/ml/processing/input/code"  # where the SDK's processors put it


def channel_objects(store: ObjectStore, channel: Channel) -> list[StoredObject]:
    """The objects that a channel brings, over all hosts, in key order.

    Raises StoreError when there are none: SageMaker refuses such a job, too.
    """
    uri = parse_uri(channel.uri)
    if channel.data_type == "ManifestFile":
        return _manifest_objects(store, channel)
    found = store.list(uri)
    if not found:
        raise StoreError(
            f"channel {channel.name!r}: no objects below {channel.uri}; "
            "`trainyard s3 ls` shows what is stored, `trainyard s3 cp` stores files"
        )
    return found


def _manifest_objects(store: ObjectStore, channel: Channel) -> list[StoredObject]:
    """A manifest is ``[{"prefix": "s3://..."}, "relative/key", ...]`` (AWS: S3DataSource, ManifestFile)."""
    try:
        entries = json.loads(store.read(parse_uri(channel.uri)))
        prefix, keys = entries[0]["prefix"], entries[1:]
    except (ValueError, LookupError, TypeError) as error:
        raise StoreError(
            f"channel {channel.name!r}: {channel.uri} is not a manifest; it has the form "
            '[{"prefix": "s3://bucket/folder/"}, "key", ...]'
        ) from error
    found = []
    for key in keys:
        matches = store.list(parse_uri(f"{prefix}{key}"))
        whole = next((item for item in matches if str(item.uri) == f"{prefix}{key}"), None)
        if whole is None:
            raise StoreError(
                f"channel {channel.name!r}: {prefix}{key}, named in {channel.uri}, is not in the store"
            )
        found.append(StoredObject(whole.uri, key.lstrip("/"), whole.path, whole.size, whole.modified))
    return found


def shard(objects: list[StoredObject], host_index: int, host_count: int) -> list[StoredObject]:
    """One host's 1/N of the objects, dealt out in key order (AWS: ShardedByS3Key)."""
    return objects[host_index::host_count]


def host_objects(
    channel: Channel, objects: list[StoredObject], host_index: int, host_count: int
) -> list[StoredObject]:
    """What one host of a job gets of a channel's objects."""
    return shard(objects, host_index, host_count) if channel.distribution == "ShardedByS3Key" else objects


def stage(store: ObjectStore, request: JobRequest, folder: Path) -> list[StagedHost]:
    """Make ``folder/<host>/ml`` for every host of a job. Inputs are hard links, code that it starts copies."""
    objects = {channel.name: channel_objects(store, channel) for channel in request.channels}
    checkpoint = _checkpoint_mount(store, request)
    hosts = []
    with disk_errors(folder):
        for index, name in enumerate(request.hosts):
            host_folder = folder / name
            ml = OptMl(host_folder / "ml")
            places = [ml.model, ml.output_data, ml.code, ml.input_config, host_folder / "tmp"]
            if request.kind == "Processing":  # in an image's own /opt/ml only root could make it
                places.append(ml.processing)
            for place in places:
                place.mkdir(parents=True, exist_ok=True)
            mounts = [*checkpoint]
            for channel in request.channels:
                if channel.mode == "Pipe":
                    continue
                part = host_objects(channel, objects[channel.name], index, request.host_count)
                place = ml.at(channel.container_path)
                if _is_code(request, channel):
                    _place(part, place, shutil.copyfile)
                    continue
                _place(part, place, _link)
                mounts.append(Mount(source=place, container_path=channel.container_path, read_only=True))
            for output in request.outputs:
                ml.at(output.container_path).mkdir(parents=True, exist_ok=True)
            _write_config(ml, request, name)
            staged = StagedHost(name=name, folder=host_folder, ml=ml.base, mounts=tuple(mounts))
            hosts.append(staged)
    return hosts


def _checkpoint_mount(store: ObjectStore, request: JobRequest) -> list[Mount]:
    """The stored prefix itself: what a job has written there is safe at once, whatever happens to it."""
    if request.checkpoint is None:
        return []
    place = store.path(parse_uri(request.checkpoint.uri))
    with disk_errors(place):
        place.mkdir(parents=True, exist_ok=True)
    return [Mount(source=place, container_path=request.checkpoint.container_path, read_only=False)]


def _is_code(request: JobRequest, channel: Channel) -> bool:
    """Whether a channel holds what the job starts, which is a copy: it belongs to the job.

    The SDK's drivers make the command executable first, and its FrameworkProcessor unpacks the source beside it.
    """
    if request.kind == "Processing" and channel.container_path == _PROCESSING_CODE:
        return True
    return any(f"{channel.container_path}/" in part for part in request.command)


def _place(objects: list[StoredObject], place: Path, put: Callable[[Path, Path], object]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for item in objects:
        target = place / item.relative
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise StoreError(f"{item.uri}: two objects of one channel would be the file {item.relative!r}")
        put(item.path, target)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def _write_config(ml: OptMl, request: JobRequest, host: str) -> None:
    resources = resource_config(request, host)
    for path, content in {**request.config, request.resource_config: resources}.items():
        file = ml.base / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1))


def resource_config(request: JobRequest, host: str) -> dict[str, Any]:
    """``resourceconfig.json`` as training and processing containers find it."""
    hosts = list(request.hosts)
    if request.kind == "Processing":
        return {"current_host": host, "hosts": hosts}
    group = {
        "instance_group_name": "homogeneousCluster",
        "instance_type": request.instance_type,
        "hosts": hosts,
    }
    return {
        "current_host": host,
        "current_instance_type": request.instance_type,
        "current_group_name": group["instance_group_name"],
        "hosts": hosts,
        "instance_groups": [group],
        "network_interface_name": "eth0" if request.target.kind == "docker" else "lo",
    }

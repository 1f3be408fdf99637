"""Pipe mode: the objects of a channel as a stream, through one named pipe per epoch.

Source: AWS SageMaker Developer Guide, "How Amazon SageMaker runs your training image" (input mode Pipe) and
API reference, "Channel" (CompressionType, RecordWrapperType).
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import os
import shutil
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from trainyard.execution.request import Channel, JobRequest, StagedHost
from trainyard.execution.s3 import ObjectStore, StoredObject
from trainyard.execution.staging import channel_objects, host_objects
from trainyard.in_image.opt_ml import OptMl

_RECORD_MAGIC = 0xCED7230A  # of MXNet's RecordIO
_LOOK_EVERY = 0.02


@contextmanager
def feeding(store: ObjectStore, request: JobRequest, hosts: Sequence[StagedHost]) -> Iterator[None]:
    """Fill the pipes of a job's Pipe channels, on each of its hosts, for as long as the context lasts."""
    ended = threading.Event()
    threads = []
    for channel in request.channels:
        if channel.mode != "Pipe":
            continue
        objects = channel_objects(store, channel)
        for index, host in enumerate(hosts):
            part = host_objects(channel, objects, index, request.host_count)
            place = OptMl(host.ml).at(channel.container_path)
            pipe = _make_pipe(place, 0)  # before the job can look for it
            threads.append(
                threading.Thread(target=_feed, args=(channel, part, place, pipe, ended), daemon=True)
            )
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _make_pipe(place: Path, epoch: int) -> Path:
    pipe = place.with_name(f"{place.name}_{epoch}")
    pipe.parent.mkdir(parents=True, exist_ok=True)
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    return pipe


def _feed(
    channel: Channel, objects: Sequence[StoredObject], place: Path, pipe: Path, ended: threading.Event
) -> None:
    epoch = 0
    while not ended.is_set():
        writer = _open_for_reader(pipe, ended)
        if writer is None:
            return
        epoch += 1
        following = _make_pipe(place, epoch)  # the job may ask for it as soon as this one is through
        with suppress(BrokenPipeError), writer:  # a reader that has seen enough
            for item in objects:
                _write(channel, item, writer)
        pipe.unlink(missing_ok=True)
        pipe = following


def _open_for_reader(pipe: Path, ended: threading.Event) -> BinaryIO | None:
    """The pipe's end for writing, once somebody reads; None when the job has ended before."""
    while not ended.is_set():
        try:
            descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                return None  # the job has removed it
            time.sleep(_LOOK_EVERY)
            continue
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags & ~os.O_NONBLOCK)
        return os.fdopen(descriptor, "wb")
    return None


def _write(channel: Channel, item: StoredObject, writer: BinaryIO) -> None:
    with gzip.open(item.path) if channel.compression == "Gzip" else item.path.open("rb") as content:
        if channel.record_wrapper == "RecordIO":
            writer.write(record(content.read()))
        else:
            shutil.copyfileobj(content, writer, 1 << 20)


def record(content: bytes) -> bytes:
    """One RecordIO record: magic number, length, content, padding to four bytes."""
    return struct.pack("<II", _RECORD_MAGIC, len(content)) + content + b"\0" * (-len(content) % 4)

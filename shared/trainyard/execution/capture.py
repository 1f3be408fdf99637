"""Data capture: what an endpoint is asked and answers, as JSON lines in S3, for Model Monitor and whoever else reads.

Source: AWS SageMaker Developer Guide, "Capture data from real-time endpoint".
"""

from __future__ import annotations

import base64
import json
import os
import queue
import random
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trainyard.errors import UserError
from trainyard.execution.container import Invocation, Reply
from trainyard.execution.s3 import ObjectStore, S3Uri, disk_errors, parse_uri

_FILE_BYTES = 8 << 20  # a file that is longer than this is followed by another one
_WAITING = 1000  # records that may wait for the disk; more are left out, requests do not wait for them


@dataclass(frozen=True, kw_only=True)
class _Record:
    variant: str
    time: datetime
    line: bytes


class Capture:
    """Writes what ``take`` is given to ``<DestinationS3Uri>/<endpoint>/<variant>/yyyy/mm/dd/hh/*.jsonl``, in UTC.

    ``config`` is a DataCaptureConfig. A thread of its own appends whole lines, each line at once, so that whoever
    reads a file sees whole lines only. Raises StoreError for a destination that is no S3 URI.
    """

    def __init__(self, objects: ObjectStore, config: Mapping[str, Any], endpoint: str) -> None:
        self._objects = objects
        self._destination = parse_uri(config["DestinationS3Uri"]).join(endpoint)
        self._percentage = config["InitialSamplingPercentage"]
        self._modes = {mode for option in config["CaptureOptions"] for mode in _modes(option["CaptureMode"])}
        headers = config.get("CaptureContentTypeHeader") or {}
        self._csv = {each.lower() for each in headers.get("CsvContentTypes") or ()}
        self._json = {each.lower() for each in headers.get("JsonContentTypes") or ()}
        self._records: queue.Queue[_Record | None] = queue.Queue(_WAITING)
        self._files: dict[str, tuple[S3Uri, int]] = {}  # by variant, with its size
        self._writer = threading.Thread(target=self._write, name=f"capture {endpoint}", daemon=True)
        self._writer.start()

    def take(self, variant: str, invocation: Invocation, reply: Reply, inference_id: str = "") -> None:
        """One request and its answer, if it is among the percentage that is sampled."""
        if random.random() * 100 >= self._percentage:
            return
        now = datetime.now(UTC)
        data = {}
        if "Input" in self._modes:
            data["endpointInput"] = self._side("INPUT", invocation.content_type, invocation.body)
        if "Output" in self._modes:
            data["endpointOutput"] = self._side("OUTPUT", reply.content_type, reply.body)
        event = {"eventId": str(uuid.uuid4()), **({"inferenceId": inference_id} if inference_id else {})}
        event["inferenceTime"] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
        document = {"captureData": data, "eventMetadata": event, "eventVersion": "0"}
        line = json.dumps(document, separators=(",", ":")).encode() + b"\n"
        try:
            self._records.put_nowait(_Record(variant=variant, time=now, line=line))
        except queue.Full:
            _complain("captured data comes faster than it can be written; some is left out")

    def close(self) -> None:
        """Write what is waiting; nothing is taken after that."""
        if self._writer.is_alive():
            self._records.put(None)
            self._writer.join()

    def _side(self, mode: str, content_type: str, body: bytes) -> dict[str, str]:
        data, encoding = base64.b64encode(body).decode(), "BASE64"
        known = content_type.partition(";")[0].strip().lower()
        for types, name in ((self._csv, "CSV"), (self._json, "JSON")):
            if known in types:
                try:
                    data, encoding = body.decode(), name
                except UnicodeDecodeError:
                    break
        return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}

    def _write(self) -> None:
        while record := self._records.get():
            try:
                self._append(record)
            except (OSError, UserError) as error:  # capture must not take the endpoint down
                _complain(f"captured data cannot be written: {error}")

    def _append(self, record: _Record) -> None:
        folder = self._destination.join(f"{record.variant}/{record.time:%Y/%m/%d/%H}/")
        uri, size = self._files.get(record.variant, (folder, 0))
        if not uri.key.startswith(folder.key) or size > _FILE_BYTES or not self._objects.exists(uri):
            name = f"{record.time:%M-%S}-{record.time.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
            uri, size = folder.join(name), 0
            self._objects.put_bytes(record.line, uri)
        else:
            with disk_errors(self._objects.root), self._objects.path(uri).open("ab", buffering=0) as file:
                os.write(file.fileno(), record.line)
        self._files[record.variant] = (uri, size + len(record.line))


def _modes(mode: str) -> tuple[str, ...]:
    return ("Input", "Output") if mode == "InputAndOutput" else (mode,)


def _complain(message: str) -> None:
    print(f"trainyard: {time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)

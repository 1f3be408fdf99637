"""Data capture: what an endpoint is asked and answers, as JSON lines in S3, for Model Monitor and whoever else reads.

Source: AWS SageMaker Developer Guide, "Capture data from real-time endpoint".
"""

from __future__ import annotations

import base64
import json
import queue
import random
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trainyard.errors import UserError
from trainyard.execution.container import Invocation, Reply
from trainyard.execution.s3 import ObjectStore, parse_uri

_GATHER_SECONDS = 2.0  # how long records are gathered for one object
_BATCH = 500  # as many records are written at once
_WAITING = 1000  # records that may wait for the disk; more are left out, requests do not wait for them


@dataclass(frozen=True, kw_only=True)
class _Record:
    variant: str
    time: datetime
    line: bytes


class Capture:
    """Writes what ``take`` is given to ``<DestinationS3Uri>/<endpoint>/<variant>/yyyy/mm/dd/hh/*.jsonl``, in UTC.

    ``config`` is a DataCaptureConfig. A thread of its own gathers records for a moment and writes them as an object
    that never changes, as SageMaker does: readers see whole lines and miss none. Raises StoreError for a
    destination that is no S3 URI.
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
        record = self._records.get()
        while record is not None:
            batch, deadline = [record], time.monotonic() + _GATHER_SECONDS
            with suppress(queue.Empty):
                while len(batch) < _BATCH and record is not None:
                    record = self._records.get(timeout=max(0.0, deadline - time.monotonic()))
                    batch += [record] if record is not None else []
            self._store(batch)
            record = record and self._records.get()

    def _store(self, batch: list[_Record]) -> None:
        by_hour: dict[str, list[_Record]] = {}
        for record in batch:
            by_hour.setdefault(f"{record.variant}/{record.time:%Y/%m/%d/%H}", []).append(record)
        for folder, records in by_hour.items():
            first = records[0].time
            name = f"{first:%M-%S}-{first.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
            try:
                lines = b"".join(record.line for record in records)
                self._objects.put_bytes(lines, self._destination.join(f"{folder}/{name}"))
            except (OSError, UserError) as error:  # capture must not take the endpoint down
                _complain(f"captured data cannot be written: {error}")


def _modes(mode: str) -> tuple[str, ...]:
    return ("Input", "Output") if mode == "InputAndOutput" else (mode,)


def _complain(message: str) -> None:
    print(f"trainyard: {time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)

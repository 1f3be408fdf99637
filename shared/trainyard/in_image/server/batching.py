"""Micro-batches: what is asked of one model within a moment is predicted in one call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class _Batch:
    data: list[Any] = field(default_factory=list)
    answers: list[Future[Any]] = field(default_factory=list)
    full: threading.Event = field(default_factory=threading.Event)


class Batches:
    """At most ``size`` inputs per call, and at most ``wait`` seconds from a batch's first input to its call.

    The thread that brings the first input waits and makes the call for all.
    """

    def __init__(self, predict_batch: Callable[[list[Any], Any], Any], size: int, wait: float) -> None:
        self._predict_batch = predict_batch
        self._size = size
        self._wait = wait
        self._lock = threading.Lock()
        self._open: dict[int, _Batch] = {}  # by the identity of the model, which its requests keep alive

    def predict(self, data: Any, model: Any) -> Any:
        """The prediction for one input. Raises BatchFailed when the call that it was part of failed."""
        answer = Future[Any]()
        with self._lock:
            batch = self._open.setdefault(id(model), _Batch())
            first = not batch.data
            batch.data.append(data)
            batch.answers.append(answer)
            if len(batch.data) >= self._size:
                del self._open[id(model)]
                batch.full.set()
        if first:
            batch.full.wait(self._wait)
            with self._lock:
                if self._open.get(id(model)) is batch:
                    del self._open[id(model)]
            self._call(batch, model)
        return answer.result()

    def _call(self, batch: _Batch, model: Any) -> None:
        try:
            predictions = self._predict_batch(batch.data, model)
            if not isinstance(predictions, Sequence) or len(predictions) != len(batch.data):
                raise TypeError(f"predict_batch_fn must return a list of {len(batch.data)} predictions")
        except BaseException as error:
            for answer in batch.answers:
                answer.set_exception(BatchFailed(error))
        else:
            for answer, prediction in zip(batch.answers, predictions, strict=True):
                answer.set_result(prediction)


class BatchFailed(Exception):
    """The cause is its first argument; one bad input fails all of its batch."""

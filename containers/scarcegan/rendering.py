"""Answers as JSON, CSV or npy."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
from answering import Answers

from trainyard.in_image.handler_errors import NotAcceptable
from trainyard.in_image.server.formats import CSV, JSON, NPY

_DIGITS = 9


def render(answers: Answers, accept: str) -> tuple[str | bytes, str]:
    """The body and its content type. Raises NotAcceptable."""
    kind = JSON if accept == "*/*" else accept
    if kind == JSON:
        return _as_json(answers), kind
    if kind == CSV:
        return _as_csv(answers), kind
    if kind == NPY:
        return _as_npy(answers), kind
    raise NotAcceptable(f"no answer as {accept!r}; possible: {', '.join((JSON, CSV, NPY))}")


def _as_json(answers: Answers) -> str:
    """A list of objects; null for what a history that is too short leaves open."""
    keys = ["score", "class", "flagged"]
    columns = [
        _plain(answers.score),
        [text or None for text in answers.decided.tolist()],
        answers.flagged.tolist(),
    ]
    if answers.users is not None:
        keys, columns = ["user", *keys], [answers.users, *columns]
    by_model = zip(*map(_plain, answers.scores.values()), strict=True)
    rows = (
        dict(zip(keys, row, strict=True), scores=dict(zip(answers.scores, scores, strict=True)))
        for row, scores in zip(zip(*columns, strict=True), by_model, strict=True)
    )
    return json.dumps(list(rows), allow_nan=False)


def _as_csv(answers: Answers) -> str:
    """With a header if the request had one: the parts of a file that is sent in parts are one file again."""
    columns = {
        **({"user": answers.users} if answers.users is not None else {}),
        "score": _plain(answers.score),
        "class": answers.decided.tolist(),
        "flagged": ["true" if flagged else "false" for flagged in answers.flagged.tolist()],
        **{name: _plain(scores) for name, scores in answers.scores.items()},
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if answers.named:
        writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def _as_npy(answers: Answers) -> bytes:
    """An array of named fields, readable without pickle."""
    columns = {
        **({"user": np.array(answers.users)} if answers.users is not None else {}),
        "score": answers.score,
        "class": answers.decided,
        "flagged": answers.flagged,
        **answers.scores,
    }
    array = np.empty(len(answers.score), [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        array[name] = column
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def _plain(values: np.ndarray[Any, Any]) -> list[float | None]:
    """None for NaN."""
    rounded = np.round(values.astype(np.float64), _DIGITS)
    found: list[float | None] = rounded.tolist()
    if np.isnan(rounded).any():
        return [None if value != value else value for value in found]
    return found

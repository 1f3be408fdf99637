"""Score rows of features, or users' telemetry, with one model or with all of a job, as SageMaker's toolkit calls it.

JSON, CSV and npy come in and go out; README.md shows them. TensorFlow is not needed.
"""

from __future__ import annotations

from pathlib import Path

import answering
import rendering
import request_tables
from answering import Answers, Served
from request_tables import Table


def model_fn(model_dir: str) -> Served:
    return answering.load(Path(model_dir))


def input_fn(body: str | bytes, content_type: str) -> Table:
    return request_tables.parse(body, content_type)


def predict_fn(table: Table, served: Served) -> Answers:
    return answering.answer(served, table)


def output_fn(answers: Answers, accept: str) -> tuple[str | bytes, str]:
    return rendering.render(answers, accept)

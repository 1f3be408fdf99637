"""The usual way to serve Prophet's own JSON behind multi-model-server; prophet_serving.py compares with it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

logging.disable(logging.CRITICAL)


def model_fn(model_dir: str) -> Any:
    from prophet.serialize import model_from_json

    return model_from_json((Path(model_dir) / "model.json").read_text())


def input_fn(body: str | bytes, content_type: str) -> int:
    return int(json.loads(body)["interval"])


def predict_fn(steps: int, model: Any) -> Any:
    return model.predict(model.make_future_dataframe(steps, include_history=False))


def output_fn(table: Any, accept: str) -> tuple[str, str]:
    columns = table[["ds", "yhat", "yhat_lower", "yhat_upper"]]
    return columns.to_json(orient="records", date_format="iso"), "application/json"

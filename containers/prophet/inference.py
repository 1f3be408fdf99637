"""Answer ``{"interval": 7}`` with the customer's next 7 steps, as SageMaker's inference toolkit calls it.

The body may also say ``interval_width`` (0.01 to 0.99, how sure), ``format`` (json or csv, over Accept) and
``intervals`` (exact, or sampled as Prophet does it).
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import engine
import forecast_request
from forecast_request import FORMATS, ForecastRequest

from trainyard.in_image.handler_errors import BadRequest, NotAcceptable, UnsupportedMediaType

Prediction = tuple[engine.Forecast, ForecastRequest]


def model_fn(model_dir: str) -> engine.Model:
    return engine.load((Path(model_dir) / "model.json").read_bytes())


def input_fn(body: str | bytes, content_type: str) -> ForecastRequest:
    if content_type != "application/json":
        raise UnsupportedMediaType(f"content type {content_type!r} cannot be read; send application/json")
    return forecast_request.parse(body)


def predict_fn(request: ForecastRequest, model: engine.Model) -> Prediction:
    try:
        ds = engine.future(model, request.interval)
    except OverflowError as error:
        raise BadRequest(f"interval is too large: {error}") from error
    return engine.predict(model, ds, request.interval_width, request.sampled), request


def output_fn(prediction: Prediction, accept: str) -> tuple[str, str]:
    """The answer and its content type: a list of {ds, yhat, yhat_lower, yhat_upper}, or the same as CSV."""
    forecast, request = prediction
    media_type = request.media_type or ("application/json" if accept == "*/*" else accept)
    if media_type not in FORMATS.values():
        raise NotAcceptable(f"no answer as {accept!r}; possible: {', '.join(FORMATS.values())}")
    columns = {
        "ds": [str(stamp) for stamp in forecast.ds.astype("datetime64[s]")],
        "yhat": forecast.yhat.tolist(),
        "yhat_lower": forecast.yhat_lower.tolist(),
        "yhat_upper": forecast.yhat_upper.tolist(),
    }
    rows = list(zip(*columns.values(), strict=True))
    if media_type == "application/json":
        return json.dumps([dict(zip(columns, row, strict=True)) for row in rows]), media_type
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue(), media_type

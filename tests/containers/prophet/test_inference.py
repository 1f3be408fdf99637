"""The handler with a real model: its answers, and the example's own request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainyard.in_image.archives import extract_archive


@pytest.fixture
def ask(snippet, tmp_path, trained):
    """Send requests [body, content type, accept] to customer_0's model; answers or [status, message]."""
    extract_archive(trained / "model/customer_0.tar.gz", tmp_path / "model")

    def ask(*requests):
        code = f"""
import json
import inference

model = inference.model_fn({str(tmp_path / "model")!r})
for body, content_type, accept in {requests!r}:
    try:
        prediction = inference.predict_fn(inference.input_fn(body, content_type), model)
        print(json.dumps(inference.output_fn(prediction, accept)))
    except Exception as error:
        print(json.dumps([error.status_code, str(error)]))
"""
        return [json.loads(line) for line in snippet(code, tmp_path).stdout.splitlines()]

    return ask


def test_answers(ask):
    kind = "application/json"
    week, again, csv, accepted, any_type = ask(
        ['{"interval": 7}', kind, kind],
        ['{"interval": 7}', kind, kind],
        ['{"interval": 2, "format": "csv"}', kind, kind],
        ['{"interval": 2, "interval_width": 0.5}', kind, "text/csv"],
        ['{"interval": 1}', kind, "*/*"],
    )
    assert week == again
    rows = json.loads(week[0])
    assert week[1] == kind
    assert [row["ds"] for row in rows] == [f"2026-01-{day}T00:00:00" for day in range(23, 30)]
    assert all(row["yhat_lower"] < row["yhat"] < row["yhat_upper"] for row in rows)
    assert csv[1] == accepted[1] == "text/csv"
    lines = csv[0].splitlines()
    assert lines[0] == "ds,yhat,yhat_lower,yhat_upper" and len(lines) == 3
    narrow = [float(value) for value in accepted[0].splitlines()[1].split(",")[1:]]
    assert narrow[0] == pytest.approx(rows[0]["yhat"])
    assert narrow[2] - narrow[1] < rows[0]["yhat_upper"] - rows[0]["yhat_lower"]
    assert any_type[1] == kind and len(json.loads(any_type[0])) == 1


def test_sampled_intervals_on_request(ask):
    kind = "application/json"
    exact, said, sampled, again = ask(
        ['{"interval": 7}', kind, kind],
        ['{"interval": 7, "intervals": "exact"}', kind, kind],
        ['{"interval": 7, "intervals": "sampled"}', kind, kind],
        ['{"interval": 7, "intervals": "sampled"}', kind, kind],
    )
    assert exact == said != sampled == again
    for one, other in zip(json.loads(exact[0]), json.loads(sampled[0]), strict=True):
        assert one["yhat"] == other["yhat"]
        width = one["yhat_upper"] - one["yhat_lower"]
        assert other["yhat_upper"] - other["yhat_lower"] == pytest.approx(width, rel=0.15)


def test_the_server_needs_neither_prophet_nor_pandas(snippet, tmp_path, trained):
    extract_archive(trained / "model/customer_0.tar.gz", tmp_path / "model")
    ran = snippet(
        f"""
import sys

for name in ("prophet", "pandas", "cmdstanpy", "scipy", "holidays", "pyarrow", "matplotlib"):
    sys.modules[name] = None
import inference

model = inference.model_fn({str(tmp_path / "model")!r})
for body in ('{{"interval": 7}}', '{{"interval": 7, "intervals": "sampled"}}'):
    request = inference.input_fn(body, "application/json")
    print(inference.output_fn(inference.predict_fn(request, model), "application/json")[0])
""",
        tmp_path,
    )
    assert [len(json.loads(line)) for line in ran.stdout.splitlines()] == [7, 7]


def test_refusals(ask):
    kind = "application/json"
    text, image, body = ask(
        ['{"interval": 7}', "text/csv", kind], ['{"interval": 7}', kind, "image/png"], ["{", kind, kind]
    )
    assert text == [415, "content type 'text/csv' cannot be read; send application/json"]
    assert image == [406, "no answer as 'image/png'; possible: application/json, text/csv"]
    assert body[0] == 400


def test_the_example(ask, module):
    example = Path(module("inference").__file__).parent / "example"
    bad = json.loads((example / "bad_requests.json").read_text())
    requests = [
        [entry["body"], entry["content_type"], "application/json"]
        for entry in bad
        if "target_model" not in entry
    ]
    answers = ask([(example / "request.json").read_text(), "application/json", "application/json"], *requests)
    assert [answer[0] for answer in answers[1:]] == [
        entry["status"] for entry in bad if "target_model" not in entry
    ]
    expected = json.loads((example / "answer.json").read_text())
    for found, wanted in zip(json.loads(answers[0][0]), expected, strict=True):
        assert found.pop("ds") == wanted.pop("ds")
        assert found == pytest.approx(wanted, rel=1e-2)

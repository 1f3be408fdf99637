"""Ask a serving container as the platform does, and compare what it answers with what the family says it should."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trainyard.execution.container import Container, Invocation, Reply, message_of, send
from trainyard.execution.model_data import identifier
from trainyard.families import Family
from trainyard.in_image.opt_ml import OptMl

TOLERANCE = 0.05
"""How far a number of the answer may be from the example's: processors differ, and so do fits on them."""


@dataclass(frozen=True)
class Client:
    """Speaks to one container about one family's model, or with many models about the example's."""

    family: Family
    container: Container

    @property
    def many(self) -> bool:
        return self.family.serving.multi_model

    @cached_property
    def example(self) -> bytes:
        return (self.family.folder / self.family.example.request).read_bytes()

    @cached_property
    def bad_requests(self) -> list[dict[str, Any]]:
        cases: list[dict[str, Any]] = json.loads(
            (self.family.folder / self.family.example.bad_requests).read_text(encoding="utf-8")
        )
        return cases

    @property
    def model(self) -> str:
        return self.family.example.target_model or ""

    def invoke(self, body: bytes, content_type: str = "", model: str = "") -> Reply:
        path = f"/models/{identifier(model or self.model)}/invoke" if self.many else "/invocations"
        invocation = Invocation(body=body, content_type=content_type or self.family.serving.content_types[0])
        return self.ask("POST", path, invocation)

    def load(self, model: str, alias: str = "") -> Reply:
        """Ask for a model that lies unpacked below /opt/ml/models, by the name that the platform gives it."""
        url = (OptMl().models / identifier(model) / "model").as_posix()
        body = {"model_name": alias or identifier(model), "url": url}
        return self.ask(
            "POST", "/models", Invocation(body=json.dumps(body).encode(), content_type="application/json")
        )

    def ask(self, method: str, path: str, invocation: Invocation | None = None) -> Reply:
        """Raises ModelError where there is no answer."""
        return send(self.container, method, path, invocation)

    def expected(self) -> bytes:
        return (self.family.folder / self.family.example.answer).read_bytes()


def difference(answer: bytes, expected: bytes) -> str:
    """Where an answer is not as expected, or nothing; numbers may differ by the tolerance."""
    try:
        wanted = json.loads(expected)
    except ValueError:
        return "" if answer == expected else f"{answer[:100]!r} instead of {expected[:100]!r}"
    try:
        return _difference(json.loads(answer), wanted, "the answer")
    except ValueError:
        return f"it is not JSON: {answer[:100]!r}"


def _difference(answer: Any, expected: Any, where: str) -> str:
    if isinstance(expected, Mapping):
        if not isinstance(answer, Mapping) or answer.keys() != expected.keys():
            keys = sorted(answer) if isinstance(answer, Mapping) else answer
            return f"{where} has {keys!r:.200} instead of {sorted(expected)}"
        found = (_difference(answer[key], expected[key], f"{where}.{key}") for key in expected)
    elif isinstance(expected, list):
        if not isinstance(answer, list) or len(answer) != len(expected):
            return f"{where} is {answer!r:.200} instead of a list of {len(expected)}"
        pairs = enumerate(zip(answer, expected, strict=True))
        found = (_difference(one, other, f"{where}[{number}]") for number, (one, other) in pairs)
    elif isinstance(expected, float) and isinstance(answer, int | float):
        close = math.isclose(answer, expected, rel_tol=TOLERANCE, abs_tol=1e-6)
        return "" if close else f"{where} is {answer} instead of {expected}"
    else:
        return "" if answer == expected else f"{where} is {answer!r:.200} instead of {expected!r:.200}"
    return next((each for each in found if each), "")


def refusal_fault(reply: Reply, statuses: tuple[int, ...]) -> str:
    """Why an answer is no proper refusal, or nothing: its status, and JSON with a message."""
    if reply.status not in statuses:
        said = message_of(reply)[:200] or "nothing"
        return f"status {reply.status} instead of {' or '.join(map(str, statuses))}, saying {said!r}"
    try:
        content = json.loads(reply.body)
        message = content["message"] if isinstance(content, dict) else ""
    except (ValueError, KeyError):
        message = ""
    if not message or not isinstance(message, str):
        return f'status {reply.status}, but its body is not JSON of the form {{"message": "..."}}: {reply.body[:100]!r}'
    return "it shows a traceback" if "Traceback" in message else ""

"""Callback tokens: questions that steps ask of the world, and its answers, from this process or any other."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Mapping
from typing import Any

from trainyard.errors import Conflict, NotFound, ParameterError
from trainyard.execution.resources import Document
from trainyard.execution.step_outputs import typed
from trainyard.execution.store import Store

KIND = "callback"
WAITING = "Executing"
_TOKEN_LENGTH = 10  # AWS: SendPipelineExecutionStepSuccess, CallbackToken


def ask(
    store: Store, *, execution: str, execution_arn: str, step: str, declared: list[dict[str, Any]]
) -> str:
    """A new token, which waits for ``succeed`` or ``fail``; ``declared`` are the step's OutputParameters."""
    token = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(_TOKEN_LENGTH))
    document = {
        "CallbackToken": token,
        "Status": WAITING,
        "PipelineExecutionArn": execution_arn,
        "Execution": execution,
        "StepName": step,
        "Declared": declared,
        "CreationTime": time.time(),
    }
    store.resources.add(KIND, token, document)
    return token


def succeed(store: Store, token: str, output_parameters: Mapping[str, Any]) -> Document:
    """Answer for the step of a token; the answer has its PipelineExecutionArn.

    Raises NotFound, Conflict where nobody waits any more, or ParameterError for outputs that the step did not
    declare so; it goes on waiting then. The same answer again is no error.
    """

    def answer(document: Document) -> Document:
        values = typed(document["Declared"], output_parameters, f"callback step {document['StepName']!r}")
        unknown = sorted(set(output_parameters) - set(values))
        if unknown:
            names = ", ".join(values) or "none"
            raise ParameterError(
                f"callback step {document['StepName']!r} has no output {unknown[0]!r}; there are: {names}"
            )
        return _answered(document, Status="Succeeded", OutputParameters=values)

    return _change(store, token, answer)


def fail(store: Store, token: str, reason: str = "") -> Document:
    """Answer that the step of a token has failed; raises and answers as ``succeed`` does."""
    return _change(
        store, token, lambda document: _answered(document, Status="Failed", FailureReason=reason[:1024])
    )


def find(store: Store, token: str) -> Document:
    """Raises NotFound."""
    document = store.resources.find(KIND, token)
    if document is None:
        raise NotFound(f"no callback token {token!r}; `trainyard callback` lists those that wait")
    return document


def waiting(store: Store) -> list[Document]:
    """The tokens that a living execution waits for."""
    asked = [document for document in store.resources.all(KIND) if document["Status"] == WAITING]
    return [document for document in asked if _lives(store, document)]


def give_up(store: Store, token: str) -> None:
    """Nobody waits for this token any more; an answer that came first stays."""

    def abandon(document: Document) -> Document:
        return {**document, "Status": "Stopped"} if document["Status"] == WAITING else document

    store.resources.change(KIND, token, abandon)


def _change(store: Store, token: str, change: Any) -> Document:
    document = find(store, token)
    if document["Status"] == WAITING and not _lives(store, document):
        give_up(store, token)
    return store.resources.change(KIND, token, change)


def _answered(document: Document, **answer: Any) -> Document:
    status = document["Status"]
    if status != WAITING:
        if answer.items() <= document.items():
            return document
        what = "nobody waits for it any more" if status == "Stopped" else f"it was answered: {status}"
        raise Conflict(f"the callback token {document['CallbackToken']!r}: {what}")
    return {**document, **answer}


def _lives(store: Store, document: Document) -> bool:
    return store.execution(document["Execution"])["status"] in ("Executing", "Stopping")

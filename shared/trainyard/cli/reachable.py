"""An AWS endpoint for the functions that a run calls, for as long as the run lasts, where the store has none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from trainyard.cli.local import Local


@contextmanager
def reachable(here: Local, definition: Mapping[str, Any]) -> Iterator[None]:
    """While this lasts, Lambda steps that ``here.executor`` runs reach an endpoint: the store's, or a private one.

    A definition without Lambda steps, in branches too, needs none. Raises DefinitionError, and SetupError without
    rclone.
    """
    if here.executor.endpoint_url or not _calls_functions(definition):
        yield
        return
    from trainyard.local_aws import endpoint

    with endpoint.private(here.store, here.machine) as url:
        here.executor.endpoint_url = url
        try:
            yield
        finally:
            here.executor.endpoint_url = ""


def _calls_functions(definition: Mapping[str, Any]) -> bool:
    from trainyard.definition import document

    return any(step.type == "Lambda" for step in document.parse(dict(definition)).all_steps())

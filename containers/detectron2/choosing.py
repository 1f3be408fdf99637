"""Which classes a model learns: all that are annotated, some of them, or several as one."""

from __future__ import annotations

import json
from collections.abc import Sequence

from findings import Refused
from labels import short


def parse(text: str) -> dict[str, list[str]]:
    """``truck,car=sedan+taxi``: the classes in their order, and which of the data's each is; empty: all.

    The same as JSON, for names with commas and the like: {"truck": ["truck"], "car": ["sedan", "taxi"]}.
    Raises Refused.
    """
    if text.strip().startswith("{"):
        try:
            chosen = json.loads(text)
        except ValueError as error:
            raise Refused(f"--classes {short(text)} is no JSON: {error}") from error
    else:
        items = [item.partition("=") for item in text.split(",") if item.strip()]
        chosen = {
            name.strip(): [old.strip() for old in (merged if equal else name).split("+")]
            for name, equal, merged in items
        }
        if len(chosen) < len(items):
            raise Refused(f"--classes {short(text)} has a class twice; write NAME=A+B to merge A and B")
    for name, olds in chosen.items():
        fine = isinstance(olds, list) and olds and all(isinstance(old, str) and old for old in olds)
        if not name or not fine:
            raise Refused(
                f"--classes {short(text)}: {name!r} is {short(olds)}; write names with commas, and NAME=A+B to merge"
            )
    return chosen


def new_names(text: str, known: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """(the model's classes, the new name of each of the data's classes that is kept). Raises Refused."""
    if not text.strip():
        return tuple(known), {name: name for name in known}
    chosen = parse(text)
    named: dict[str, str] = {}
    for new, olds in chosen.items():
        for old in olds:
            if old not in known:
                raise Refused(
                    f"--classes: there is no class {old!r} in the data; there are: {', '.join(known)}"
                )
            if old in named:
                raise Refused(f"--classes: {old!r} is in {named[old]!r} and in {new!r}; it can be in one")
            named[old] = new
    return tuple(chosen), named

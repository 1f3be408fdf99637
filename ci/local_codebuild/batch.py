"""The batch section of a buildspec: which builds it asks for, and in which order they can run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from ci.local_codebuild.document import (
    IDENTIFIED,
    STRING,
    literal,
    string_or_list,
    switch,
    variables,
)
from trainyard.errors import UsageError
from trainyard.readers import Key, Problems, Reader, closest, list_of, table

KINDS = ("build-list", "build-matrix", "build-graph", "build-fanout")
MOST = 100  # builds in a batch: the quota "Builds per batch"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One build of a batch: the phases of its buildspec with its own variables."""

    identifier: str
    variables: Mapping[str, str]
    buildspec: str | None = None
    ignore_failure: bool = False
    depends_on: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Batch:
    """``tasks`` are in an order in which each comes after what it depends on."""

    kind: str
    fast_fail: bool
    tasks: tuple[Task, ...]


def reader(value: Any, where: str, problems: Problems) -> Batch | None:
    """Read ``batch``; None where that gave problems."""
    before = len(problems)
    read = _BATCH(value, where, problems)
    kinds = [kind for kind in KINDS if kind in value] if isinstance(value, dict) else []
    if isinstance(value, dict) and len(kinds) != 1:
        problems.append(f"{where}: has {' and '.join(kinds) or 'no builds'}; give one of: {', '.join(KINDS)}")
    if len(problems) > before:
        return None
    (kind,) = kinds
    place = f"{where}.{kind}"
    match kind:
        case "build-matrix":
            tasks = _matrix(read[kind])
        case "build-fanout":
            tasks = []
        case _:
            tasks = [_task(task, f"build{number}") for number, task in enumerate(read[kind], 1)]
    if len(tasks) > MOST:
        problems.append(f"{place}: {len(tasks)} builds; a batch has at most {MOST}")
    return Batch(kind=kind, fast_fail=read["fast-fail"], tasks=_ordered(tasks, place, problems))


def select(batch: Batch, only: Sequence[str]) -> list[Task]:
    """The tasks with these identifiers, all where none is given.

    Raises UsageError for an identifier that the batch has not, and for build-fanout.
    """
    if batch.kind == "build-fanout":
        raise UsageError("build-fanout cannot run here: which tests a build gets is known to CodeBuild only")
    names = [task.identifier for task in batch.tasks]
    for name in only:
        if name not in names:
            raise UsageError(
                f"--only {name}: no such build in the batch{closest(name, names)}; there are: {', '.join(names)}"
            )
    return [task for task in batch.tasks if not only or task.identifier in only]


def _task(read: Mapping[str, Any], default: str) -> Task:
    env = read["env"] or {}
    return Task(
        identifier=read["identifier"] or default,
        variables=env.get("variables") or {},
        buildspec=read["buildspec"],
        ignore_failure=read["ignore-failure"],
        depends_on=tuple(read.get("depend-on") or ()),
        ignored=_ignored(env),
    )


def _matrix(read: Mapping[str, Any]) -> list[Task]:
    """A build for each combination, the last key changing fastest."""
    static, dynamic = read["static"] or {}, read["dynamic"]
    same, varied = static.get("env") or {}, dynamic["env"] or {}
    axes = [[("buildspec", each) for each in dynamic["buildspec"] or ()]]
    axes += [
        [(key, each) for each in varied.get(key) or ()] for key in ("compute-type", "fleet", "image", "type")
    ]
    axes += [
        [(f"${name}", each) for each in values] for name, values in (varied.get("variables") or {}).items()
    ]
    tasks = []
    for number, combination in enumerate(itertools.product(*filter(None, axes)), 1):
        chosen = dict(combination)
        own = {key[1:]: value for key, value in chosen.items() if key.startswith("$")}
        env = {**same, **{key: value for key, value in chosen.items() if not key.startswith("$")}}
        tasks.append(
            Task(
                identifier=f"build{number}",
                variables={**(same.get("variables") or {}), **own},
                buildspec=chosen.get("buildspec"),
                ignore_failure=bool(static.get("ignore-failure")),
                ignored=_ignored(env),
            )
        )
    return tasks


def _ignored(env: Mapping[str, Any]) -> tuple[str, ...]:
    used = ("variables", "buildspec")
    return tuple(f"{key} {env[key]}" for key in env if key not in used and env[key] is not None)


def _ordered(tasks: list[Task], place: str, problems: Problems) -> tuple[Task, ...]:
    by_name: dict[str, Task] = {}
    for i, task in enumerate(tasks):
        if task.identifier in by_name:
            problems.append(f"{place}[{i}].identifier = {task.identifier}: is there twice")
        by_name[task.identifier] = task
    names = list(by_name)
    for i, task in enumerate(tasks):
        for name in task.depends_on:
            if name not in by_name:
                near = closest(name, names)
                problems.append(
                    f"{place}[{i}].depend-on: no build {name}{near}; there are: {', '.join(names)}"
                )
    try:
        order = list(TopologicalSorter({name: by_name[name].depends_on for name in names}).static_order())
    except CycleError as error:
        problems.append(f"{place}: a cycle: {' needs '.join(reversed(error.args[1]))}")
        return ()
    return tuple(by_name[name] for name in order if name in by_name)


def _environment(values: Reader, one_or_more: Reader) -> Reader:
    keys = dict.fromkeys(("compute-type", "fleet", "image", "type"), Key(one_or_more, required=False))
    own = {"variables": Key(variables(values), required=False)}
    return table({**keys, "privileged-mode": Key(switch, required=False), **own})


def _values(value: Any, where: str, problems: Problems) -> Any:
    return list_of(literal, at_least=1)([value] if isinstance(value, str) else value, where, problems)


_ENV = Key(_environment(literal, STRING), required=False)
_COMMON = {
    "buildspec": Key(STRING, required=False),
    "debug-session": Key(switch, required=False),
    "env": _ENV,
    "ignore-failure": Key(switch, required=False, default=False),
}
_LISTED = {"identifier": Key(IDENTIFIED, required=False), **_COMMON}
_GRAPHED = {
    "identifier": Key(IDENTIFIED),
    "depend-on": Key(list_of(IDENTIFIED), required=False),
    **_COMMON,
}
_MATRIX = {
    "static": Key(table({"ignore-failure": _COMMON["ignore-failure"], "env": _ENV}), required=False),
    "dynamic": Key(
        table(
            {
                "buildspec": Key(string_or_list, required=False),
                "env": Key(_environment(_values, string_or_list), required=False),
            }
        )
    ),
}
_FANOUT = {
    "parallelism": Key(lambda value, where, problems: value),
    "ignore-failure": _COMMON["ignore-failure"],
}
_BATCH = table(
    {
        "fast-fail": Key(switch, required=False, default=False),
        "build-list": Key(list_of(table(_LISTED), at_least=1), required=False),
        "build-graph": Key(list_of(table(_GRAPHED), at_least=1), required=False),
        "build-matrix": Key(table(_MATRIX), required=False),
        "build-fanout": Key(table(_FANOUT), required=False),
    }
)

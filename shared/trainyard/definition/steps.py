"""One step of a definition as a value, and how it is read from JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainyard.definition import conditions, functions, policies
from trainyard.definition.kinds import CACHE, COMMON_KEYS, FILES, NESTED, READ_KEYS, RETRY, STEP_TYPES, Branch
from trainyard.definition.problems import LIST, OBJECT, STRING, Problems, Where, possible, shown

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
TRIGGERS = ("Completed", "Failed", "Stopped", "Any")


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """One entry of DependsOn: the step, and how it must have ended."""

    step: str
    trigger: str = "Completed"


@dataclass(frozen=True, kw_only=True)
class PropertyFile:
    """A JSON file that a processing step leaves at ``file_path`` below its output ``output_name``."""

    name: str
    output_name: str
    file_path: str


@dataclass(frozen=True)
class Parent:
    """Where a nested step lies: a branch of a Condition step, or the body of a ForEach step."""

    step: str
    branch: Branch


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step as the definition has it; ``arguments`` and ``own`` still hold expressions."""

    name: str
    type: str
    arguments: Mapping[str, Any]
    own: Mapping[str, Any]  # the keys that only this type has, such as a Lambda step's FunctionArn
    display_name: str | None = None
    description: str | None = None
    depends_on: tuple[Dependency, ...] = ()
    cache: policies.CacheConfig | None = None
    retry_policies: tuple[policies.RetryPolicy, ...] = ()
    property_files: tuple[PropertyFile, ...] = ()
    conditions: tuple[conditions.Condition, ...] = ()
    if_steps: tuple[Step, ...] = ()
    else_steps: tuple[Step, ...] = ()
    body_steps: tuple[Step, ...] = ()
    parent: Parent | None = None
    # every Get of the step itself, not of the steps nested in it, with its place
    references: tuple[tuple[Where, functions.Get], ...] = field(default=(), repr=False)

    @property
    def nested(self) -> tuple[Step, ...]:
        return (*self.if_steps, *self.else_steps, *self.body_steps)

    @property
    def where(self) -> Where:
        return Where(f"step {self.name!r}")

    def walk(self) -> Iterator[Step]:
        """This step and all steps nested in it, in the order of the document."""
        yield self
        for step in self.nested:
            yield from step.walk()


def read_steps(raw: Any, where: Where, problems: Problems, parent: Parent | None = None) -> tuple[Step, ...]:
    """A list of steps; those without a usable name or type are left out and in ``problems``."""
    if raw is None or not problems.is_a(raw, (LIST,), where):
        return ()
    steps = (_read_step(item, where.at(index), problems, parent) for index, item in enumerate(raw))
    return tuple(step for step in steps if step is not None)


def _read_step(raw: Any, where: Where, problems: Problems, parent: Parent | None) -> Step | None:
    if not problems.is_a(raw, (OBJECT,), where):
        return None
    name = problems.field(raw, "Name", STRING, where, required=True)
    if name is None:
        return None
    if not NAME.fullmatch(name):
        problems.add(where.at("Name"), f"{shown(name)} is no step name; 1 to 64 letters, digits, '-' and '_'")
    where = Where(f"step {name!r}")
    type_ = _read_type(raw, where, problems)
    arguments = problems.field(raw, "Arguments", OBJECT, where, required=True) or {}
    own = {key: raw[key] for key in STEP_TYPES.get(type_, ()) if key in raw and key not in READ_KEYS}
    nested = {
        branch: read_steps(arguments.get(key), where.at("Arguments", key), problems, Parent(name, branch))
        for key, branch in NESTED.get(type_, {}).items()
    }
    return Step(
        name=name,
        type=type_,
        arguments=arguments,
        own=own,
        display_name=problems.field(raw, "DisplayName", STRING, where),
        description=problems.field(raw, "Description", STRING, where),
        depends_on=_read_depends_on(raw.get("DependsOn"), where.at("DependsOn"), problems),
        cache=policies.read_cache_config(raw.get(CACHE), where.at(CACHE), problems),
        retry_policies=policies.read_retry_policies(raw.get(RETRY), where.at(RETRY), problems),
        property_files=_read_property_files(raw.get(FILES), where.at(FILES), problems),
        conditions=_read_conditions(type_, arguments, where.at("Arguments"), problems),
        if_steps=nested.get("if", ()),
        else_steps=nested.get("else", ()),
        body_steps=nested.get("body", ()),
        parent=parent,
        references=tuple(_references(type_, arguments, own, where, problems)),
    )


def _read_type(raw: Mapping[str, Any], where: Where, problems: Problems) -> str:
    """The type, whose keys are checked with it; any text if it is unknown, so that reading goes on."""
    type_ = str(problems.field(raw, "Type", STRING, where, required=True))
    if type_ in STEP_TYPES:
        _check_keys(raw, type_, where, problems)
    elif raw.get("Type") == type_:
        problems.add(where.at("Type"), f"unknown step type {type_!r}; {possible(type_, STEP_TYPES)}")
    return type_


def _check_keys(raw: Mapping[str, Any], type_: str, where: Where, problems: Problems) -> None:
    known = (*COMMON_KEYS, *STEP_TYPES[type_])
    for key in [key for key in raw if key not in known]:
        owners = ", ".join(sorted(other for other, keys in STEP_TYPES.items() if key in keys))
        if owners:
            problems.add(where.at(key), f"not possible on a step of type {type_}; possible on: {owners}")
        else:
            problems.refuse_unknown_keys({key: raw[key]}, known, where)


def _read_conditions(
    type_: str, arguments: Mapping[str, Any], where: Where, problems: Problems
) -> tuple[conditions.Condition, ...]:
    if type_ != "Condition":
        return ()
    problems.refuse_unknown_keys(arguments, ("Conditions", "IfSteps", "ElseSteps"), where)
    raw = problems.field(arguments, "Conditions", LIST, where, required=True)
    return () if raw is None else conditions.read_all(raw, where.at("Conditions"), problems)


def _read_depends_on(raw: Any, where: Where, problems: Problems) -> tuple[Dependency, ...]:
    if raw is None or not problems.is_a(raw, (LIST,), where):
        return ()
    found = []
    for index, item in enumerate(raw):
        place = where.at(index)
        if isinstance(item, str):
            found.append(Dependency(step=item))
        elif problems.is_a(item, (STRING, OBJECT), place):
            problems.refuse_unknown_keys(item, ("Step", "Trigger"), place)
            step = problems.field(item, "Step", STRING, place, required=True)
            trigger = problems.field(item, "Trigger", STRING, place, required=True)
            if trigger is not None and trigger not in TRIGGERS:
                problems.add(
                    place.at("Trigger"), f"unknown trigger {trigger!r}; {possible(trigger, TRIGGERS)}"
                )
            elif step is not None and trigger is not None:
                found.append(Dependency(step=step, trigger=trigger))
    return tuple(found)


def _read_property_files(raw: Any, where: Where, problems: Problems) -> tuple[PropertyFile, ...]:
    if raw is None or not problems.is_a(raw, (LIST,), where):
        return ()
    found: dict[str, PropertyFile] = {}
    keys = ("PropertyFileName", "OutputName", "FilePath")
    for index, item in enumerate(raw):
        place = where.at(index)
        if not problems.is_a(item, (OBJECT,), place):
            continue
        problems.refuse_unknown_keys(item, keys, place)
        name, output, path = (problems.field(item, key, STRING, place, required=True) for key in keys)
        if name in found:
            problems.add(place, f"a second property file {name!r}")
        if path is not None and ".." in path.split("/"):
            problems.add(place.at("FilePath"), f"{path!r} leads out of the output; give a path below it")
        if name is not None and output is not None and path is not None:
            found[name] = PropertyFile(name=name, output_name=output, file_path=path)
    return tuple(found.values())


def _references(
    type_: str, arguments: Mapping[str, Any], own: Mapping[str, Any], where: Where, problems: Problems
) -> Iterator[tuple[Where, functions.Get]]:
    place, nested = where.at("Arguments"), NESTED.get(type_, {})
    if not nested:
        yield from functions.scan(arguments, place, problems)
    for key in arguments if nested else ():
        if key not in nested:
            yield from functions.scan(arguments[key], place.at(key), problems)
    for key, value in own.items():
        yield from functions.scan(value, where.at(key), problems)

"""What the Arguments of a ForEach step must be. Source: for_each_step.py of the SageMaker Python SDK v3."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trainyard.definition import functions
from trainyard.definition.functions import Get
from trainyard.definition.problems import (
    INTEGER,
    LIST,
    OBJECT,
    STRING,
    Problems,
    Where,
    kind_of,
    possible,
    shown,
)
from trainyard.errors import DefinitionError

if TYPE_CHECKING:
    from trainyard.definition.document import Document
    from trainyard.definition.steps import Step

MOST_ITEMS = 100
MOST_CONCURRENT = 50
PICKS = ("MaxBy", "MinBy")
NOT_IN_A_BODY = ("Condition", "Fail", "ForEach")
KEYS = ("IterableItems", "MaxConcurrency", "Selector", "ForEachBody")
_NUMBERED = re.compile(r"(.+)-[0-9]+")


def check(document: Document, step: Step, problems: Problems) -> None:
    """Add to ``problems`` what is wrong with a ForEach step."""
    where, arguments = step.where.at("Arguments"), step.arguments
    problems.refuse_unknown_keys(arguments, KEYS, where)
    _check_items(arguments.get("IterableItems"), where.at("IterableItems"), problems)
    most = problems.field(arguments, "MaxConcurrency", INTEGER, where, required=True)
    if most is not None and not 1 <= most <= MOST_CONCURRENT:
        problems.add(where.at("MaxConcurrency"), f"{most} is out of range; possible: 1 to {MOST_CONCURRENT}")
    if not step.body_steps:
        problems.add(where.at("ForEachBody"), "missing or empty; it must hold at least one step")
    for each in step.body_steps:
        if each.type in NOT_IN_A_BODY:
            problems.add(each.where, f"a {each.type} step cannot be in the body of ForEach {step.name!r}")
    _check_selector(step, where.at("Selector"), problems)
    names = {each.name for each in step.body_steps}
    for name in document.by_name:
        match = _NUMBERED.fullmatch(name)
        if match and match[1] in names:
            problems.add(
                document.by_name[name].where,
                f"steps of ForEach {step.name!r} are recorded as {match[1]}-0, {match[1]}-1, ...: choose another name",
            )


def selector_field(selector: Mapping[str, Any]) -> Get:
    """The reference that a checked Selector compares the iterations by."""
    field = functions.read(selector["Field"])
    assert isinstance(field, Get)
    return field


def _check_items(items: Any, where: Where, problems: Problems) -> None:
    if isinstance(items, dict):
        try:
            if functions.read(items) is not None:
                return
        except DefinitionError:
            return  # reading the references says so
    if not problems.is_a(items, (LIST,), where):
        return
    if not 1 <= len(items) <= MOST_ITEMS:
        problems.add(where, f"{len(items)} items; possible: 1 to {MOST_ITEMS}, or a reference to a list")
    for index, item in enumerate(items):
        if item is None or (kind_of(item) in (LIST, OBJECT) and not _is_function(item)):
            problems.add(where.at(index), f"{shown(item)} is neither text, a number nor a reference")


def _is_function(item: Any) -> bool:
    try:
        return functions.read(item) is not None
    except DefinitionError:
        return True


def _check_selector(step: Step, where: Where, problems: Problems) -> None:
    selector = problems.field(step.arguments, "Selector", OBJECT, step.where.at("Arguments"))
    if selector is None:
        return
    problems.refuse_unknown_keys(selector, ("Pick", "Field"), where)
    pick = problems.field(selector, "Pick", STRING, where, required=True)
    if pick is not None and pick not in PICKS:
        problems.add(where.at("Pick"), f"unknown pick {pick!r}; {possible(pick, PICKS)}")
    try:
        field = functions.read(selector.get("Field"))
    except DefinitionError:
        return
    names = [each.name for each in step.body_steps]
    if not isinstance(field, Get) or field.namespace != "IterationOutput" or field.name not in names:
        wanted = '{"Get": "IterationOutput.<step>.<property>"} of a step of the body: '
        problems.add(where.at("Field"), f"{shown(selector.get('Field'))} is not {wanted}{', '.join(names)}")

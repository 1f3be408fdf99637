"""Whether steps can run on one machine: refused by name before anything starts, never dropped silently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from trainyard.definition import functions
from trainyard.definition.kinds import REFUSED
from trainyard.definition.problems import LIST, OBJECT, Problems, Where, possible, shown
from trainyard.errors import Unsupported

if TYPE_CHECKING:
    from trainyard.definition.document import Document


@dataclass(frozen=True, kw_only=True)
class FieldRules:
    """What a step kind does with the fields of its Arguments; a field that no rule lists is refused.

    Fields are dotted paths of keys, without the positions in lists: ``ProcessingInputs.S3Input.S3Uri``.
    A path stands for all that lies below it, so a map with free keys such as ``Environment`` is one entry.
    To judge what lies below, list those paths and not the path itself.
    """

    honoured: frozenset[str]
    # accepted, though one machine has no use for it: RoleArn, VpcConfig, an instance type
    without_effect: frozenset[str] = frozenset()
    # honoured fields of which only some values are: {"ProcessingInputs.S3Input.S3InputMode": ("File",)}
    values: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @cached_property
    def below(self) -> Mapping[str, frozenset[str]]:
        """For each path above a listed one (``""`` for Arguments itself), the keys possible right below."""
        found: dict[str, set[str]] = {"": set()}
        for path in self.honoured | self.without_effect:
            parent = ""
            for key in path.split("."):
                found.setdefault(parent, set()).add(key)
                parent = _join(parent, key)
        return {parent: frozenset(keys) for parent, keys in found.items()}


def check_runnable(document: Document, supported: Mapping[str, FieldRules]) -> dict[str, tuple[str, ...]]:
    """Refuse each step whose type is not in ``supported``, and each field that the type's rules do not list.

    Returns the fields accepted without effect, for the steps that have some. Raises one Unsupported that
    names every refused step and field. What an expression stands for is not known here: give the resolved
    arguments to ``check_arguments``.
    """
    problems = Problems()
    ignored: dict[str, tuple[str, ...]] = {}
    for step in document.all_steps():
        if step.type not in supported:
            types = ", ".join(sorted(supported)) or "none"
            reason = f": {REFUSED[step.type]}" if step.type in REFUSED else ""
            problems.add(step.where, f"a step of type {step.type} cannot run here{reason}; possible: {types}")
            continue
        found = _judge(step.arguments, supported[step.type], "", step.where.at("Arguments"), problems)
        fields = tuple(dict.fromkeys(found))
        if fields:
            ignored[step.name] = fields
    problems.raise_if_any("this definition cannot run here", Unsupported)
    return ignored


def check_arguments(step: str, arguments: Mapping[str, Any], rules: FieldRules) -> None:
    """The same judgement of the resolved arguments of one step. Raises Unsupported."""
    problems = Problems()
    for _ in _judge(arguments, rules, "", Where(f"step {step!r}", "Arguments"), problems):
        pass
    problems.raise_if_any(f"step {step!r} cannot run here", Unsupported)


def _judge(value: Any, rules: FieldRules, path: str, where: Where, problems: Problems) -> Iterator[str]:
    """Yields the fields without effect; refused ones go to ``problems``. null counts as absent."""
    if value is None or functions.read(value) is not None:
        return
    if path in rules.without_effect:
        yield path
    elif path in rules.honoured:
        _check_values(value, rules.values.get(path), where, problems)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _judge(item, rules, path, where.at(index), problems)
    elif problems.is_a(value, (OBJECT, LIST), where):
        for key, item in value.items():
            below = _join(path, key)
            if below in rules.below or below in rules.honoured or below in rules.without_effect:
                yield from _judge(item, rules, below, where.at(key), problems)
            elif item is not None:
                problems.add(where.at(key), f"cannot be honoured here; {possible(key, rules.below[path])}")


def _check_values(value: Any, allowed: tuple[Any, ...] | None, where: Where, problems: Problems) -> None:
    for item in value if isinstance(value, list) else [value]:
        if allowed is not None and item not in allowed and functions.read(item) is None:
            listed = ", ".join(map(shown, allowed))
            problems.add(where, f"{shown(item)} cannot be honoured here; possible: {listed}")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key

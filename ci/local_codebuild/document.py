"""Read a YAML document strictly, and the kinds of value that a buildspec is made of."""

from __future__ import annotations

import re
from typing import Any

import yaml  # type: ignore[import-untyped]

from trainyard.readers import Problems, Reader, below, check, list_of, named, shown

VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
IDENTIFIER = r"[A-Za-z0-9_]{1,128}"  # of batch builds and secondary artifacts


def load(text: str, problems: Problems) -> Any:
    """What the YAML says; duplicate keys, keys that are no strings and endless aliases become problems."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            problems.append("the file is empty")
            return None
        _check_keys(root, "", problems, open_nodes=[], done=set())
        return None if problems else yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problems.append(f"{place}not YAML: {error.problem or error.context}")
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2020-13-45
        problems.append(f"not YAML: {' '.join(str(error).split())}")
    except RecursionError:
        problems.append("not YAML that can be read: nested too deeply")
    return None


def command(value: Any, where: str, problems: Problems) -> Any:
    """One command; ``echo a: b`` without quotes is a mapping in YAML, which CodeBuild refuses."""
    if isinstance(value, dict):
        why = "YAML makes a mapping of this because of its `: `; quote the whole command or use `- |`"
        problems.append(f"{where} = {shown(value)}: {why}")
        return value
    return _STRING(value, where, problems)


def literal(value: Any, where: str, problems: Problems) -> Any:
    """The value of a variable: a string, perhaps an empty one."""
    if not isinstance(value, str) or "\0" in value:
        read_as = (
            f"YAML reads this as {type(value).__name__}, a variable is" if value is not None else "must be"
        )
        problems.append(f"{where} = {shown(value)}: {read_as} a string; quote it")
    return value


def switch(value: Any, where: str, problems: Problems) -> bool:
    """``yes`` or ``no``, which YAML reads as booleans unless they are quoted."""
    words = {"yes": True, "true": True, "no": False, "false": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    if not isinstance(value, bool):
        problems.append(f"{where} = {shown(value)}: must be yes or no")
    return bool(value)


def variables(item: Reader) -> Reader:
    """A mapping from names of variables; those that begin with CODEBUILD_ are reserved."""
    mapping = named(VARIABLE, item)

    def reader(value: Any, where: str, problems: Problems) -> dict[str, Any]:
        read: dict[str, Any] = mapping(value, where, problems)
        for name in read:
            if name.startswith("CODEBUILD_"):
                problems.append(f"{below(where, name)}: names that begin with CODEBUILD_ are reserved")
        return read

    return reader


def string_or_list(value: Any, where: str, problems: Problems) -> Any:
    return STRINGS([value] if isinstance(value, str) else value, where, problems)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != "" and "\0" not in value


def is_below(value: Any) -> bool:
    """Whether this is a path or pattern that stays in the folder it starts from."""
    return is_text(value) and not value.startswith("/") and ".." not in value.split("/")


_STRING = check(is_text, "must be a string that is not empty; quote it")
STRING: Reader = _STRING
STRINGS = list_of(_STRING, at_least=1)
PATTERNS = list_of(
    check(is_below, "must be a path or pattern below the base directory, without a leading / or .."),
    at_least=1,
)
IDENTIFIED = check(
    lambda value: isinstance(value, str) and re.fullmatch(IDENTIFIER, value) is not None,
    f"an identifier matches {IDENTIFIER}",
)


def _check_keys(
    node: yaml.Node, where: str, problems: Problems, open_nodes: list[yaml.Node], done: set[int]
) -> None:
    if any(node is parent for parent in open_nodes):
        problems.append(f"{where}: an alias of something that it is part of")
    if id(node) in done or node in open_nodes:
        return
    open_nodes.append(node)
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            _check_keys(item, f"{where}[{i}]", problems, open_nodes, done)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            _check_key(key, where, seen, problems)
            _check_keys(value, below(where, str(key.value)), problems, open_nodes, done)
    open_nodes.pop()
    done.add(id(node))


def _check_key(key: yaml.Node, where: str, seen: set[str], problems: Problems) -> None:
    line = f"{where or 'the file'}, line {key.start_mark.line + 1}"
    kind = key.tag.rpartition(":")[2]
    if kind == "merge":
        return
    if kind != "str":
        problems.append(f"{line}: YAML reads the key {shown(key.value)} as {kind}, not as a string; quote it")
    elif key.value in seen:
        problems.append(f"{line}: the key {key.value} is there twice")
    else:
        seen.add(key.value)

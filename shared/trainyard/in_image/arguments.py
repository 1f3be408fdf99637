"""Command-line arguments whose errors are one readable line, as they end up in a job's failure reason."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn


class BadArgument(Exception):
    """An argument that is unknown, or has a value that is not possible; the message names both."""


class Parser(argparse.ArgumentParser):
    """Raises BadArgument where argparse would print its usage and exit; takes no abbreviations."""

    def __init__(self, description: str | None) -> None:
        super().__init__(description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise BadArgument(message)


def between(low: float, high: float, kind: Callable[[str], Any] = float) -> Callable[[str], Any]:
    """An argparse type: a number from ``low`` to ``high``."""
    wording = "a whole number" if kind is int else "a number"

    def parse(text: str) -> Any:
        try:
            number = kind(text)
        except ValueError:
            number = None
        if number is None or not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not {wording} from {low:,} to {high:,}")
        return number

    return parse

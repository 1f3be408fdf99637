"""Ranges of hyperparameters: what a search may propose, and how SageMaker spells a value for a script."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from trainyard.errors import DefinitionError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Scale = Literal["Linear", "Logarithmic", "ReverseLogarithmic"]
_WIDE = 100.0
"""From this ratio of its ends on, a range with ScalingType Auto is searched on a logarithmic scale."""


@dataclass(frozen=True, kw_only=True)
class Numeric:
    """A range of numbers, both ends included; ``whole`` for integers."""

    name: str
    low: float
    high: float
    whole: bool
    scale: Scale

    def distribution(self) -> BaseDistribution:
        """What Optuna draws from; a reverse logarithmic range is drawn as the distance from 1."""
        from optuna.distributions import FloatDistribution, IntDistribution

        logarithmic = self.scale != "Linear"
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=logarithmic)
        if self.scale == "ReverseLogarithmic":
            return FloatDistribution(1 - self.high, 1 - self.low, log=True)
        return FloatDistribution(self.low, self.high, log=logarithmic)

    def text(self, drawn: Any) -> str:
        """The value as a training job gets it: a string, integers without a fraction."""
        if self.whole:
            return str(int(drawn))
        value = 1 - float(drawn) if self.scale == "ReverseLogarithmic" else float(drawn)
        return repr(min(max(value, self.low), self.high))

    def drawn(self, text: str) -> Any:
        """What has to be drawn for this text; raises ValueError where it lies outside."""
        value = float(text)
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            raise ValueError(text)
        if self.whole:
            return int(value)
        if self.scale == "ReverseLogarithmic":
            return min(max(1 - value, 1 - self.high), 1 - self.low)
        return value


@dataclass(frozen=True, kw_only=True)
class Categorical:
    name: str
    values: tuple[str, ...]

    def distribution(self) -> BaseDistribution:
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.values)

    def text(self, drawn: Any) -> str:
        return str(drawn)

    def drawn(self, text: str) -> Any:
        if text not in self.values:
            raise ValueError(text)
        return text


Range = Numeric | Categorical


def read_ranges(where: str, request: Mapping[str, Any]) -> tuple[Range, ...]:
    """The ranges of ``ParameterRanges``; ``where`` starts the message of each DefinitionError."""
    ranges: list[Range] = [
        _numeric(where, entry, kind == "Integer")
        for kind in ("Integer", "Continuous")
        for entry in request.get(f"{kind}ParameterRanges") or []
    ]
    for entry in request.get("CategoricalParameterRanges") or []:
        values = tuple(dict.fromkeys(str(value) for value in entry["Values"]))
        if not values:
            raise DefinitionError(f"{where}[{entry['Name']!r}].Values is empty; name at least one")
        ranges.append(Categorical(name=str(entry["Name"]), values=values))
    names = [each.name for each in ranges]
    for name in names:
        if names.count(name) > 1:
            raise DefinitionError(f"{where}: {name!r} has {names.count(name)} ranges; give it one")
    if not ranges:
        raise DefinitionError(f"{where} has no ranges; there must be a hyperparameter to tune")
    return tuple(ranges)


def _numeric(where: str, entry: Mapping[str, Any], whole: bool) -> Numeric:
    name = str(entry["Name"])
    place = f"{where}[{name!r}]"
    low, high = (_number(place, member, entry[member], whole) for member in ("MinValue", "MaxValue"))
    if low > high:
        raise DefinitionError(f"{place}: MinValue {entry['MinValue']} is above MaxValue {entry['MaxValue']}")
    scale: Any = entry.get("ScalingType") or "Auto"
    if scale == "Auto":
        scale = "Logarithmic" if low > 0 and high / low >= _WIDE else "Linear"
    if scale not in ("Linear", "Logarithmic", "ReverseLogarithmic"):
        raise DefinitionError(
            f"{place}.ScalingType is {scale!r}; possible: Auto, Linear, Logarithmic, ReverseLogarithmic"
        )
    if scale == "Logarithmic" and low <= 0:
        raise DefinitionError(
            f"{place}: MinValue is {entry['MinValue']}; a logarithmic scale needs values above 0"
        )
    if scale == "ReverseLogarithmic" and (whole or low < 0 or high >= 1):
        raise DefinitionError(
            f"{place}: a reverse logarithmic scale is for continuous ranges within 0 <= x < 1"
        )
    return Numeric(name=name, low=low, high=high, whole=whole, scale=scale)


def _number(place: str, member: str, text: Any, whole: bool) -> float:
    try:
        value = float(int(str(text))) if whole else float(str(text))
    except (ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        kind = "a whole number" if whole else "a number"
        raise DefinitionError(f"{place}.{member} is {text!r}; {kind} is needed, as a string")
    return value

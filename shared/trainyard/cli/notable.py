"""Which of a model's metrics are shown where there is room for a few."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MOST = 10
# of SageMaker's model quality metrics, what is a part of others or is there to be compared with
_LESS = re.compile(r".*_best_constant_classifier|confusion_matrix\..*|(true|false)_(positive|negative)_rate")


def notable(names: Iterable[str]) -> list[str]:
    """Ten of them at most, in their order; all of them where they are no more."""
    every = list(dict.fromkeys(names))
    if len(every) <= _MOST:
        return every
    return [name for name in every if not _LESS.fullmatch(name)][:_MOST]

"""``ci/scan_allowlist.toml``: the vulnerabilities that images may have for now, each with a reason and a last day.

[[allowed]]
id = "CVE-2026-12345"
family = "prophet"          # or "*"
reason = "only reachable through XML, which no family reads"
review_by = 2027-01-31      # from the next day on the entry fails the build
"""

from __future__ import annotations

import datetime
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainyard.errors import DataError

KEYS = {"id": str, "family": str, "reason": str, "review_by": datetime.date}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """``family`` is a name or ``*``; ``review_by`` is the last day on which the entry holds."""

    id: str
    family: str
    reason: str
    review_by: datetime.date

    def __str__(self) -> str:
        return f"{self.id} ({self.family}, review by {self.review_by}: {self.reason})"

    def covers(self, family: str, finding: str) -> bool:
        return self.id == finding and self.family in ("*", family)


def read(file: Path) -> list[Entry]:
    """The entries of a file; none where there is no file. Raises DataError with every problem, one per line."""
    if not file.exists():
        return []
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{file}: not TOML: {error}") from error
    entries = document.pop("allowed", [])
    problems = [f"{file}: {key}: unknown; the file is a list of [[allowed]]" for key in document]
    if not isinstance(entries, list):
        entries, problems = [], [*problems, f"{file}: allowed = {entries!r}: write [[allowed]] per entry"]
    for number, entry in enumerate(entries, start=1):
        problems += [f"{file}: entry {number}: {problem}" for problem in _problems(entry)]
    if problems:
        raise DataError("\n".join(problems))
    return [Entry(**entry) for entry in entries]


def _problems(entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        return [f"{entry!r}: write [[allowed]] and below it {', '.join(KEYS)}"]
    found = [f"{key}: unknown; possible are {', '.join(KEYS)}" for key in entry if key not in KEYS]
    for key, kind in KEYS.items():
        value = entry.get(key)
        if kind is str and not (isinstance(value, str) and value.strip()):
            found.append(f"{key} = {value!r}: must be a text")
        if kind is datetime.date and type(value) is not datetime.date:
            found.append(f"{key} = {value!r}: must be a day, such as 2027-01-31 without quotes")
    return found

"""CODEOWNERS, generated from the owners in the families' manifests.

    PYTHONPATH=shared python -m ci.codeowners [--write | --check]

A family that git does not track yet may be missing: a new family edits no file until it is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ci import generated
from ci.generated import Generated
from trainyard.families import Family

HEADER = ["# Generated from containers/*/family.toml by: python -m ci.codeowners --write"]


def codeowners(families: Iterable[Family]) -> str:
    """The text for these families; GitHub takes the last line that fits a file."""
    lines = list(HEADER)
    for family in families:
        module = family.name.replace("-", "_")
        places = (f"containers/{family.name}/", f"pipelines/{module}.py", f"tests/containers/{family.name}/")
        lines += [f"/{place} {family.owner}" for place in places]
    return "\n".join(lines) + "\n"


def is_stale(text: str, families: Mapping[str, Family], tracked: set[str]) -> bool:
    """Whether a line is wrong or too many, or a tracked family's is missing."""
    possible = codeowners(families.values()).splitlines()
    needed = codeowners(family for name, family in families.items() if name in tracked).splitlines()
    present = text.splitlines()
    return present != [line for line in possible if line in present or line in needed]


CODEOWNERS = Generated(
    name="CODEOWNERS",
    module="ci.codeowners",
    text=lambda families: codeowners(families.values()),
    is_stale=is_stale,
)

if __name__ == "__main__":
    raise SystemExit(generated.main(CODEOWNERS, __doc__))

from __future__ import annotations

import dataclasses

import pytest

from ci import codeowners, generated
from trainyard.families import find_families, repository_root

ROOT = repository_root()
FAMILY = next(iter(find_families(ROOT).values()))


def family(name: str, owner: str):
    return dataclasses.replace(FAMILY, name=name, owner=owner)


FAMILIES = {"a": family("a", "@acme/a"), "b-c": family("b-c", "@acme/b")}
OF_A = ["/containers/a/ @acme/a", "/pipelines/a.py @acme/a", "/tests/containers/a/ @acme/a"]
OF_B = ["/containers/b-c/ @acme/b", "/pipelines/b_c.py @acme/b", "/tests/containers/b-c/ @acme/b"]


def text(*lines: str) -> str:
    return "\n".join([*codeowners.HEADER, *lines]) + "\n"


def test_every_family_owns_its_folder_its_pipeline_and_its_tests():
    assert codeowners.codeowners(FAMILIES.values()) == text(*OF_A, *OF_B)


@pytest.mark.parametrize(
    ("lines", "tracked", "stale"),
    [
        ([*OF_A, *OF_B], {"a", "b-c"}, False),
        ([*OF_A, *OF_B], {"a"}, False),
        (OF_A, {"a"}, False),
        (OF_A, {"a", "b-c"}, True),
        (OF_A[:2], {"a"}, True),
        ([*OF_B, *OF_A], {"a", "b-c"}, True),
        ([*OF_A, "/containers/gone/ @acme/gone"], {"a"}, True),
        (["/containers/a/ @acme/other", *OF_A[1:]], {"a"}, True),
        ([], set(), False),
    ],
)
def test_stale_is_what_differs_for_a_tracked_family(lines, tracked, stale):
    assert codeowners.is_stale(text(*lines), FAMILIES, tracked) == stale


def test_a_file_without_its_header_is_stale():
    assert codeowners.is_stale("", FAMILIES, set())


def test_the_file_of_this_repository_is_not_stale():
    assert generated.main(codeowners.CODEOWNERS, "", ["--check"]) == 0

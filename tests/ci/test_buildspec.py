from __future__ import annotations

import pytest

from ci import buildspec, generated
from trainyard.families import find_families, repository_root

yaml = pytest.importorskip("yaml", reason="no PyYAML in .venv: python3 -m ci.setup gets it")
ROOT = repository_root()


def test_it_is_what_codebuild_reads_with_a_build_per_family():
    document = yaml.safe_load(buildspec.buildspec(["b-c", "no"]))
    assert document["version"] == 0.2
    assert document["batch"] == {
        "fast-fail": False,
        "build-list": [
            {"identifier": "b_c", "env": {"variables": {"TRAINYARD_FAMILIES": "b-c"}}},
            {"identifier": "no", "env": {"variables": {"TRAINYARD_FAMILIES": "no"}}},
        ],
    }
    assert list(document["phases"]) == ["install", "pre_build", "build", "post_build"]
    assert "batch" not in yaml.safe_load(buildspec.buildspec([]))


def test_no_logic_is_in_it():
    for phase in yaml.safe_load(buildspec.buildspec([]))["phases"].values():
        for command in phase["commands"]:
            assert not set(command) & set(";&|<>$`()\n"), command


@pytest.mark.parametrize(
    ("listed", "tracked", "stale"),
    [
        (["a", "b"], {"a", "b"}, False),
        (["a", "b"], {"a"}, False),
        (["a"], {"a"}, False),
        (["a"], {"a", "b"}, True),
        (["a", "gone"], {"a"}, True),
        ([], set(), False),
    ],
)
def test_stale_is_what_differs_for_a_tracked_family(listed, tracked, stale):
    assert buildspec.is_stale(buildspec.buildspec(listed), {"a", "b"}, tracked) == stale


def test_any_other_text_is_stale():
    assert buildspec.is_stale("", set(), set())
    assert buildspec.is_stale(buildspec.buildspec(["a"]).replace("3.12", "3.13"), {"a"}, {"a"})


def test_the_file_of_this_repository_is_not_stale():
    assert generated.main(buildspec.BUILDSPEC, "", ["--check"]) == 0


def test_what_runs_it_here_takes_it():
    from ci.local_codebuild.buildspec import read_file

    spec = read_file(ROOT / buildspec.BUILDSPEC.name, buildspec.BUILDSPEC.name)
    assert spec.batch is not None
    assert len(find_families(ROOT)) == (ROOT / buildspec.BUILDSPEC.name).read_text().count("identifier:")

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.preflight.conftest import file, link
from trainyard.preflight.archive import Entry, Layer
from trainyard.preflight.tree import Tree, search_path

PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)


def tree(*entries: Entry) -> Tree:
    return Tree([Layer(entries={entry.path: entry for entry in entries})])


@pytest.mark.parametrize(
    ("path", "found", "broken"),
    [
        ("/usr/bin/python", "usr/lib/python3", ""),
        ("/bin/python", "usr/lib/python3", ""),
        ("/bin/../bin/./python", "usr/lib/python3", ""),
        ("/usr/bin/gone", None, "/usr/bin/gone -> /opt/gone"),
        ("/usr/bin/circle", None, "/usr/bin/circle -> circle"),
        ("/usr/bin/nothing", None, ""),
        ("/bin/nothing", None, ""),
    ],
)
def test_links_are_followed_on_the_way_and_at_the_end(path, found, broken):
    made = tree(
        link("bin", "usr/bin"), link("usr/bin/python", "../lib/python"), link("usr/lib/python", "/usr/lib/python3"),
        file("usr/lib/python3", "ELF"), link("usr/bin/gone", "/opt/gone"), link("usr/bin/circle", "circle"),
    )  # fmt: skip
    program = made.follow(path)
    assert (program.entry and program.entry.path, program.broken) == (found, broken)


def test_the_first_executable_on_the_path_is_found_else_the_first_that_has_the_name():
    made = tree(
        file("a/train", "", 0o644), file("b/train", ""), file("c/train", ""), file("a/serve", "", 0o644)
    )
    assert made.look_up("train", "/a:/b:/c").path == "/b/train"
    assert made.look_up("serve", "/a:/b:/c").path == "/a/serve"
    assert made.look_up("other", "/a:/b:/c").path == ""
    assert made.look_up("./train", "/a", "/c").entry == file("c/train", "")
    assert made.look_up("train", "b", "/").path == "/b/train"


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "files": st.sets(PATHS, max_size=4),
                "deleted": st.sets(PATHS, max_size=2),
                "opaque": st.sets(PATHS, max_size=1),
            }
        ),
        max_size=4,
    )
)
def test_layers_hide_what_overlay_file_systems_hide(layers):
    expected: set[str] = set()
    for layer in layers:
        below = {p for p in expected if any(p.startswith(f"{folder}/") for folder in layer["opaque"])}
        gone = {p for p in expected if any(f"{p}/".startswith(f"{path}/") for path in layer["deleted"])}
        expected = (expected - below - gone) | layer["files"]
    made = Tree(
        Layer(
            entries={path: file(path, "") for path in layer["files"]},
            deleted=frozenset(layer["deleted"]),
            opaque=frozenset(layer["opaque"]),
        )
        for layer in layers
    )
    assert made.entries.keys() == expected


def test_a_file_in_a_folders_place_takes_all_below_with_it():
    folder = Entry("a", 0o040755, 0)
    made = Tree([Layer(entries={"a": folder, "a/b": file("a/b", "")}), Layer(entries={"a": file("a", "")})])
    assert list(made.entries) == ["a"]
    assert [e.path for e in tree(folder, file("a/b", ""), file("ab", "")).below("/a")] == ["a/b"]
    assert posixpath.isabs(search_path({})) and search_path({"PATH": "/x"}) == "/x"

from __future__ import annotations

import os

import pytest

from ci.local_codebuild.artifacts import Uncollected, collect, folder_name
from ci.local_codebuild.buildspec import Files

TREE = (
    "a.txt", ".hidden", "my-build1/one.txt", "my-build2/two.txt", "my-build2/sub/three.txt",
    "my-build2/sub/.dot/four.txt", "lib/[x].py", "lib/a b.py",
)  # fmt: skip


@pytest.fixture
def tree(source):
    for name in TREE:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    return source


def names(tree, tmp_path, **keys) -> list[str]:
    return collect(
        Files(**keys), tree, tmp_path / "to", tmp_path / "apart", lambda text: text.replace("$V", "two")
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"patterns": ("**/*",)}, sorted(TREE)),
        ({"patterns": ("*",)}, [".hidden", "a.txt"]),
        ({"patterns": ("./a.txt",)}, ["a.txt"]),
        ({"patterns": ("my-build2/*",)}, ["my-build2/two.txt"]),
        ({"patterns": ("my-build1/one.txt", "a.*")}, ["a.txt", "my-build1/one.txt"]),
        ({"patterns": ("**/three.txt",)}, ["my-build2/sub/three.txt"]),
        ({"patterns": ("**/a.txt",)}, ["a.txt"]),
        ({"patterns": ("**",), "base_directory": "my-build1"}, ["one.txt"]),
        ({"patterns": ("*/three.txt",), "base_directory": "my-build2"}, ["sub/three.txt"]),
        (
            {"patterns": ("**/*",), "base_directory": "my-build*", "discard_paths": True},
            ["four.txt", "one.txt", "three.txt", "two.txt"],
        ),
        ({"patterns": ("**/*.txt",), "exclude_paths": ("**/.*/**/*", "my-build1/**")}, [
            "a.txt", "my-build2/sub/three.txt", "my-build2/two.txt",
        ]),
        ({"patterns": ("**/*",), "exclude_paths": ("**/.*", "**/.*/**", "my-build?/**", "lib/*")}, ["a.txt"]),
        ({"patterns": ("lib/[[]x].py",)}, ["lib/[x].py"]),
        ({"patterns": ("lib/[!a]*",)}, ["lib/[x].py"]),
        ({"patterns": ("lib/a b.py",)}, ["lib/a b.py"]),
        ({"patterns": ("**/$V.txt",)}, ["my-build2/two.txt"]),
    ],
)  # fmt: skip
def test_which_files_are_collected(tree, tmp_path, keys, expected):
    assert names(tree, tmp_path, **keys) == expected
    for name in expected:
        text = (tmp_path / "to" / name).read_text()
        assert text.endswith(name) and text in TREE


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"patterns": ("none", "*.jar")}, r"no file matches none, \*.jar in \."),
        ({"patterns": ("lib",)}, "no file matches lib"),
        ({"patterns": ("*",), "base_directory": "none"}, "no matching base directory: none"),
        ({"patterns": ("*",), "base_directory": "none*"}, r"no matching base directory: none\*"),
        ({"patterns": ("*",), "base_directory": "a.txt"}, "no matching base directory: a.txt"),
    ],
)
def test_nothing_to_collect_is_told(tree, tmp_path, keys, why):
    with pytest.raises(Uncollected, match=why):
        names(tree, tmp_path, **keys)


def test_outputs_are_not_collected(tree, tmp_path):
    (tree / "out").mkdir()
    (tree / "out/log").touch()
    files = Files(patterns=("**/*",))
    assert collect(files, tree, tmp_path / "to", tree / "out", lambda text: None) == sorted(TREE)


@pytest.mark.parametrize("keep", [False, True])
def test_links(tree, tmp_path, keep):
    (tree / "to_file").symlink_to("a.txt")
    (tree / "to_folder").symlink_to("lib")
    (tree / "to_itself").symlink_to(".")
    (tree / "to_nothing").symlink_to("none")
    os.mkfifo(tree / "pipe")
    found = names(tree, tmp_path, patterns=("to_*", "to_*/**", "pipe"), keep_links=keep)
    assert found == (["to_file", "to_folder", "to_itself", "to_nothing"] if keep else ["to_file"])
    assert (tmp_path / "to/to_file").is_symlink() == keep


def test_what_can_be_run_can_be_run_as_an_artifact(tree, tmp_path):
    (tree / "a.txt").chmod(0o755)
    names(tree, tmp_path, patterns=("a.txt",))
    assert os.access(tmp_path / "to/a.txt", os.X_OK)


@pytest.mark.parametrize("name", ["builds/7/x", "x-1.0", "."])
def test_a_name_may_have_folders(name):
    assert folder_name(Files(patterns=("*",), name="$N"), lambda text: name) == name


@pytest.mark.parametrize("name", [None, "", "/abs", "../up", "a/../.."])
def test_a_name_that_leaves_the_output_is_refused(name):
    with pytest.raises(Uncollected, match=r"\$N"):
        folder_name(Files(patterns=("*",), name="$N"), lambda text: name)


def test_no_name_is_the_folder_itself():
    assert folder_name(Files(patterns=("*",)), lambda text: None) == "."

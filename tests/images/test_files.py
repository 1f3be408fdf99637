from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.images.conftest import OF_THE_IMAGE
from trainyard.errors import ImageError, ManifestError
from trainyard.families import find_families, repository_root
from trainyard.images.files import file_digests, image_files, is_program

ROOT = repository_root()


def test_an_image_is_made_of_the_family_and_of_what_all_images_share(repository, tiny):
    assert list(image_files(tiny, repository)) == [
        *(f"containers/tiny/{name}" for name in OF_THE_IMAGE),
        "shared/docker/install",
        "shared/trainyard/__init__.py",
        "shared/trainyard/in_image/bin/train",
        "shared/trainyard/in_image/metrics.py",
    ]


def test_each_file_has_a_digest_of_its_content_and_its_executable_bit(repository, tiny):
    before = file_digests(tiny, repository)
    assert list(before) == list(image_files(tiny, repository))
    script = tiny.folder / "train.py"
    script.chmod(0o644)
    assert file_digests(tiny, repository) == before and not is_program(script)
    script.chmod(0o600)  # what only groups and others may do is not kept by git
    assert file_digests(tiny, repository) == before
    script.chmod(0o744)
    changed = file_digests(tiny, repository)
    assert is_program(script)
    assert {name for name in before if before[name] != changed[name]} == {"containers/tiny/train.py"}


def test_a_link_counts_as_what_it_points_to(repository, tiny):
    link = tiny.folder / "weights"
    digests = set()
    for target in ("a", "b"):
        link.symlink_to(target)
        digests.add(file_digests(tiny, repository)["containers/tiny/weights"])
        link.unlink()
    assert len(digests) == 2


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(OF_THE_IMAGE), st.binary(max_size=4), min_size=1))
def test_equal_digests_mean_equal_content(repository, tiny, contents):
    before = {name: (tiny.folder / name).read_bytes() for name in contents}
    digests = file_digests(tiny, repository)
    for name, content in contents.items():
        (tiny.folder / name).write_bytes(content)
    after = {name: (tiny.folder / name).read_bytes() for name in contents}
    assert (file_digests(tiny, repository) == digests) == (before == after)


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        ("", {"a.py", "b/a.py", "b/c/a.py", "b/c/d.txt"}),
        ("a.py", {"b/a.py", "b/c/a.py", "b/c/d.txt"}),
        ("**/a.py", {"b/c/d.txt"}),
        ("*.py", {"b/a.py", "b/c/a.py", "b/c/d.txt"}),
        ("b/", {"a.py"}),
        ("b", {"a.py"}),
        ("b/*", {"a.py"}),
        ("*", set()),
        ("b\n!b/c", {"a.py", "b/c/a.py", "b/c/d.txt"}),
        ("!a.py\na.py", {"b/a.py", "b/c/a.py", "b/c/d.txt"}),
        ("b/?/d.txt\n\n# c\n", {"a.py", "b/a.py", "b/c/a.py"}),
    ],
)
def test_dockerignore_means_what_it_means_to_docker(repository, tiny, rules, kept):
    for path in tiny.folder.rglob("*"):
        if path.is_file():
            path.unlink()
    for name in ("a.py", "b/a.py", "b/c/a.py", "b/c/d.txt"):
        (tiny.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (tiny.folder / name).write_text("")
    (tiny.folder / ".dockerignore").write_text(rules + "\n.dockerignore")
    start = "containers/tiny/"
    found = {name.removeprefix(start) for name in image_files(tiny, repository) if name.startswith(start)}
    assert found == kept


@pytest.mark.parametrize("rule", ["[ab].py", "../x", "/train.py", "a/**/b", "a\\b", "!", "./a"])
def test_a_rule_that_is_not_understood_is_refused(repository, tiny, rule):
    (tiny.folder / ".dockerignore").write_text(f"README.md\n{rule}\n")
    with pytest.raises(ManifestError) as error:
        image_files(tiny, repository)
    assert f"containers/tiny/.dockerignore: line 2: {rule!r} is not understood" in str(error.value)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: socket.socket(socket.AF_UNIX).bind(str(path))])
def test_what_is_no_file_is_refused_and_not_waited_for(repository, tiny, monkeypatch, make):
    monkeypatch.chdir(tiny.folder)  # names of sockets are short
    make("odd")
    with pytest.raises(
        ImageError, match=r"containers/tiny/odd: images are made of files, folders and links; "
    ):
        file_digests(tiny, repository)
    (tiny.folder / ".dockerignore").write_text("odd")
    assert "containers/tiny/odd" not in file_digests(tiny, repository)


# prints the digests' paths, or why there are none
DIGESTS = """
import sys
from pathlib import Path
from trainyard.families import load
from trainyard.images.files import file_digests
try:
    print(*file_digests(load(Path(sys.argv[1], "containers/tiny")), Path(sys.argv[1])))
except Exception as error:
    print(type(error).__name__, error)
"""
# without capabilities root may read no more than others
POWERLESS = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []


@pytest.mark.parametrize("name", ["train.py", "models"])
def test_what_cannot_be_read_is_not_left_out_in_silence(repository, tiny, name):
    def digests() -> str:
        command = [*POWERLESS, sys.executable, "-c", DIGESTS, str(repository)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "shared")}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout

    mode = (tiny.folder / name).stat().st_mode
    (tiny.folder / name).chmod(0)
    try:
        assert (
            digests().startswith("ImageError")
            and f"tiny/{name}: cannot be read: Permission denied" in digests()
        )
        with (tiny.folder / ".dockerignore").open("a") as file:
            file.write(name)
        assert "containers/tiny/inference.py" in digests() and f"tiny/{name}" not in digests()
    finally:
        (tiny.folder / name).chmod(mode)


def test_a_dockerignore_must_be_text(repository, tiny):
    rules = tiny.folder / ".dockerignore"
    rules.write_bytes(b"caf\xe9")
    with pytest.raises(ManifestError, match=r"containers/tiny/\.dockerignore: cannot be read: 'utf-8' codec"):
        image_files(tiny, repository)
    for make in (os.mkfifo, os.mkdir, lambda path: path.symlink_to("nowhere")):
        rules.rmdir() if rules.is_dir() else rules.unlink()
        make(rules)
        with pytest.raises(ManifestError, match=r"containers/tiny/\.dockerignore: must be a file"):
            image_files(tiny, repository)


def test_the_real_images_have_the_code_and_not_the_example():
    for name, family in find_families(ROOT).items():
        files = set(image_files(family, ROOT))
        folder = f"containers/{name}/"
        assert {folder + "train.py", folder + "inference.py", folder + "requirements.txt"} <= files
        assert not [path for path in files if path.startswith(folder + "example/") or "__pycache__" in path]
        assert not files & {folder + "README.md", folder + "family.toml", folder + ".dockerignore"}
        assert "shared/trainyard/in_image/opt_ml.py" in files


def test_digests_take_milliseconds():
    for family in find_families(ROOT).values():
        times = []
        for _ in range(5):
            start = time.perf_counter()
            file_digests(family, ROOT)
            times.append(time.perf_counter() - start)
        assert min(times) < 0.02, (family.name, times)

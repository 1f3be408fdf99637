from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT
from trainyard.errors import DataError
from trainyard.execution.data import example_data, in_environment, in_image, put_data
from trainyard.execution.images import Images
from trainyard.execution.launchers.docker import DockerLauncher
from trainyard.execution.s3 import parse_uri
from trainyard.execution.targets import Target


def relatives(store, uri: str) -> list[str]:
    return [item.relative for item in store.objects.list(parse_uri(uri))]


def test_files_and_folders_are_stored_once_by_contents(store, tmp_path: Path) -> None:
    folder = tmp_path / "raw data"
    (folder / "in").mkdir(parents=True)
    (folder / "a ü.csv").write_text("1")
    (folder / "in" / "b.csv").write_text("2")
    (folder / ".hidden").write_text("3")
    uri = put_data(store, "prophet", folder)
    assert relatives(store, uri) == ["a ü.csv", "in/b.csv"]
    path = store.objects.path(parse_uri(f"{uri}a ü.csv"))
    before = path.stat().st_ino
    assert put_data(store, "prophet", folder) == uri
    assert path.stat().st_ino == before
    path.write_text("")  # cut off by a crash
    assert put_data(store, "prophet", folder) == uri
    assert path.read_text() == "1"
    (folder / "a ü.csv").write_text("9")
    assert put_data(store, "prophet", folder) != uri
    assert relatives(store, put_data(store, "prophet", folder / "in" / "b.csv")) == ["b.csv"]


def test_nothing_to_store_is_refused(store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere': no such file or folder"):
        put_data(store, "prophet", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="there are no files in it"):
        put_data(store, "prophet", tmp_path / "empty")


def family(folder: Path, code: str) -> SimpleNamespace:
    (folder / "generate.py").write_text(code)
    return SimpleNamespace(name="tiny", folder=folder, example=SimpleNamespace(generate="generate.py"))


def test_an_example_is_generated_once(store, tmp_path: Path) -> None:
    code = "import sys, pathlib; pathlib.Path(sys.argv[2], 'x.csv').write_text('1')"
    tiny = family(tmp_path, code)
    uri = example_data(store, tiny, in_environment(Path(sys.executable)))
    assert relatives(store, uri) == ["x.csv"]
    assert example_data(store, tiny, in_environment(Path("/no/such/python"))) == uri
    assert example_data(store, family(tmp_path, code + "\n"), in_environment(Path(sys.executable))) != uri


def test_a_generator_that_fails_says_why(store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="generator of tiny failed: no luck"):
        example_data(
            store, family(tmp_path, "raise SystemExit('no luck')"), in_environment(Path(sys.executable))
        )


def test_an_image_generates_the_same(store, engine, base_image: str, tmp_path: Path) -> None:
    folder = tmp_path / "example"
    folder.mkdir()
    (folder / "name.txt").write_text("x.csv")
    code = """
import pathlib, sys
name = pathlib.Path(__file__).with_name("name.txt").read_text()
folder = pathlib.Path(sys.argv[2], "in")
folder.mkdir()
(folder / name).write_text("1")
"""
    tiny = family(folder, code)
    generate = in_image(DockerLauncher(Images(ROOT), store.home), Target("docker", base_image))
    uri = example_data(store, tiny, generate)
    assert relatives(store, uri) == ["in/x.csv"]
    assert example_data(store, tiny, in_environment(Path("/no/such/python"))) == uri
    broken = family(folder, "raise SystemExit('no luck')")
    with pytest.raises(DataError, match=r"generator of tiny failed: AlgorithmError: no luck, exit code: 1"):
        example_data(store, broken, generate)

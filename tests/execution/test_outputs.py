from __future__ import annotations

import json
import tarfile
import threading
from pathlib import Path

import pytest

from tests.conftest import wait_until
from trainyard.errors import StoreError
from trainyard.execution.outputs import collect, discard
from trainyard.execution.request import JobRequest, Output, StagedHost
from trainyard.execution.s3 import parse_uri
from trainyard.execution.store import Store
from trainyard.execution.targets import Target


def host(folder: Path, name: str, files: dict[str, str]) -> StagedHost:
    ml = folder / name / "ml"
    for path, text in files.items():
        (ml / path).parent.mkdir(parents=True, exist_ok=True)
        (ml / path).write_text(text)
    return StagedHost(name=name, folder=folder / name, ml=ml, mounts=())


def request(*outputs: Output) -> JobRequest:
    return JobRequest(name="j", kind="Training", image="i", target=Target("venv", "/v"), outputs=outputs)


MODEL = Output(name="model", container_path="/opt/ml/model", uri="s3://b/out/model.tar.gz", archive=True)
PLAIN = Output(name="model", container_path="/opt/ml/model", uri="s3://b/out/model/")


def keys(store: Store) -> list[str]:
    return [item.uri.key for item in store.objects.list(parse_uri("s3://b/"))]


def test_files_of_all_hosts_come_together(store: Store, tmp_path: Path) -> None:
    hosts = [
        host(tmp_path, "algo-1", {"model/a": "1", "model/in/b": "2"}),
        host(tmp_path, "algo-2", {"model/c": "3"}),
    ]
    stored = collect(store.objects, request(PLAIN), hosts, tmp_path)
    assert keys(store) == ["out/model/a", "out/model/c", "out/model/in/b"]
    assert stored["s3://b/out/model/a"] == store.objects.mark(
        store.objects.path(parse_uri("s3://b/out/model/a"))
    )


def test_archives_hold_the_contents_without_a_folder_on_top(store: Store, tmp_path: Path) -> None:
    collect(
        store.objects,
        request(MODEL),
        [host(tmp_path, "algo-1", {"model/a": "1", "model/in/b": "2"})],
        tmp_path,
    )
    with tarfile.open(store.objects.path(parse_uri("s3://b/out/model.tar.gz"))) as tar:
        assert sorted(tar.getnames()) == ["a", "in/b"]


def test_an_empty_model_folder_makes_no_archive(store: Store, tmp_path: Path) -> None:
    (tmp_path / "algo-1/ml/model").mkdir(parents=True)
    assert collect(store.objects, request(MODEL), [host(tmp_path, "algo-1", {})], tmp_path) == {}


def test_a_link_out_of_the_output_is_refused_and_nothing_stored(store: Store, tmp_path: Path) -> None:
    one = host(tmp_path, "algo-1", {"model/a": "1"})
    (one.ml / "model" / "leak").symlink_to("/etc/passwd")
    with pytest.raises(StoreError, match=r"leak is a link to /etc/passwd"):
        collect(store.objects, request(PLAIN), [one], tmp_path)
    assert keys(store) == []


@pytest.mark.parametrize("name", ["a", "z"])  # before and behind the file in order
def test_a_link_inside_the_output_is_stored_as_the_file_it_leads_to(
    store: Store, tmp_path: Path, name: str
) -> None:
    one = host(tmp_path, "algo-1", {"model/model-3": "3"})
    (one.ml / "model" / name).symlink_to("model-3")
    collect(store.objects, request(PLAIN), [one], tmp_path)
    assert keys(store) == sorted([f"out/model/{name}", "out/model/model-3"])
    assert store.objects.read(parse_uri(f"s3://b/out/model/{name}")) == b"3"


def test_overlapping_outputs_each_get_the_file(store: Store, tmp_path: Path) -> None:
    inner = Output(name="inner", container_path="/opt/ml/model/in", uri="s3://b/inner/")
    collect(store.objects, request(PLAIN, inner), [host(tmp_path, "algo-1", {"model/in/b": "2"})], tmp_path)
    assert keys(store) == ["inner/b", "out/model/in/b"]


def test_discard_removes_what_an_interrupted_collect_had_stored(store: Store, tmp_path: Path) -> None:
    one = host(tmp_path, "algo-1", {"model/a": "1", "model/b": "2"})
    collect(store.objects, request(PLAIN), [one], tmp_path)
    store.objects.put_bytes(b"", parse_uri("s3://b/other"))
    assert json.loads((tmp_path / "storing.json").read_text()) == ["s3://b/out/model/a", "s3://b/out/model/b"]
    assert discard(store.objects, tmp_path) == 2
    assert keys(store) == ["other"]
    assert discard(store.objects, tmp_path) == 0


def test_a_folder_that_was_replaced_by_a_link_takes_nothing_from_this_machine(
    store: Store, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious").write_text("p")
    one = host(tmp_path, "algo-1", {"output/x": "1"})
    (one.ml / "model").symlink_to(mine)
    for output in (PLAIN, MODEL):
        with pytest.raises(StoreError, match="link in the place of /opt/ml/model"):
            collect(store.objects, request(output), [one], tmp_path)
    assert (mine / "precious").read_text() == "p"
    assert keys(store) == []


@pytest.mark.parametrize("target", ["a", "/opt/ml/model/a"])
def test_links_inside_an_output_are_stored_as_the_files_that_they_are(
    store: Store, tmp_path: Path, target: str
) -> None:
    one = host(tmp_path, "algo-1", {"model/a": "text"})
    (one.ml / "model" / "latest").symlink_to(target)
    collect(store.objects, request(PLAIN), [one], tmp_path)
    assert keys(store) == ["out/model/a", "out/model/latest"]
    assert store.objects.read(parse_uri("s3://b/out/model/latest")) == b"text"


def test_links_that_lead_nowhere_are_left_out(store: Store, tmp_path: Path) -> None:
    one = host(tmp_path, "algo-1", {"model/a": "1"})
    (one.ml / "model" / "x").symlink_to("y")
    (one.ml / "model" / "y").symlink_to("x")
    (one.ml / "model" / "nothing").symlink_to("nowhere")
    collect(store.objects, request(PLAIN), [one], tmp_path)
    assert keys(store) == ["out/model/a"]


@pytest.mark.parametrize("output", [PLAIN, MODEL])
def test_what_a_job_made_unreadable_is_stored(store: Store, tmp_path: Path, output: Output) -> None:
    """As root every file is readable; then this only shows that nothing breaks."""
    one = host(tmp_path, "algo-1", {"model/in/b": "2", "model/locked/c": "3"})
    (one.ml / "model/in/b").chmod(0)
    (one.ml / "model/in").chmod(0)
    (one.ml / "model/locked").chmod(0o555)
    stored = collect(store.objects, request(output), [one], tmp_path)
    assert len(stored) == (1 if output.archive else 2)


CONTINUOUS = """
import pathlib, time
place = pathlib.Path("/opt/ml/processing/made")
(place / "first").write_text("1")
time.sleep(3)
(place / "first").write_text("2")
"""


def test_continuous_outputs_are_stored_while_the_job_runs(
    store, make_executor, put_script, processing, definition
) -> None:
    step = processing("Make", put_script("make", CONTINUOUS), outputs={"made": "s3://bucket/made"})
    step["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3UploadMode"] = "Continuous"
    begun = make_executor().begin(definition(step), "p", {})
    thread = threading.Thread(target=begun.run)
    thread.start()
    uri = parse_uri("s3://bucket/made/first")
    wait_until(lambda: store.objects.exists(uri))
    assert thread.is_alive() and store.objects.read(uri) == b"1"
    thread.join()
    assert store.objects.read(uri) == b"2"

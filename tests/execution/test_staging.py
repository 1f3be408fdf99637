from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from trainyard.errors import StoreError
from trainyard.execution.request import Channel, Checkpoint, JobRequest
from trainyard.execution.s3 import parse_uri
from trainyard.execution.staging import resource_config, shard, stage
from trainyard.execution.store import Store
from trainyard.execution.targets import Target


def request(
    *channels: Channel, hosts: int = 1, checkpoint: Checkpoint | None = None, kind="Training"
) -> JobRequest:
    return JobRequest(
        name="job", kind=kind, image="i", target=Target("venv", "/v"), channels=channels, host_count=hosts,
        checkpoint=checkpoint, config={"input/config/hyperparameters.json": {"a": "1"}},
    )  # fmt: skip


def channel(uri: str, **more) -> Channel:
    return Channel(name="data", container_path="/opt/ml/input/data/data", uri=uri, **more)


def fill(store: Store, *keys: str) -> None:
    for key in keys:
        store.objects.put_bytes(key.encode(), parse_uri(f"s3://b/{key}"))


def files(host) -> list[str]:
    folder = host.ml / "input" / "data" / "data"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_every_host_gets_everything_or_its_shard(store: Store, tmp_path: Path) -> None:
    fill(store, *(f"d/{number}" for number in range(7)))
    full = stage(store.objects, request(channel("s3://b/d/"), hosts=2), tmp_path / "full")
    assert [len(files(host)) for host in full] == [7, 7]
    sharded = request(channel("s3://b/d/", distribution="ShardedByS3Key"), hosts=3)
    shards = [files(host) for host in stage(store.objects, sharded, tmp_path / "sharded")]
    assert sorted(map(len, shards)) == [2, 2, 3]
    assert sorted([name for part in shards for name in part]) == [str(number) for number in range(7)]


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_shards_are_a_partition(count: int) -> None:
    objects = list(range(7))
    parts = [shard(objects, index, count) for index in range(count)]
    assert sorted([item for part in parts for item in part]) == objects


def test_inputs_are_links_not_copies(store: Store, tmp_path: Path) -> None:
    fill(store, "d/x")
    [host] = stage(store.objects, request(channel("s3://b/d/")), tmp_path)
    stored = store.objects.path(parse_uri("s3://b/d/x"))
    assert (host.ml / "input/data/data/x").stat().st_ino == stored.stat().st_ino
    assert host.mounts[0].read_only


def test_code_is_a_copy_that_the_job_may_change(store: Store, tmp_path: Path) -> None:
    fill(store, "d/x")
    stored = store.objects.path(parse_uri("s3://b/d/x"))
    started = replace(
        request(channel("s3://b/d/")), command=("sh", "-c", "chmod +x /opt/ml/input/data/data/x")
    )
    beside = replace(channel("s3://b/d/"), name="code", container_path="/opt/ml/processing/input/code")
    for number, job in enumerate([started, request(beside, kind="Processing")]):
        [host] = stage(store.objects, job, tmp_path / str(number))
        [copy] = [path for path in host.ml.rglob("x") if path.is_file()]
        assert copy.stat().st_ino != stored.stat().st_ino and not host.mounts


def test_manifest_names_the_objects(store: Store, tmp_path: Path) -> None:
    fill(store, "d/1", "d/in/2", "d/3")
    manifest = [{"prefix": "s3://b/d/"}, "1", "in/2"]
    store.objects.put_bytes(json.dumps(manifest).encode(), parse_uri("s3://b/m.json"))
    [host] = stage(store.objects, request(channel("s3://b/m.json", data_type="ManifestFile")), tmp_path)
    assert files(host) == ["1", "in/2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"nonsense", "is not a manifest"), (b"[]", "is not a manifest"), (b'{"prefix": 1}', "is not a manifest"),
     (b'[{"prefix": "s3://b/d/"}, "gone"]', "s3://b/d/gone, named in s3://b/m.json, is not in the store")],
)  # fmt: skip
def test_bad_manifests_are_refused(store: Store, tmp_path: Path, content: bytes, message: str) -> None:
    store.objects.put_bytes(content, parse_uri("s3://b/m.json"))
    with pytest.raises(StoreError, match=message):
        stage(store.objects, request(channel("s3://b/m.json", data_type="ManifestFile")), tmp_path)


def test_a_channel_without_objects_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"channel 'data': no objects below s3://b/none/"):
        stage(store.objects, request(channel("s3://b/none/")), tmp_path)


def test_configuration_files_are_as_sagemaker_writes_them(store: Store, tmp_path: Path) -> None:
    _, second = stage(store.objects, request(hosts=2), tmp_path)
    resources = json.loads((second.ml / "input/config/resourceconfig.json").read_text())
    assert resources["current_host"] == "algo-2"
    assert resources["hosts"] == ["algo-1", "algo-2"]
    assert resources["instance_groups"][0]["hosts"] == ["algo-1", "algo-2"]
    assert json.loads((second.ml / "input/config/hyperparameters.json").read_text()) == {"a": "1"}


def test_processing_jobs_have_a_folder_of_their_own_without_any_channel(store: Store, tmp_path: Path) -> None:
    [host] = stage(store.objects, request(kind="Processing"), tmp_path)
    assert (host.ml / "processing").is_dir()


@pytest.mark.parametrize(("kind", "card"), [("venv", "lo"), ("docker", "eth0")])
def test_hosts_talk_over_the_network_that_they_have(kind, card: str) -> None:
    job = replace(request(), target=Target(kind, "x"))
    assert resource_config(job, "algo-1")["network_interface_name"] == card


def test_checkpoints_are_the_stored_prefix_itself(store: Store, tmp_path: Path) -> None:
    fill(store, "ck/step-1")
    checkpoint = Checkpoint(container_path="/opt/ml/checkpoints", uri="s3://b/ck")
    [host] = stage(store.objects, request(checkpoint=checkpoint), tmp_path)
    [mount] = host.mounts
    assert not mount.read_only
    assert [path.name for path in mount.source.iterdir()] == ["step-1"]

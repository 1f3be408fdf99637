"""Which changes of an endpoint are possible when; that containers follow is tested with the hosts."""

from __future__ import annotations

import pytest

from tests.hosted import Hosted
from trainyard.errors import Conflict, NotFound
from trainyard.execution.endpoint_records import LOCK, EndpointRecords, described, planned, weights

CAPTURE = {
    "InitialSamplingPercentage": 50,
    "DestinationS3Uri": "s3://bucket/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}


@pytest.fixture
def world(store, environments, plain_venv):
    world = Hosted(store, environments, plain_venv)
    world.model("a")
    world.model("b")
    world.config("one", {"a": 2}, DataCaptureConfig=CAPTURE)
    world.config("two", {"a": 1, "b": 1})
    return world


@pytest.fixture
def records(world) -> EndpointRecords:
    return world.hosts.records


def test_what_serves_changes_when_the_new_containers_do(world, records):
    records.create("e", "one", {})
    created = records.get("e")
    assert (created["EndpointStatus"], "ProductionVariants" in created) == ("Creating", False)
    records.serve("e", created["Pending"])
    served = described(records.get("e"))
    assert (served["EndpointStatus"], served["EndpointConfigName"]) == ("InService", "one")
    assert served["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 50,
        "DestinationS3Uri": "s3://bucket/captured",
        "KmsKeyId": "",
    }
    assert not {"Pending", "Deployment", "FailureReason"} & set(served)
    records.update(
        "e", "two", frozenset({"DesiredWeight", "DataCaptureConfig"}), {"LastDeploymentConfig": {}}
    )
    updating = records.get("e")
    assert weights(updating) == {"a": 2.0}
    assert weights(updating["Pending"]) == {"a": 2.0, "b": 1.0}
    assert updating["Pending"]["Deployment"]["DataCaptureConfig"] == CAPTURE
    records.give_up("e", "x" * 2000)
    assert records.get("e")["FailureReason"] == "x" * 1024
    assert weights(records.get("e")) == {"a": 2.0}
    records.update("e", "two", frozenset(), {})
    records.serve("e", records.get("e")["Pending"])
    assert not {"DataCaptureConfig", "FailureReason"} & set(described(records.get("e")))


def test_what_cannot_be_changed_now(records):
    records.create("e", "one", {})
    for change in (lambda: records.update("e", "two", frozenset(), {}), lambda: records.share("e", {})):
        with pytest.raises(Conflict, match="Cannot update in-progress endpoint"):
            change()
    pending = records.get("e")["Pending"]
    records.delete("e")
    with pytest.raises(Conflict, match="Deleting"):
        records.serve("e", pending)
    records.give_up("e", "too late")
    assert records.get("e")["EndpointStatus"] == "Deleting"
    records.remove("e")
    records.remove("e")
    records.give_up("e", "nobody is there")
    with pytest.raises(
        NotFound, match='Could not find endpoint "arn:aws:sagemaker:us-east-1:000000000000:endpoint/e"'
    ):
        records.share("e", {})


def test_recovering_judges_only_what_nobody_works_on(store, records):
    for name in ("creating", "held", "deleting"):
        records.create(name, "one", {})
    records.delete("deleting")
    with store.living("held", LOCK):
        records.recover()
    assert records.get("creating")["EndpointStatus"] == "Failed"
    assert "died" in records.get("creating")["FailureReason"]
    assert records.get("held")["EndpointStatus"] == "Creating"
    with pytest.raises(NotFound):
        records.get("deleting")


def test_serverless_variants_and_models_that_are_gone(world, store):
    variant = {
        "VariantName": "v",
        "ModelName": "a",
        "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1},
    }
    store.resources.add("endpoint-config", "s", {"ProductionVariants": [variant]})
    (shown,) = planned(store, "s")["ProductionVariants"]
    assert (shown["CurrentWeight"], shown["CurrentServerlessConfig"]["MaxConcurrency"]) == (1.0, 1)
    store.resources.remove("model", "a")
    with pytest.raises(NotFound, match=r'Could not find model "arn:.*model/a"'):
        planned(store, "s")

from __future__ import annotations

import json

import pytest

from trainyard.errors import EndpointError, Unsupported
from trainyard.execution.steps.transform_request import read_request
from trainyard.execution.transform.batches import MEGABYTE
from trainyard.execution.transform.instance import Instance, Settings


@pytest.fixture
def start(machine, store, arguments):
    """A started instance for a request, stopped after the test."""
    made = []

    def start(environment=None, *, containers=1, mode=None, **request) -> Instance:
        container = {
            "Image": "image",
            "ModelDataUrl": "s3://bucket/model.tar.gz",
            "Environment": environment or {},
        }
        container |= {"Mode": mode} if mode else {}
        model = {"ModelName": "m", "Containers": [container] * containers}
        made.append(
            Instance(machine, read_request("S", arguments(**request), "job"), model, f"algo-{len(made) + 1}")
        )
        made[-1].start()
        return made[-1]

    yield start
    for instance in made:
        instance.close()


def test_the_container_is_told_what_the_request_says(start) -> None:
    request = {"MaxPayloadInMB": 7, "BatchStrategy": "SingleRecord", "SplitType": "Line"}
    instance = start(
        {"SAGEMAKER_A": "model", "SAGEMAKER_B": "model"}, Environment={"SAGEMAKER_B": "job"}, **request
    )
    told = json.loads(instance.ask(b"environment"))
    assert told["SAGEMAKER_BATCH"] == "true"
    assert (told["SAGEMAKER_MAX_PAYLOAD_IN_MB"], told["SAGEMAKER_BATCH_STRATEGY"]) == ("7", "SINGLE_RECORD")
    assert "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS" not in told
    assert (told["SAGEMAKER_A"], told["SAGEMAKER_B"]) == ("model", "job")


def test_settings_come_from_the_request_then_the_container_then_the_defaults(start) -> None:
    said = {"MaxConcurrentTransforms": 8, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 2}
    defaults = start().settings()
    assert defaults == Settings(strategy="MultiRecord", max_bytes=6 * MEGABYTE, at_once=1)
    told = start({"PARAMETERS": json.dumps(said)}, SplitType="Line").settings()
    assert told == Settings(strategy="SingleRecord", max_bytes=2 * MEGABYTE, at_once=8)


def test_a_container_that_ends_is_not_asked_again(start) -> None:
    instance = start()
    instance.stop()
    with pytest.raises(EndpointError, match="being stopped"):
        instance.ask(b"x")


def test_containers_in_a_row_answer_one_another(start, store) -> None:
    assert start(containers=2).ask(b"x") == b"X"
    assert [path.stem for path in store.logs("job")] == ["algo-1-container-1", "algo-1-container-2"]


def test_many_models_transform_nothing(start) -> None:
    with pytest.raises(Unsupported, match="MultiModel"):
        start(mode="MultiModel")

from __future__ import annotations

import pytest

from trainyard.errors import NotFound
from trainyard.execution.s3 import parse_uri
from trainyard.execution.steps.model import check_data, describe


def test_a_model_has_its_own_or_a_minted_name() -> None:
    arguments = {"PrimaryContainer": {"Image": "i"}}
    minted = describe(arguments, "pipelines-e-Make-1")
    assert (minted["ModelName"], minted["PrimaryContainer"]) == ("pipelines-e-Make-1", {"Image": "i"})
    assert describe({**arguments, "ModelName": "mine"}, "x")["ModelArn"].endswith(":model/mine")


def test_the_artifacts_of_a_model_are_there_and_those_of_many_may_come_later(store) -> None:
    container = {"Image": "i", "ModelDataUrl": "s3://b/model.tar.gz"}
    for arguments in ({"PrimaryContainer": container}, {"Containers": [{"Image": "i"}, container]}):
        with pytest.raises(NotFound, match=r"Could not find model data at s3://b/model\.tar\.gz"):
            check_data(store, arguments)
    check_data(store, {"PrimaryContainer": {**container, "ModelDataUrl": "s3://b/", "Mode": "MultiModel"}})
    store.objects.put_bytes(b"", parse_uri("s3://b/model.tar.gz"))
    check_data(store, {"PrimaryContainer": container})

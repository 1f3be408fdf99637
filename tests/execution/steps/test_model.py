from __future__ import annotations

from trainyard.execution.steps.model import describe


def test_a_model_has_its_own_or_a_minted_name() -> None:
    arguments = {"PrimaryContainer": {"Image": "i"}}
    minted = describe(arguments, "pipelines-e-Make-1")
    assert (minted["ModelName"], minted["PrimaryContainer"]) == ("pipelines-e-Make-1", {"Image": "i"})
    assert describe({**arguments, "ModelName": "mine"}, "x")["ModelArn"].endswith(":model/mine")

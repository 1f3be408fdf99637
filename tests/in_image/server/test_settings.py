"""The environment is read once, and what is wrong in it is named."""

from __future__ import annotations

import os

import pytest

from trainyard.in_image.server.settings import BadSetting, Settings, available_cpus


def test_defaults_are_those_of_sagemaker():
    settings = Settings.from_environment({})
    assert (settings.program, settings.host, settings.port) == ("inference.py", "0.0.0.0", 8080)
    assert (settings.multi_model, settings.max_body_mb, settings.max_models) == (False, 6, 0)
    assert (settings.processes, settings.workers) == (1, available_cpus())
    many = Settings.from_environment({"SAGEMAKER_MULTI_MODEL": "true"})
    assert (many.processes, many.workers) == (available_cpus(), 1)


def test_everything_can_be_set():
    settings = Settings.from_environment(
        {
            "SAGEMAKER_PROGRAM": "other.py",
            "SAGEMAKER_BIND_ADDRESS": "127.0.0.1",
            "SAGEMAKER_BIND_TO_PORT": "0",
            "SAGEMAKER_MULTI_MODEL": "True",
            "TRAINYARD_PROCESSES": "4",
            "SAGEMAKER_MODEL_SERVER_WORKERS": "3",
            "TRAINYARD_MAX_QUEUE": "0",
            "TRAINYARD_MAX_MODELS": "12",
            "SAGEMAKER_MAX_PAYLOAD_IN_MB": "25",
            "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "10",
            "TRAINYARD_SERVER": "multi-model-server",
            "SAGEMAKER_MODEL_SERVER_TIMEOUT": "2",
            "TRAINYARD_MAX_BATCH": "8",
            "TRAINYARD_BATCH_WAIT_MS": "5",
            "SAGEMAKER_MODEL_SERVER_VMARGS": "-Xmx1g",
        }
    )
    pooled = ("other.py", "127.0.0.1", 0, True, 4, 3, 0, 12, 25, "text/csv", 10)
    assert settings == Settings(*pooled, "multi-model-server", 120, 8, 5, "-Xmx1g")


def test_seconds_win_over_minutes():
    variables = {"SAGEMAKER_MODEL_SERVER_TIMEOUT": "2", "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS": "7"}
    assert Settings.from_environment(variables).timeout == 7


def test_each_of_many_models_has_one_process_of_multi_model_server():
    variables = {"SAGEMAKER_MULTI_MODEL": "true", "TRAINYARD_SERVER": "multi-model-server"}
    assert Settings.from_environment(variables).workers == 1


def test_another_server_is_refused():
    with pytest.raises(BadSetting, match="TRAINYARD_SERVER is 'x'; it must be pooled or multi-model-server"):
        Settings.from_environment({"TRAINYARD_SERVER": "x"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAGEMAKER_BIND_TO_PORT", "65536"),
        ("SAGEMAKER_BIND_TO_PORT", "http"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "0"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", ""),
        ("TRAINYARD_MAX_MODELS", "-1"),
        ("TRAINYARD_PROCESSES", "0"),
        ("TRAINYARD_MAX_BATCH", "0"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name, value):
    with pytest.raises(BadSetting, match=f"{name} is '{value}'; it must be a whole number from "):
        Settings.from_environment({name: value})


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux binds processes to CPUs")
def test_cpus_are_those_that_may_be_used():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cpus() == 1
    finally:
        os.sched_setaffinity(0, before)

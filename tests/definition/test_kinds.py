from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

from trainyard.definition.kinds import STEP_TYPES


def test_the_types_are_those_of_the_installed_sdk():
    try:
        path = metadata.distribution("sagemaker-mlops").locate_file("sagemaker/mlops/workflow/steps.py")
    except metadata.PackageNotFoundError:
        pytest.skip("the SageMaker Python SDK v3 is not installed")
    enum = re.search(r"class StepTypeEnum\(Enum\):(.*?)\nclass ", Path(str(path)).read_text(), re.DOTALL)
    assert enum is not None
    assert set(re.findall(r'= "(\w+)"', enum[1])) == set(STEP_TYPES)


def test_retries_are_possible_where_aws_documents_them():
    allowed = {kind for kind, keys in STEP_TYPES.items() if "RetryPolicies" in keys}
    assert {"Processing", "Training", "Tuning", "AutoML", "Model", "RegisterModel", "Transform"} <= allowed
    assert allowed.isdisjoint({"Lambda", "Callback", "Condition", "Fail", "EMR"})

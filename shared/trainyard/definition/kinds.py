"""The step types of a definition, and the keys that a step of each may have.

Source: StepTypeEnum and the ``to_request`` methods of the SageMaker Python SDK v3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Branch = Literal["if", "else", "body"]
# The arguments that hold steps, for the types that nest them.
NESTED: Mapping[str, Mapping[str, Branch]] = {
    "Condition": {"IfSteps": "if", "ElseSteps": "else"},
    "ForEach": {"ForEachBody": "body"},
}

COMMON_KEYS = ("Name", "Type", "DisplayName", "Description", "DependsOn", "Arguments")
CACHE, RETRY, FILES = "CacheConfig", "RetryPolicies", "PropertyFiles"
READ_KEYS = (CACHE, RETRY, FILES)  # those that become values of their own
CHECK_KEYS = (
    "CheckType",
    "ModelPackageGroupName",
    "SkipCheck",
    "FailOnViolation",
    "RegisterNewBaseline",
    "SuppliedBaselineConstraints",
)
# What a step of each type may have beside the common keys.
STEP_TYPES: Mapping[str, tuple[str, ...]] = {
    "Condition": (),
    "Model": (RETRY,),
    "Processing": (CACHE, RETRY, FILES),
    "RegisterModel": (RETRY,),
    "Training": (CACHE, RETRY),
    "Transform": (CACHE, RETRY),
    "Callback": (CACHE, "SqsQueueUrl", "OutputParameters"),
    "Tuning": (CACHE, RETRY),
    "Lambda": (CACHE, "FunctionArn", "OutputParameters"),
    "QualityCheck": (CACHE, *CHECK_KEYS, "SuppliedBaselineStatistics"),
    "ClarifyCheck": (CACHE, *CHECK_KEYS, "ModelName"),
    "EMR": (CACHE,),
    "EMRServerless": (CACHE, RETRY),
    "Fail": (),
    "AutoML": (CACHE, RETRY),
    "EndpointConfig": (CACHE, RETRY),
    "Endpoint": (CACHE,),
    "InferenceComponent": (),
    "Lineage": (),
    "Job": (CACHE, RETRY),
    "Cleanup": (),
    "ForEach": (),
}
# Why a step of a type cannot run on one machine, for the types that never will.
REFUSED: Mapping[str, str] = {
    "EMR": "it needs an Amazon EMR cluster, and no Spark or Hadoop runs here; use a Processing step",
    "EMRServerless": "it needs an EMR Serverless application, and no Spark runs here; use a Processing step",
    "AutoML": "AutoML's algorithms are closed and run only on SageMaker; use a Tuning step",
    "InferenceComponent": "models share instances of an endpoint by it, and here each variant has its own "
    "container; use EndpointConfig and Endpoint steps, or a multi-model Model",
    "Lineage": "SageMaker's lineage graph (actions, artifacts, contexts) is not kept here; it has no effect on "
    "the other steps, so leave it out",
    "Job": "the job types behind it run only on SageMaker; use a Training or Processing step",
}

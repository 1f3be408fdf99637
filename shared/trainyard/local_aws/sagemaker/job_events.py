"""Events of training, processing, transform and tuning jobs, those of pipelines and of tuning jobs included.

Source: SageMaker Developer Guide, "Events that Amazon SageMaker AI sends to Amazon EventBridge": the detail is what
Describe answers, with the job's tags.
"""

from __future__ import annotations

import sys

from trainyard.execution.recording import Changes
from trainyard.execution.resources import Document
from trainyard.local_aws.context import Context
from trainyard.local_aws.json_api import service_model
from trainyard.local_aws.sagemaker import tags
from trainyard.local_aws.sagemaker.jobs import BY_KIND, complete

_NAMES = {
    "training-job": "SageMaker Training Job State Change",
    "processing-job": "SageMaker Processing Job State Change",
    "transform-job": "SageMaker Transform Job State Change",
    "hyper-parameter-tuning-job": "SageMaker HyperParameter Tuning Job State Change",
}


def announcer(context: Context) -> Changes:
    """What emits an event for each change of a job; a job does not fail because its event cannot be sent."""

    def announce(kind: str, document: Document) -> None:
        try:
            context.emit(_NAMES[kind], _detail(context, kind, document))
        except Exception as error:
            print(f"{_NAMES[kind]}: {error}", file=sys.stderr, flush=True)

    return announce


def _detail(context: Context, kind: str, document: Document) -> Document:
    jobs = BY_KIND[kind]
    shape = service_model("sagemaker").operation_model(f"Describe{jobs.member}").output_shape
    described = {name: value for name, value in complete(jobs, document).items() if name in shape.members}
    given = tags.of(context.store, document[f"{jobs.member}Arn"])
    return {**described, "Tags": {tag["Key"]: tag["Value"] for tag in given}}

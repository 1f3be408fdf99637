"""Training, processing, transform and tuning jobs: created, described, listed and stopped the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from trainyard.errors import AlreadyExists, Conflict, NotFound, UserError
from trainyard.execution.recording import Recording
from trainyard.execution.request import ARN
from trainyard.execution.resources import UNDER_WAY, Document
from trainyard.execution.work import WORK, Prepared
from trainyard.local_aws.context import Context, Handler
from trainyard.local_aws.messages import AwsError
from trainyard.local_aws.sagemaker import tags
from trainyard.local_aws.sagemaker.listing import page


@dataclass(frozen=True, kw_only=True)
class _Jobs:
    """A kind of job and AWS's words for it; ``{name}`` and ``{arn}`` stand for those of the job."""

    type: str
    kind: str
    noun: str
    missing: str
    taken: str
    missing_code: str = "ValidationException"
    sort: str = "CreationTime"
    order: str = "Ascending"

    @property
    def member(self) -> str:
        return f"{self.type}Job"

    def arn(self, name: str) -> str:
        return f"{ARN}:{self.kind}/{name}"

    def not_found(self, name: str) -> AwsError:
        return AwsError(self.missing_code, self.missing.format(name=name))

    def rejected(self, status: str) -> AwsError:
        said = f"The request was rejected because the {self.noun} is in status {status}."
        return AwsError("ValidationException", said)

    def in_use(self, name: str) -> AwsError:
        return AwsError("ResourceInUse", self.taken.format(name=name, arn=self.arn(name)))


_TRAINING = _Jobs(
    type="Training",
    kind="training-job",
    noun="training job",
    missing="Requested resource not found.",
    taken="Training job names must be unique within an AWS account and region, "
    "and a training job with this name already exists ({arn})",
)
_PROCESSING = _Jobs(
    type="Processing",
    kind="processing-job",
    noun="processing job",
    missing="Could not find requested job with name: {name}",
    taken="Job name must be unique within an AWS account and region, "
    "and a job with this name already exists ({arn})",
)
_TRANSFORM = _Jobs(
    type="Transform",
    kind="transform-job",
    noun="transform job",
    missing=_PROCESSING.missing,
    taken=_PROCESSING.taken,
    order="Descending",
)
_TUNING = _Jobs(
    type="HyperParameterTuning",
    kind="hyper-parameter-tuning-job",
    noun="hyperparameter tuning job",
    missing="Amazon SageMaker can't find a tuning job called {name}. Type another name.",
    missing_code="ResourceNotFound",
    taken="A hyperparameter tuning job with the name, {name}, already exists. Choose a different name.",
    sort="Name",
)
_ALL = (_TRAINING, _PROCESSING, _TRANSFORM, _TUNING)
BY_KIND = {jobs.kind: jobs for jobs in _ALL}


def create(jobs: _Jobs, context: Context, request: dict[str, Any]) -> dict[str, Any]:
    name = request[f"{jobs.member}Name"]
    tags.check(request)
    arguments = {member: value for member, value in request.items() if member != "Tags"}
    if jobs.type not in WORK:
        raise AwsError("UnsupportedOperation", f"{jobs.noun}s are not supported by the local endpoint")
    if context.store.resources.find(jobs.kind, name):
        raise jobs.in_use(name)
    _check_folder(context, name)
    try:
        prepared = WORK[jobs.type].prepare(context.new_machine(), name, arguments)
    except UserError as error:
        raise _plain(name, error) from error
    try:
        recording = context.store.recorder.begin(jobs.kind, name, arguments, context.background.stop)
    except AlreadyExists as error:
        raise jobs.in_use(name) from error
    try:
        tags.keep(context.store, jobs.arn(name), request)
        context.background.start(name, partial(_run, recording, prepared, context))
    except BaseException:
        recording.withdraw()
        tags.forget(context.store, jobs.arn(name))
        raise
    return {f"{jobs.member}Arn": jobs.arn(name)}


def describe(jobs: _Jobs, context: Context, request: dict[str, Any]) -> Document:
    return complete(jobs, _get(jobs, context, request[f"{jobs.member}Name"]))


def stop(jobs: _Jobs, context: Context, request: dict[str, Any]) -> dict[str, Any]:
    name = request[f"{jobs.member}Name"]
    try:
        context.store.recorder.stop(jobs.kind, name)
    except NotFound as error:
        raise jobs.not_found(name) from error
    except Conflict as error:
        status = _get(jobs, context, name)[f"{jobs.member}Status"]
        if status in UNDER_WAY:
            raise
        raise jobs.rejected(status) from error
    return {}


def delete_tuning(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Forget a tuning job that has ended; its training jobs stay."""
    name = request["HyperParameterTuningJobName"]
    status = _get(_TUNING, context, name)["HyperParameterTuningJobStatus"]
    if status in UNDER_WAY:
        raise _TUNING.rejected(status)
    context.store.resources.remove(_TUNING.kind, name)
    tags.forget(context.store, _TUNING.arn(name))
    return {}


def list_all(jobs: _Jobs, context: Context, request: dict[str, Any]) -> dict[str, Any]:
    found: Sequence[Document] = context.store.resources.all(jobs.kind)
    if "WarmPoolStatusEquals" in request or "TrainingPlanArnEquals" in request:
        found = []  # no job here has either
    return _page(jobs, request, [complete(jobs, document) for document in found], sort=jobs.sort)


def list_of_tuning(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    tuning = _get(_TUNING, context, request["HyperParameterTuningJobName"])
    arn, begun = tuning["HyperParameterTuningJobArn"], tuning["CreationTime"]
    found = [each for each in context.store.resources.all(_TRAINING.kind) if each.get("TuningJobArn") == arn]
    found = [each for each in found if each["CreationTime"] >= begun]  # not of a deleted one of this name
    objective = "FinalHyperParameterTuningJobObjectiveMetric"
    if request.get("SortBy") == "FinalObjectiveMetricValue":
        found = [each for each in found if objective in each]
    valued = [{**each, "Value": each.get(objective, {}).get("Value")} for each in found]
    return _page(_TRAINING, request, valued, sort="Name", sort_keys={"FinalObjectiveMetricValue": "Value"})


def _run(recording: Recording, prepared: Prepared, context: Context) -> None:
    try:
        with recording:
            try:
                recording.finish(prepared(recording, context.watch))
            except UserError as error:
                raise _plain(recording.name, error) from error
    except UserError:
        pass  # the recording has it as the FailureReason


def _get(jobs: _Jobs, context: Context, name: str) -> Document:
    try:
        return context.store.resources.get(jobs.kind, name)
    except NotFound as error:
        raise jobs.not_found(name) from error


def _page(
    jobs: _Jobs,
    request: Mapping[str, Any],
    found: Sequence[Document],
    *,
    sort: str,
    sort_keys: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    name, status = f"{jobs.member}Name", f"{jobs.member}Status"
    keys = {"Name": name, "CreationTime": "CreationTime", "Status": status, **(sort_keys or {})}
    return page(
        request, found, summary=lambda document: document, sort_keys=keys, default_sort=sort, status=status,
        name=name, key=f"{jobs.member}Summaries", order=jobs.order,
    )  # fmt: skip


def complete(jobs: _Jobs, document: Document) -> Document:
    """With the members that AWS always answers, though neither the request nor a job that still runs has them."""
    if jobs is _TRAINING:
        output = document["OutputDataConfig"]
        file = "model.tar.gz" if output.get("CompressionType", "GZIP") == "GZIP" else "model/"
        place = f"{output['S3OutputPath'].rstrip('/')}/{document['TrainingJobName']}/output/{file}"
        return {
            "StoppingCondition": {"MaxRuntimeInSeconds": 86_400},
            "ModelArtifacts": {"S3ModelArtifacts": place},
            **document,
        }
    if jobs is _TUNING:
        config = document["HyperParameterTuningJobConfig"]
        trials = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")
        return {
            "TrainingJobStatusCounters": dict.fromkeys(trials, 0),
            "ObjectiveStatusCounters": dict.fromkeys(("Succeeded", "Pending", "Failed"), 0),
            "Strategy": config["Strategy"],
            "ResourceLimits": config["ResourceLimits"],
            **document,
        }
    return document


def _check_folder(context: Context, name: str) -> None:
    if context.store.job_folder(name).exists():
        raise AwsError(
            "ResourceInUse",
            f"a job named {name!r} has its files in {context.store.job_folder(name)}; here, jobs of all kinds "
            "share their names, so choose another one",
        )


def _plain(name: str, error: UserError) -> UserError:
    """The error without the name of a step, which who calls the API does not have."""
    if isinstance(error, AwsError):
        return error
    text = str(error).replace(f"step {name!r} ", "the request ")
    for prefix in (f"step {name!r}: ", f"step {name!r}, ", "Arguments."):
        text = text.replace(prefix, "")
    return type(error)(text)


OPERATIONS: dict[str, Handler] = {
    f"{verb}{jobs.member}{'s' if verb == 'List' else ''}": partial(do, jobs)
    for jobs in _ALL
    for verb, do in (("Create", create), ("Describe", describe), ("Stop", stop), ("List", list_all))
}
OPERATIONS |= {
    "ListTrainingJobsForHyperParameterTuningJob": list_of_tuning,
    "DeleteHyperParameterTuningJob": delete_tuning,
}

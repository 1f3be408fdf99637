"""What the pipelines of all families are made of: parameters, caching, retries, steps and their inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sagemaker.core import shapes
from sagemaker.core.lambda_helper import Lambda
from sagemaker.core.processing import Processor
from sagemaker.core.training import configs
from sagemaker.core.workflow import ExecutionVariables, Join, PipelineVariable
from sagemaker.core.workflow.parameters import Parameter, ParameterFloat, ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow import ModelStep, retry
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep
from sagemaker.serve import ModelBuilder
from sagemaker.train import ModelTrainer

from trainyard.errors import DefinitionError
from trainyard.families import Family
from trainyard.images.names import local_image

PROCESSING = "/opt/ml/processing"
CACHE = CacheConfig(enable_caching=True, expire_after="P30D")
CALL_ERRORS, JOB_ERRORS = list(retry.StepExceptionTypeEnum), list(retry.SageMakerJobExceptionTypeEnum)
RETRY_CALL = retry.StepRetryPolicy(CALL_ERRORS, interval_seconds=5, max_attempts=5)
RETRY_JOB = retry.SageMakerJobStepRetryPolicy(JOB_ERRORS, interval_seconds=60, max_attempts=5)
RETRIES = [RETRY_CALL, RETRY_JOB]
MAX_RUN, MAX_WAIT = 6 * 3600, 12 * 3600  # seconds of training; with the waiting for spot instances

Parameters = dict[str, Parameter]


def of_data(family: Family, session: PipelineSession) -> list[Parameter]:
    return [
        ParameterString("ImageUri", local_image(family)),
        ParameterString("InputDataUri"),
        ParameterString("OutputDataUri", f"s3://{session.default_bucket()}/{family.name}"),
    ]


def of_registry(family: Family, status: str = "PendingManualApproval") -> list[Parameter]:
    """``status`` is what is decided about a new package where nobody says otherwise."""
    decisions = ["PendingManualApproval", "Approved", "Rejected"]
    return [
        ParameterString("ModelPackageGroupName", family.name),
        ParameterString("ModelApprovalStatus", status, decisions),
    ]


def hyperparameters(family: Family) -> Parameters:
    """Every hyperparameter of the manifest, by its name there: learning_rate is set by LearningRate."""
    parameters: Parameters = {}
    for each in family.training.hyperparameters:
        name = each.name.title().replace("_", "")
        if each.type == "integer":
            parameters[each.name] = ParameterInteger(name, each.default)
        elif each.type == "continuous":
            parameters[each.name] = ParameterFloat(name, float(each.default))
        else:
            parameters[each.name] = ParameterString(name, each.default, list(each.values))
    return parameters


def trainer(
    family: Family,
    p: Parameters,
    instance: Parameter,
    count: Parameter | int,
    checkpoints: PipelineVariable,
    session: PipelineSession,
    *,
    values: Parameters | None = None,
    compression: str = "NONE",
) -> ModelTrainer:
    """Trains as the family's manifest says, with a parameter for each hyperparameter, or with other ``values``.

    ``checkpoints`` belongs to the data: where Preprocess is cached, an interrupted training finds its checkpoints
    again, and the address, part of AWS's cache key, is the same. Uncompressed, each model's archive stays an object
    of its own, to be served, and registered, alone; ``compression`` GZIP makes one archive of all that there is.
    """
    training = family.training
    metrics = [configs.MetricDefinition(name=each.name, regex=each.regex) for each in training.metrics]
    return ModelTrainer(
        training_image=p["ImageUri"],
        base_job_name=family.name,
        compute=configs.Compute(
            instance_type=instance, instance_count=count, enable_managed_spot_training=training.spot
        ),
        stopping_condition=stopping(spot=training.spot),
        checkpoint_config=configs.CheckpointConfig(local_path=training.checkpoint, s3_uri=checkpoints),
        output_data_config=configs.OutputDataConfig(
            s3_output_path=uri("models", p), compression_type=compression
        ),
        hyperparameters={
            name: each.to_string() for name, each in (values or hyperparameters(family)).items()
        },
        sagemaker_session=session,
    ).with_metric_definitions(metrics)


def stopping(*, spot: bool, max_run: int = MAX_RUN, max_wait: int = MAX_WAIT) -> configs.StoppingCondition:
    """Seconds, as literals: the SDK accepts no parameters here, and AWS no waiting time without spot.

    Raises DefinitionError where there is no time to wait for a spot instance.
    """
    if spot and max_run >= max_wait:
        raise DefinitionError(
            f"max_run {max_run} s, max_wait {max_wait} s: with managed spot training, max_wait holds the training and "
            "the waiting for instances, so it must be more than max_run"
        )
    return configs.StoppingCondition(
        max_runtime_in_seconds=max_run, max_wait_time_in_seconds=max_wait if spot else None
    )


def registration(
    family: Family,
    p: Parameters,
    models: str | PipelineVariable | dict[str, Any],
    quality: PipelineVariable,
    instance: Parameter,
    properties: Mapping[str, Any],
    session: PipelineSession,
) -> ModelStep:
    """Registers ``models``, a URI or a ModelDataSource, as a version with the numbers in ``quality``."""
    source = shapes.MetricsSource(content_type="application/json", s3_uri=quality)
    builder = ModelBuilder(
        image_uri=p["ImageUri"],
        s3_model_data_url=models,
        # Without a role ModelBuilder asks STS for the caller's, though registering needs none; by default,
        # which is {"auto": False}, dependencies make it overwrite SAGEMAKER_PROGRAM and others of the image.
        role_arn="unused",
        dependencies={},
        sagemaker_session=session,
    )
    return ModelStep(
        name="RegisterModel",
        step_args=builder.register(
            model_package_group_name=p["ModelPackageGroupName"],
            content_types=list(family.serving.content_types),
            response_types=list(family.serving.accept),
            inference_instances=[instance],
            model_metrics=shapes.ModelMetrics(model_quality=shapes.ModelQuality(statistics=source)),
            approval_status=p["ModelApprovalStatus"],
            customer_metadata_properties={
                "PipelineExecutionId": ExecutionVariables.PIPELINE_EXECUTION_ID,
                **properties,
            },
        ),
        retry_policies=[RETRY_CALL],  # the SDK refuses job retries: there is no job
    )


def function(name: str, session: PipelineSession) -> Lambda:
    """In the account of the role that trains, made there beforehand; here it is found by its name."""
    arn = role("TrainingJob", "RoleArn", session)
    _, partition, _, _, account, _ = arn.split(":")
    arn = f"arn:{partition}:lambda:{session.boto_region_name}:{account}:function:{name}"
    return Lambda(function_arn=arn, session=session)


def role(of: str, member: str, session: PipelineSession) -> str:
    """What the session brings: no role is named in a pipeline."""
    return str(session.sagemaker_config["SageMaker"][of][member])


def processor(script: str, instance: Parameter, p: Parameters, session: PipelineSession) -> Processor:
    """Runs a script of the image that the parameter ImageUri names."""
    return Processor(
        image_uri=p["ImageUri"],
        entrypoint=["python3", f"/opt/ml/code/{script}"],
        instance_type=instance,
        instance_count=1,
        sagemaker_session=session,
    )


def read(name: str, uri: PipelineVariable, place: str = "") -> shapes.ProcessingInput:
    """An input that a script finds below /opt/ml/processing, in ``place``, or else in a folder of its name."""
    folder = f"{PROCESSING}/{place or name}"
    source = shapes.ProcessingS3Input(s3_uri=uri, s3_data_type="S3Prefix", local_path=folder)
    return shapes.ProcessingInput(input_name=name, s3_input=source)


def write(name: str, p: Parameters) -> shapes.ProcessingOutput:
    """An output, stored below the execution."""
    folder = f"{PROCESSING}/{name}"
    target = shapes.ProcessingS3Output(s3_uri=uri(name, p), local_path=folder, s3_upload_mode="EndOfJob")
    return shapes.ProcessingOutput(output_name=name, s3_output=target)


def uri(name: str, p: Parameters) -> Join:
    """Where an execution stores what has this name: no other execution writes there."""
    return Join(on="/", values=[p["OutputDataUri"], ExecutionVariables.PIPELINE_EXECUTION_ID, name])


def output(step: ProcessingStep, name: str, end: str = "/") -> Join:
    """S3 prefixes are text: without the slash, ``train`` would be ``train-checkpoints`` as well."""
    return Join(values=[step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri, end])

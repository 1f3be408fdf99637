"""What the pipelines of all families are made of: caching, retries, hyperparameters, inputs and outputs of steps."""

from __future__ import annotations

from sagemaker.core import shapes
from sagemaker.core.processing import Processor
from sagemaker.core.training import configs
from sagemaker.core.workflow import ExecutionVariables, Join, PipelineVariable
from sagemaker.core.workflow.parameters import Parameter, ParameterFloat, ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow import retry
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep
from sagemaker.train import ModelTrainer

from trainyard.families import Family

PROCESSING = "/opt/ml/processing"
CACHE = CacheConfig(enable_caching=True, expire_after="P30D")
CALL_ERRORS, JOB_ERRORS = list(retry.StepExceptionTypeEnum), list(retry.SageMakerJobExceptionTypeEnum)
RETRY_CALL = retry.StepRetryPolicy(CALL_ERRORS, interval_seconds=5, max_attempts=5)
RETRY_JOB = retry.SageMakerJobStepRetryPolicy(JOB_ERRORS, interval_seconds=60, max_attempts=5)
RETRIES = [RETRY_CALL, RETRY_JOB]

Parameters = dict[str, Parameter]


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
) -> ModelTrainer:
    """Trains as the family's manifest says, with a parameter for each hyperparameter.

    ``checkpoints`` lies beside the data it belongs to: where Preprocess is cached, an interrupted training finds
    its checkpoints again, and the address, part of AWS's cache key, is the same.
    """
    training = family.training
    metrics = [configs.MetricDefinition(name=each.name, regex=each.regex) for each in training.metrics]
    return ModelTrainer(
        training_image=p["ImageUri"],
        base_job_name=family.name,
        compute=configs.Compute(
            instance_type=instance, instance_count=count, enable_managed_spot_training=training.spot
        ),
        # Literals: the SDK accepts no parameters here, and AWS no waiting time without spot.
        stopping_condition=configs.StoppingCondition(
            max_runtime_in_seconds=6 * 3600, max_wait_time_in_seconds=12 * 3600 if training.spot else None
        ),
        checkpoint_config=configs.CheckpointConfig(local_path=training.checkpoint, s3_uri=checkpoints),
        # Uncompressed: each model's archive stays an object of its own, to be served, and registered, alone.
        output_data_config=configs.OutputDataConfig(s3_output_path=uri("models", p), compression_type="NONE"),
        hyperparameters={name: each.to_string() for name, each in hyperparameters(family).items()},
        sagemaker_session=session,
    ).with_metric_definitions(metrics)


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

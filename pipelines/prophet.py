"""The Prophet pipeline: one model per customer, judged on held-out days, registered as one package.

    Preprocess -> Train -> Evaluate -> CheckAccuracy -> RegisterModel, or AccuracyTooLow

Every step runs the family's own image, in which the code lies at /opt/ml/code: compiling uploads nothing.
No role is named here: the session brings them (``SageMaker.<job kind>.RoleArn`` of the SDK's defaults).
"""

from __future__ import annotations

from sagemaker.core import shapes
from sagemaker.core.processing import Processor
from sagemaker.core.training import configs
from sagemaker.core.workflow import ExecutionVariables, Join, JsonGet, PipelineVariable, PropertyFile
from sagemaker.core.workflow.conditions import ConditionLessThanOrEqualTo
from sagemaker.core.workflow.parameters import Parameter, ParameterFloat, ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow import ConditionStep, FailStep, ModelStep, Pipeline, retry
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TrainingStep
from sagemaker.serve import ModelBuilder
from sagemaker.train import ModelTrainer

from trainyard.families import Family
from trainyard.images.names import local_image

PROCESSING = "/opt/ml/processing"
CACHE = CacheConfig(enable_caching=True, expire_after="P30D")
CALL_ERRORS, JOB_ERRORS = list(retry.StepExceptionTypeEnum), list(retry.SageMakerJobExceptionTypeEnum)
RETRY_CALL = retry.StepRetryPolicy(CALL_ERRORS, interval_seconds=5, max_attempts=5)
RETRY_JOB = retry.SageMakerJobStepRetryPolicy(JOB_ERRORS, interval_seconds=60, max_attempts=5)
REPORT = PropertyFile(name="EvaluationReport", output_name="evaluation", path="evaluation.json")

Parameters = dict[str, Parameter]


def build(family: Family, session: PipelineSession) -> Pipeline:
    """Build the pipeline of ``family`` for the account, roles and default bucket of ``session``."""
    p = _parameters(family, session)
    preprocess = _preprocess(p, session)
    train = _train(family, p, preprocess, session)
    evaluate = _evaluate(p, preprocess, train, session)
    register = _register(family, p, train, evaluate, session)

    mase = JsonGet(step_name=evaluate.name, property_file=REPORT, json_path="overall.mase.median")
    refusal = Join(values=["The median MASE is ", mase, "; MaxMase allows at most ", p["MaxMase"]])
    check = ConditionStep(
        name="CheckAccuracy",
        conditions=[ConditionLessThanOrEqualTo(left=mase, right=p["MaxMase"])],
        if_steps=[register],
        else_steps=[FailStep(name="AccuracyTooLow", error_message=refusal)],
    )
    return Pipeline(
        name=family.name,
        parameters=list(p.values()),
        steps=[preprocess, train, evaluate, check],
        sagemaker_session=session,
    )


def _parameters(family: Family, session: PipelineSession) -> Parameters:
    decisions = ["PendingManualApproval", "Approved", "Rejected"]
    parameters = [
        ParameterString("ImageUri", local_image(family)),
        ParameterString("InputDataUri"),
        ParameterString("OutputDataUri", f"s3://{session.default_bucket()}/{family.name}"),
        *_preprocessing().values(),
        ParameterString("ProcessingInstanceType", family.training.instance),
        ParameterString("TrainingInstanceType", family.training.instance),
        ParameterInteger("TrainingInstanceCount", 1),
        ParameterString("InferenceInstanceType", family.serving.instance),
        ParameterFloat("MaxMase", 1.0),
        ParameterString("ModelPackageGroupName", family.name),
        ParameterString("ModelApprovalStatus", decisions[0], decisions),
        *_hyperparameters(family).values(),
    ]
    return {parameter.name: parameter for parameter in parameters}


def _preprocessing() -> Parameters:
    """By the names that preprocess.py has for them."""
    return {
        "customer-column": ParameterString("CustomerColumn", "customer_id"),
        "timestamp-column": ParameterString("TimestampColumn", "timestamp"),
        "timestamp-format": ParameterString("TimestampFormat", ""),
        "timezone": ParameterString("Timezone", "UTC"),
        "value-column": ParameterString("ValueColumn", "consumption"),
        "decimal": ParameterString("Decimal", ".", [".", ","]),
        "on-negative": ParameterString("OnNegative", "keep", ["keep", "drop", "zero"]),
        "on-duplicate": ParameterString("OnDuplicate", "mean", ["mean", "first", "last", "sum", "error"]),
        "on-missing": ParameterString("OnMissing", "drop", ["drop", "interpolate", "zero"]),
        "min-rows": ParameterInteger("MinRows", 2),
        "horizon": ParameterInteger("Horizon", 7),
    }


def _hyperparameters(family: Family) -> Parameters:
    """Every hyperparameter of the manifest: seasonality_mode is set by SeasonalityMode."""
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


def _preprocess(p: Parameters, session: PipelineSession) -> ProcessingStep:
    options = _preprocessing().items()
    return ProcessingStep(
        name="Preprocess",
        step_args=_processor("preprocess.py", p, session).run(
            inputs=[_read("raw", p["InputDataUri"], "input/raw")],
            outputs=[_write("train", p), _write("test", p), _write("quality", p)],
            arguments=[word for name, each in options for word in (f"--{name}", each.to_string())],
        ),
        cache_config=CACHE,
        retry_policies=[RETRY_CALL, RETRY_JOB],
    )


def _train(
    family: Family, p: Parameters, preprocess: ProcessingStep, session: PipelineSession
) -> TrainingStep:
    spot, customers = family.training.spot, _output(preprocess, "train")
    metrics = [configs.MetricDefinition(name=each.name, regex=each.regex) for each in family.training.metrics]
    trainer = ModelTrainer(
        training_image=p["ImageUri"],
        base_job_name=family.name,
        compute=configs.Compute(
            instance_type=p["TrainingInstanceType"],
            instance_count=p["TrainingInstanceCount"],
            enable_managed_spot_training=spot,
        ),
        # Literals: the SDK accepts no parameters here, and AWS no waiting time without spot.
        stopping_condition=configs.StoppingCondition(
            max_runtime_in_seconds=6 * 3600, max_wait_time_in_seconds=12 * 3600 if spot else None
        ),
        # Beside the data it belongs to: where Preprocess is cached, an interrupted training finds its
        # checkpoints again, and the address, part of AWS's cache key, is the same.
        checkpoint_config=configs.CheckpointConfig(
            local_path=family.training.checkpoint, s3_uri=_output(preprocess, "train", "-checkpoints")
        ),
        # Uncompressed: each customer's archive stays an object of its own, as multi-model endpoints want.
        output_data_config=configs.OutputDataConfig(
            s3_output_path=_uri("models", p), compression_type="NONE"
        ),
        hyperparameters={name: each.to_string() for name, each in _hyperparameters(family).items()},
        sagemaker_session=session,
    ).with_metric_definitions(metrics)
    shard = configs.S3DataSource(
        s3_data_type="S3Prefix", s3_uri=customers, s3_data_distribution_type="ShardedByS3Key"
    )
    channel = configs.InputData(channel_name="training", data_source=shard, content_type="text/csv")
    return TrainingStep(
        name="Train",
        step_args=trainer.train(input_data_config=[channel]),
        cache_config=CACHE,
        retry_policies=[RETRY_CALL, RETRY_JOB],
    )


def _evaluate(
    p: Parameters, preprocess: ProcessingStep, train: TrainingStep, session: PipelineSession
) -> ProcessingStep:
    job = train.properties
    report = [job.OutputDataConfig.S3OutputPath, job.TrainingJobName, "output/data/"]
    return ProcessingStep(
        name="Evaluate",
        step_args=_processor("evaluate.py", p, session).run(
            inputs=[
                *(_read(name, _output(preprocess, name)) for name in ("train", "test", "quality")),
                _read("models", job.ModelArtifacts.S3ModelArtifacts),
                _read("training", Join(on="/", values=report)),
            ],
            outputs=[_write("evaluation", p)],
        ),
        property_files=[REPORT],
        cache_config=CACHE,
        retry_policies=[RETRY_CALL, RETRY_JOB],
    )


def _register(
    family: Family, p: Parameters, train: TrainingStep, evaluate: ProcessingStep, session: PipelineSession
) -> ModelStep:
    uri = train.properties.ModelArtifacts.S3ModelArtifacts
    models = {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
    quality = _output(evaluate, "evaluation", "/model_quality.json")
    source = shapes.MetricsSource(content_type="application/json", s3_uri=quality)
    builder = ModelBuilder(
        image_uri=p["ImageUri"],
        s3_model_data_url={"S3DataSource": models},
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
            inference_instances=[p["InferenceInstanceType"]],
            model_metrics=shapes.ModelMetrics(model_quality=shapes.ModelQuality(statistics=source)),
            approval_status=p["ModelApprovalStatus"],
            customer_metadata_properties={
                "PipelineExecutionId": ExecutionVariables.PIPELINE_EXECUTION_ID,
                "TrainingJobName": train.properties.TrainingJobName,
                "InputDataUri": p["InputDataUri"],
                "Horizon": p["Horizon"].to_string(),
            },
        ),
        retry_policies=[RETRY_CALL],  # the SDK refuses job retries: there is no job
    )


def _processor(script: str, p: Parameters, session: PipelineSession) -> Processor:
    return Processor(
        image_uri=p["ImageUri"],
        entrypoint=["python3", f"/opt/ml/code/{script}"],
        instance_type=p["ProcessingInstanceType"],
        instance_count=1,
        sagemaker_session=session,
    )


def _read(name: str, uri: PipelineVariable, place: str = "") -> shapes.ProcessingInput:
    folder = f"{PROCESSING}/{place or name}"
    source = shapes.ProcessingS3Input(s3_uri=uri, s3_data_type="S3Prefix", local_path=folder)
    return shapes.ProcessingInput(input_name=name, s3_input=source)


def _write(name: str, p: Parameters) -> shapes.ProcessingOutput:
    folder = f"{PROCESSING}/{name}"
    target = shapes.ProcessingS3Output(s3_uri=_uri(name, p), local_path=folder, s3_upload_mode="EndOfJob")
    return shapes.ProcessingOutput(output_name=name, s3_output=target)


def _uri(name: str, p: Parameters) -> Join:
    return Join(on="/", values=[p["OutputDataUri"], ExecutionVariables.PIPELINE_EXECUTION_ID, name])


def _output(step: ProcessingStep, name: str, end: str = "/") -> Join:
    """S3 prefixes are text: without the slash, the input ``train`` would be ``train-checkpoints`` as well."""
    return Join(values=[step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri, end])

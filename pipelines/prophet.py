"""The Prophet pipeline: one model per customer, judged on held-out days, registered as one package.

    Preprocess -> Train -> Evaluate -> CheckAccuracy -> RegisterModel, or AccuracyTooLow

Every step runs the family's own image, in which the code lies at /opt/ml/code: compiling uploads nothing.
No role is named here: the session brings them (``SageMaker.<job kind>.RoleArn`` of the SDK's defaults).
"""

from __future__ import annotations

from sagemaker.core.training import configs
from sagemaker.core.workflow import Join, JsonGet, PropertyFile
from sagemaker.core.workflow.conditions import ConditionLessThanOrEqualTo
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow import ConditionStep, FailStep, ModelStep, Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep

from pipelines import _parts as parts
from trainyard.families import Family

REPORT = PropertyFile(name="EvaluationReport", output_name="evaluation", path="evaluation.json")


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


def _parameters(family: Family, session: PipelineSession) -> parts.Parameters:
    parameters = [
        *parts.of_data(family, session),
        *_preprocessing().values(),
        ParameterString("ProcessingInstanceType", family.training.instance),
        ParameterString("TrainingInstanceType", family.training.instance),
        ParameterInteger("TrainingInstanceCount", 1),
        ParameterString("InferenceInstanceType", family.serving.instance),
        ParameterFloat("MaxMase", 1.0),
        *parts.of_registry(family),
        *parts.hyperparameters(family).values(),
    ]
    return {parameter.name: parameter for parameter in parameters}


def _preprocessing() -> parts.Parameters:
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


def _preprocess(p: parts.Parameters, session: PipelineSession) -> ProcessingStep:
    options = _preprocessing().items()
    return ProcessingStep(
        name="Preprocess",
        step_args=parts.processor("preprocess.py", p["ProcessingInstanceType"], p, session).run(
            inputs=[parts.read("raw", p["InputDataUri"], "input/raw")],
            outputs=[parts.write("train", p), parts.write("test", p), parts.write("quality", p)],
            arguments=[word for name, each in options for word in (f"--{name}", each.to_string())],
        ),
        cache_config=parts.CACHE,
        retry_policies=parts.RETRIES,
    )


def _train(
    family: Family, p: parts.Parameters, preprocess: ProcessingStep, session: PipelineSession
) -> TrainingStep:
    customers, count = parts.output(preprocess, "train"), p["TrainingInstanceCount"]
    checkpoints = parts.output(preprocess, "train", "-checkpoints")
    trainer = parts.trainer(family, p, p["TrainingInstanceType"], count, checkpoints, session)
    shard = configs.S3DataSource(
        s3_data_type="S3Prefix", s3_uri=customers, s3_data_distribution_type="ShardedByS3Key"
    )
    channel = configs.InputData(channel_name="training", data_source=shard, content_type="text/csv")
    return TrainingStep(
        name="Train",
        step_args=trainer.train(input_data_config=[channel]),
        cache_config=parts.CACHE,
        retry_policies=parts.RETRIES,
    )


def _evaluate(
    p: parts.Parameters, preprocess: ProcessingStep, train: TrainingStep, session: PipelineSession
) -> ProcessingStep:
    job = train.properties
    report = [job.OutputDataConfig.S3OutputPath, job.TrainingJobName, "output/data/"]
    return ProcessingStep(
        name="Evaluate",
        step_args=parts.processor("evaluate.py", p["ProcessingInstanceType"], p, session).run(
            inputs=[
                *(parts.read(name, parts.output(preprocess, name)) for name in ("train", "test", "quality")),
                parts.read("models", job.ModelArtifacts.S3ModelArtifacts),
                parts.read("training", Join(on="/", values=report)),
            ],
            outputs=[parts.write("evaluation", p)],
        ),
        property_files=[REPORT],
        cache_config=parts.CACHE,
        retry_policies=parts.RETRIES,
    )


def _register(
    family: Family,
    p: parts.Parameters,
    train: TrainingStep,
    evaluate: ProcessingStep,
    session: PipelineSession,
) -> ModelStep:
    uri = train.properties.ModelArtifacts.S3ModelArtifacts
    models = {"S3DataSource": {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}}
    properties = {
        "TrainingJobName": train.properties.TrainingJobName,
        "InputDataUri": p["InputDataUri"],
        "Horizon": p["Horizon"].to_string(),
    }
    quality = parts.output(evaluate, "evaluation", "/model_quality.json")
    return parts.registration(family, p, models, quality, p["InferenceInstanceType"], properties, session)

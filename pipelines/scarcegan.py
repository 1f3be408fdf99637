"""The ScarceGAN pipeline: four fold models per job, judged on held-out users, each registered as a package.

    Preprocess -> Train -> Registered -> Evaluate -> CheckQuality -> RegisterModels, or QualityTooLow

``InputDataUri`` ends with a slash; below it are the five inputs data_unlabeled, data_risky and so on. Registered
lists the models' last versions, for Evaluate to set beside this run. Its event has nothing of the execution, so a
second run takes it, and all behind it, from the cache. Both functions are pipelines/lambdas/register_models.
Every step runs the family's own image, in which the code lies at /opt/ml/code: compiling uploads nothing.
"""

from __future__ import annotations

from typing import Any

from sagemaker.core.training import configs
from sagemaker.core.workflow import ExecutionVariables, Join, JsonGet, PropertyFile
from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow import ConditionStep, FailStep, Pipeline
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep

from pipelines import _parts as parts
from trainyard.families import Family

REPORT = PropertyFile(name="EvaluationReport", output_name="evaluation", path="evaluation.json")

INPUTS = ("data_unlabeled", "data_risky", "data_dormant", "data_normal", "data_heavy")
CHANNELS = {
    "train_data": "train_output_data",
    "train_label": "train_output_label",
    "val_data": "val_output_data",
    "val_label": "val_output_label",
    "kfold_data": "train_kfold_output_data",
    "unlabeled_data": "unlabeled_output_data",
    "unlabeled_kfold_data": "unlabeled_kfold_output_data",
    "scaler": "scaler_output",
}
"""Of Train, by the output of Preprocess that each is."""
OUTPUTS = (*CHANNELS.values(), "test_output", "quality_output")


def build(family: Family, session: PipelineSession) -> Pipeline:
    """Build the pipeline of ``family`` for the account, roles and default bucket of ``session``."""
    p = _parameters(family, session)
    preprocess = _preprocess(p, session)
    train = _train(family, p, preprocess, session)
    registered = _registered(p, train, session)
    evaluate = _evaluate(p, preprocess, train, registered, session)
    register = _register(family, p, train, evaluate, session)

    recall, precision = (
        JsonGet(step_name=evaluate.name, property_file=REPORT, json_path=f"overall.{name}")
        for name in ("recall", "average_precision")
    )
    refusal = [
        *("The mean of the models has recall ", recall, ", MinRecall is ", p["MinRecall"]),
        *("; average precision ", precision, ", MinAveragePrecision is ", p["MinAveragePrecision"]),
    ]
    check = ConditionStep(
        name="CheckQuality",
        conditions=[
            ConditionGreaterThanOrEqualTo(left=recall, right=p["MinRecall"]),
            ConditionGreaterThanOrEqualTo(left=precision, right=p["MinAveragePrecision"]),
        ],
        if_steps=[register],
        else_steps=[FailStep(name="QualityTooLow", error_message=Join(values=refusal))],
    )
    return Pipeline(
        name=family.name,
        parameters=list(p.values()),
        steps=[preprocess, train, registered, evaluate, check],
        sagemaker_session=session,
    )


def _parameters(family: Family, session: PipelineSession) -> parts.Parameters:
    parameters = [
        *parts.of_data(family, session),
        *_preprocessing().values(),
        ParameterString("PreprocessInstanceType", family.training.instance),
        ParameterString("TrainInstanceType", family.training.instance),
        ParameterString("EvaluateInstanceType", family.training.instance),
        ParameterString("InferenceInstanceType", family.serving.instance),
        ParameterFloat("MinRecall", 0.5),
        ParameterFloat("MinAveragePrecision", 0.3),
        *parts.of_registry(family),
        # Not found out here: a definition is the same for every commit that does not change it.
        ParameterString("GitRevision", ""),
        *parts.hyperparameters(family).values(),
    ]
    return {parameter.name: parameter for parameter in parameters}


def _preprocessing() -> parts.Parameters:
    """By the names that preprocess.py has for them."""
    return {
        "user-column": ParameterString("UserColumn", "user"),
        "day-column": ParameterString("DayColumn", "day"),
        "columns": ParameterString("Columns", ""),
        "on-nan": ParameterString("OnNan", "refuse", ["refuse", "drop", "zero"]),
        "on-constant": ParameterString("OnConstant", "refuse", ["refuse", "drop", "keep"]),
        "on-conflict": ParameterString("OnConflict", "refuse", ["refuse", "drop"]),
        "transform": ParameterString("Transform", "log1p", ["log1p", "none"]),
        "folds": ParameterInteger("Folds", 4),
        "validation-share": ParameterFloat("ValidationShare", 0.1),
        "test-share": ParameterFloat("TestShare", 0.2),
        "seed": ParameterInteger("SplitSeed", 0),
    }


def _preprocess(p: parts.Parameters, session: PipelineSession) -> ProcessingStep:
    options = _preprocessing().items()
    return ProcessingStep(
        name="Preprocess",
        step_args=parts.processor("preprocess.py", p["PreprocessInstanceType"], p, session).run(
            inputs=[
                parts.read(name, Join(values=[p["InputDataUri"], f"{name}/"]), f"input/{name}")
                for name in INPUTS
            ],
            outputs=[parts.write(name, p) for name in OUTPUTS],
            arguments=[word for name, each in options for word in (f"--{name}", each.to_string())],
        ),
        cache_config=parts.CACHE,
        retry_policies=parts.RETRIES,
    )


def _train(
    family: Family, p: parts.Parameters, preprocess: ProcessingStep, session: PipelineSession
) -> TrainingStep:
    trainer = parts.trainer(
        family,
        p,
        p["TrainInstanceType"],
        1,
        parts.output(preprocess, "train_output_data", "-checkpoints"),
        session,
    )
    channels = [
        configs.InputData(channel_name=name, data_source=parts.output(preprocess, output))
        for name, output in CHANNELS.items()
    ]
    return TrainingStep(
        name="Train",
        step_args=trainer.train(input_data_config=channels),
        cache_config=parts.CACHE,
        retry_policies=parts.RETRIES,
    )


def _registered(p: parts.Parameters, train: TrainingStep, session: PipelineSession) -> LambdaStep:
    event = _job(p, train) | {"action": "list", "output": train.properties.OutputDataConfig.S3OutputPath}
    return LambdaStep(
        name="Registered",
        lambda_func=parts.function("register_models", session),
        inputs=event,
        outputs=[LambdaOutput("RegisteredUri")],
        cache_config=parts.CACHE,
    )


def _evaluate(
    p: parts.Parameters,
    preprocess: ProcessingStep,
    train: TrainingStep,
    registered: LambdaStep,
    session: PipelineSession,
) -> ProcessingStep:
    of_preprocess = ("test_output", "quality_output", "unlabeled_output_data")
    return ProcessingStep(
        name="Evaluate",
        step_args=parts.processor("evaluate.py", p["EvaluateInstanceType"], p, session).run(
            inputs=[
                *(parts.read(name, parts.output(preprocess, name)) for name in of_preprocess),
                parts.read("models", train.properties.ModelArtifacts.S3ModelArtifacts),
                parts.read("registered", registered.properties.Outputs["RegisteredUri"]),
            ],
            outputs=[parts.write("evaluation", p)],
            arguments=["--prevalence", p["Prevalence"].to_string()],
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
) -> LambdaStep:
    """Not cached: a training job's models are registered once however often it is asked for."""
    event = _job(p, train) | {
        "action": "register",
        "evaluation": parts.output(evaluate, "evaluation"),
        "image": p["ImageUri"],
        "status": p["ModelApprovalStatus"],
        "content_types": list(family.serving.content_types),
        "response_types": list(family.serving.accept),
        "instances": [p["InferenceInstanceType"]],
        "properties": {
            "PipelineExecutionId": ExecutionVariables.PIPELINE_EXECUTION_ID,
            "InputDataUri": p["InputDataUri"],
            "GitRevision": p["GitRevision"],
        },
    }
    arns = LambdaOutput("ModelPackageArns")
    number = LambdaOutput("NewModelPackages", LambdaOutputTypeEnum.Integer)
    return LambdaStep(
        name="RegisterModels",
        lambda_func=parts.function("register_models", session),
        inputs=event,
        outputs=[arns, number],
    )


def _job(p: parts.Parameters, train: TrainingStep) -> dict[str, Any]:
    return {
        "group": p["ModelPackageGroupName"],
        "training_job": train.properties.TrainingJobName,
        "models": train.properties.ModelArtifacts.S3ModelArtifacts,
        "together": "mean.tar.gz",
    }

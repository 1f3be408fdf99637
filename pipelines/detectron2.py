"""The Detectron2 pipeline: a detector trained on spot instances, judged, registered and put behind an endpoint.

    Preprocess -> Train -> Evaluate -> CheckAccuracy -> RegisterModel -> DeployEndpoint, or AccuracyTooLow

It follows the AWS Partner Network post "Migrate On-Premises Machine Learning Operations to Amazon SageMaker Pipelines
for Computer Vision". Seven parameters are the post's: TrainingInstanceType, TrainingInstanceCount, NumEpochs,
LearningRate, MaxIter, s3Path and EndpointInstanceType. Checkpoints lie below ``s3Path``, those of each data set that
Preprocess makes in a folder of its own, so that an interrupted training finds them again; one with other settings is
refused there, and needs another ``s3Path``. The function is pipelines/lambdas/deploy_endpoint.

Every step runs the family's own image, in which the code lies at /opt/ml/code: compiling uploads nothing.
Channels of a pipeline cannot be left out, so train.py's optional ones, ``weights`` and ``config``, are not here.
"""

from __future__ import annotations

from sagemaker.core.training import configs
from sagemaker.core.workflow import Join, JsonGet, PropertyFile
from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow import ConditionStep, FailStep, ModelStep, Pipeline
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep

from pipelines import _parts as parts
from trainyard.families import Family

REPORT = PropertyFile(name="EvaluationReport", output_name="evaluation", path="evaluation.json")
PATIENCE = 90
"""Seconds that DeployEndpoint waits for the endpoint to answer: here it does by then, on AWS it is on its way."""


def build(family: Family, session: PipelineSession) -> Pipeline:
    """Build the pipeline of ``family`` for the account, roles and default bucket of ``session``."""
    p = _parameters(family, session)
    preprocess = _preprocess(p, session)
    train = _train(family, p, preprocess, session)
    evaluate = _evaluate(p, preprocess, train, session)
    register = _register(family, p, train, evaluate, session)
    deploy = _deploy(p, register, session)

    accuracy = JsonGet(step_name=evaluate.name, property_file=REPORT, json_path="training_accuracy")
    least = p["MinTrainingAccuracy"]
    refusal = Join(values=["The training accuracy is ", accuracy, "; MinTrainingAccuracy is ", least])
    check = ConditionStep(
        name="CheckAccuracy",
        conditions=[ConditionGreaterThanOrEqualTo(left=accuracy, right=least)],
        if_steps=[register, deploy],
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
        ParameterString("ProcessingInstanceType", "ml.m5.xlarge"),
        ParameterString("TrainingInstanceType", family.training.instance),
        ParameterInteger("TrainingInstanceCount", 1),
        ParameterFloat("MinTrainingAccuracy", 0.5),
        *parts.of_registry(family, "Approved"),
        ParameterString("EndpointName", family.name),
        ParameterString("EndpointInstanceType", family.serving.instance),
        ParameterInteger("EndpointInstanceCount", 1),
        ParameterFloat("EndpointTraffic", 1.0),
        *_hyperparameters(family, session).values(),
    ]
    return {parameter.name: parameter for parameter in parameters}


def _hyperparameters(family: Family, session: PipelineSession) -> parts.Parameters:
    checkpoints = f"s3://{session.default_bucket()}/{family.name}/checkpoints"
    return parts.hyperparameters(family) | {"s3_path": ParameterString("s3Path", checkpoints)}


def _preprocessing() -> parts.Parameters:
    """By the names that preprocess.py has for them."""
    return {
        "annotations": ParameterString("Annotations", "auto", ["auto", "coco", "ground-truth"]),
        "label-attribute": ParameterString("LabelAttribute", ""),
        "min-confidence": ParameterFloat("MinConfidence", 0.0),
        "classes": ParameterString("Classes", ""),
        "split": ParameterString("Split", "keep", ["keep", "new"]),
        "validation-share": ParameterFloat("ValidationShare", 0.1),
        "test-share": ParameterFloat("TestShare", 0.2),
        "seed": ParameterInteger("SplitSeed", 0),
        "on-bad-box": ParameterString("OnBadBox", "refuse", ["refuse", "clip", "drop"]),
        "on-bad-image": ParameterString("OnBadImage", "refuse", ["refuse", "drop"]),
        "on-duplicate": ParameterString("OnDuplicate", "drop", ["drop", "keep"]),
        "orientation": ParameterString("Orientation", "auto", ["auto", "displayed", "stored"]),
    }


def _preprocess(p: parts.Parameters, session: PipelineSession) -> ProcessingStep:
    options = _preprocessing().items()
    return ProcessingStep(
        name="Preprocess",
        step_args=parts.processor("preprocess.py", p["ProcessingInstanceType"], p, session).run(
            inputs=[parts.read("input", p["InputDataUri"])],
            outputs=[parts.write(name, p) for name in ("train", "validation", "test", "quality")],
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
        p["TrainingInstanceType"],
        p["TrainingInstanceCount"],
        Join(on="/", values=[p["s3Path"], preprocess.properties.ProcessingJobName]),
        session,
        values=_hyperparameters(family, session),
        compression="GZIP",
    )
    channels = [
        configs.InputData(channel_name=name, data_source=parts.output(preprocess, output))
        for name, output in (("training", "train"), ("validation", "validation"))
    ]
    return TrainingStep(
        name="Train",
        step_args=trainer.train(input_data_config=channels),
        cache_config=parts.CACHE,
        retry_policies=parts.RETRIES,
    )


def _evaluate(
    p: parts.Parameters, preprocess: ProcessingStep, train: TrainingStep, session: PipelineSession
) -> ProcessingStep:
    return ProcessingStep(
        name="Evaluate",
        step_args=parts.processor("evaluate.py", p["ProcessingInstanceType"], p, session).run(
            inputs=[
                *(
                    parts.read(name, parts.output(preprocess, name))
                    for name in ("train", "validation", "test")
                ),
                parts.read("model", train.properties.ModelArtifacts.S3ModelArtifacts),
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
    properties = {
        "TrainingJobName": train.properties.TrainingJobName,
        "InputDataUri": p["InputDataUri"],
        "Checkpoints": p["s3Path"],
    }
    model = train.properties.ModelArtifacts.S3ModelArtifacts
    quality = parts.output(evaluate, "evaluation", "/model_quality.json")
    return parts.registration(family, p, model, quality, p["EndpointInstanceType"], properties, session)


def _deploy(p: parts.Parameters, register: ModelStep, session: PipelineSession) -> LambdaStep:
    """Not cached: the function does nothing where the endpoint serves the package."""
    event = {
        "endpoint_name": p["EndpointName"],
        "model_package_arn": register.properties.ModelPackageArn,
        "instance_type": p["EndpointInstanceType"],
        "instance_count": p["EndpointInstanceCount"],
        "traffic": p["EndpointTraffic"],
        "role": parts.role("Model", "ExecutionRoleArn", session),
        "wait": PATIENCE,
    }
    texts = ("EndpointName", "EndpointArn", "EndpointConfigName", "Status")
    changed = LambdaOutput("Changed", LambdaOutputTypeEnum.Boolean)
    return LambdaStep(
        name="DeployEndpoint",
        lambda_func=parts.function("deploy_endpoint", session),
        inputs=event,
        outputs=[*map(LambdaOutput, texts), changed],
    )

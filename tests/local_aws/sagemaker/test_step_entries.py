from __future__ import annotations


def test_a_job_step_is_starting_until_it_has_its_job(sagemaker, create_pipeline, store):
    create_pipeline({"Name": "Refuse", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}})
    execution = "a" * 12
    arn = f"arn:aws:sagemaker:us-east-1:000000000000:pipeline/flow/execution/{execution}"

    def status():
        (found,) = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        return found["StepStatus"]

    with store.living(execution):
        store.state.add_execution(execution, "Flow", {"Steps": []}, {}, {})
        store.state.start_step(execution, "Train", "Training")
        assert status() == "Starting"
        store.state.update_step(execution, "Train", job="train-1")
        assert status() == "Executing"
        assert store.state.mark_stopping(execution)
        assert status() == "Stopping"

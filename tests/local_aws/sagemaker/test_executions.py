from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.conftest import wait_until
from trainyard.execution import callbacks
from trainyard.execution.request import client_environment
from trainyard.local_aws.sagemaker.execution_events import STATUS_CHANGE

SLEEPS = "import time\nprint('asleep', flush=True)\ntime.sleep(60)"
# another process that runs an execution until it is killed
OTHER = """
import json, sys
from pathlib import Path
from trainyard.execution.executor import Executor
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.environments import Environments
from trainyard.execution.store import Store
from trainyard.execution.targets import Target, Targets
store = Store(Path(sys.argv[1]))
targets = Targets({"image": Target("venv", sys.argv[2])}, {}, Path("."))
executor = Executor(store, VenvLauncher(Environments(store.home / "venvs"), {}, isolate=True), targets)
executor.start(json.loads(sys.argv[3]), "Flow", {})
"""

# a user's script, which knows of the endpoint from its environment alone
SDK = """
import json
from botocore.exceptions import WaiterError
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.workflow.parameters import ParameterInteger
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.pipeline import Pipeline

quiet = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
session = Session(default_bucket="bucket", sagemaker_config=quiet)
count = ParameterInteger(name="Count", default_value=3)
for message in ("one", "two"):
    step = FailStep(name="Refuse", error_message=message)
    flow = Pipeline(name="Flow", parameters=[count], steps=[step], sagemaker_session=session)
    flow.upsert("arn:aws:iam::000000000000:role/local")
found = {"version": flow.latest_pipeline_version_id, "failed": False}
execution = flow.start(parameters={"Count": 5}, execution_display_name="sdk")
try:
    execution.wait(delay=0.05)
except WaiterError as error:
    found["failed"] = "terminal failure state" in str(error)
found["name"] = execution.describe()["PipelineExecutionDisplayName"]
found["steps"] = [step["StepName"] for step in execution.list_steps()]
found["listed"] = flow.list_executions()["PipelineExecutionSummaries"][0]["PipelineExecutionArn"] == execution.arn
found["parameters"] = flow.build_parameters_from_execution(execution.arn)
found["deleted"] = flow.delete()["PipelineArn"]
print(json.dumps(found))
"""


def refused(call, **request):
    with pytest.raises(ClientError) as error:
        call(**request)
    said = error.value.response["Error"]
    return said["Code"], said["Message"]


def is_one(name, value, **more):
    """A step that succeeds at once, its Outcome whether the value is 1."""
    asked = {"Type": "Equals", "LeftValue": value, "RightValue": 1}
    return {"Name": name, "Type": "Condition", "Arguments": {"Conditions": [asked], **more}}


def fail(name, message="no"):
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


def start(sagemaker, **more):
    return sagemaker.start_pipeline_execution(PipelineName="Flow", **more)["PipelineExecutionArn"]


def steps(sagemaker, arn):
    found = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    return {step["StepName"]: step for step in found}


def test_parameters_come_as_strings(sagemaker, create_pipeline, ended, emitted):
    count = {"Name": "Count", "Type": "Integer", "DefaultValue": 7}
    ratio = {"Name": "Ratio", "Type": "Float"}
    create_pipeline(is_one("Check", {"Get": "Parameters.Count"}), parameters=[count, ratio])
    given = [{"Name": "Count", "Value": "1"}, {"Name": "Ratio", "Value": "2.0"}]
    arn = start(
        sagemaker,
        PipelineParameters=given,
        PipelineExecutionDisplayName="first",
        PipelineExecutionDescription="a try",
    )
    assert ended(arn)["PipelineExecutionStatus"] == "Succeeded"
    assert steps(sagemaker, arn)["Check"]["Metadata"] == {"Condition": {"Outcome": "True"}}
    wait_until(lambda: len(emitted) == 4)  # and those of the step
    changes = [
        (kind, detail.get("previousPipelineExecutionStatus"), detail["currentPipelineExecutionStatus"])
        for kind, detail in emitted
        if kind == STATUS_CHANGE
    ]
    assert changes == [(STATUS_CHANGE, None, "Executing"), (STATUS_CHANGE, "Executing", "Succeeded")]
    assert emitted[-1][1]["pipelineExecutionArn"] == arn
    assert emitted[-1][1]["pipelineExecutionDisplayName"] == "first"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "'Ratio': has no default"),
        ([{"Name": "Ratio", "Value": "much"}], '"much" is not possible'),
        ([{"Name": "Ratio", "Value": "1"}, {"Name": "Rate", "Value": "1"}], "'Rate'"),
        ([{"Name": "Ratio", "Value": "1"}] * 2, "given more than once: Ratio"),
    ],
)
def test_bad_parameters_start_nothing(sagemaker, create_pipeline, given, message):
    create_pipeline(fail("Refuse"), parameters=[{"Name": "Ratio", "Type": "Float"}])
    code, said = refused(sagemaker.start_pipeline_execution, PipelineName="Flow", PipelineParameters=given)
    assert code == "ValidationException"
    assert message in said
    assert sagemaker.list_pipeline_executions(PipelineName="Flow")["PipelineExecutionSummaries"] == []


def test_a_token_starts_one_execution(sagemaker, create_pipeline):
    create_pipeline(fail("Refuse"))
    token = "t" * 40
    with ThreadPoolExecutor(8) as pool:
        arns = set(pool.map(lambda _: start(sagemaker, ClientRequestToken=token), range(8)))
    found = sagemaker.list_pipeline_executions(PipelineName="Flow")["PipelineExecutionSummaries"]
    assert {each["PipelineExecutionArn"] for each in found} == arns
    assert len(arns) == 1
    create_pipeline(fail("Refuse"), name="Other")
    code, said = refused(sagemaker.start_pipeline_execution, PipelineName="Other", ClientRequestToken=token)
    assert (code, "came with another request before" in said) == ("ConflictException", True)
    code, _ = refused(
        sagemaker.retry_pipeline_execution, PipelineExecutionArn=arns.pop(), ClientRequestToken=token
    )
    assert code == "ConflictException"


def test_many_clients_at_once_get_an_execution_each(sagemaker, create_pipeline, ended):
    create_pipeline(fail("Refuse"))
    with ThreadPoolExecutor(10) as pool:
        arns = list(pool.map(lambda _: start(sagemaker), range(20)))
    assert len(set(arns)) == 20
    assert {ended(arn)["PipelineExecutionStatus"] for arn in arns} == {"Failed"}


def test_what_runs_is_stopped_and_goes_on_when_it_is_retried(sagemaker, create_pipeline, job, ended, store):
    create_pipeline(is_one("Before", 1), job("Sleep", SLEEPS))
    arn = start(sagemaker)
    wait_until(lambda: "asleep" in logged(store))
    assert refused(sagemaker.delete_pipeline, PipelineName="Flow")[0] == "ConflictException"
    assert "'Executing'" in refused(sagemaker.retry_pipeline_execution, PipelineExecutionArn=arn)[1]
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)  # or again: SIGKILL is not what it asks for
    assert ended(arn)["PipelineExecutionStatus"] == "Stopped"
    stopped = steps(sagemaker, arn)["Sleep"]
    assert stopped["StepStatus"] == "Stopped"
    assert stopped["Metadata"]["ProcessingJob"]["Arn"].startswith(
        "arn:aws:sagemaker:us-east-1:000000000000:processing-job/"
    )
    code, said = refused(sagemaker.stop_pipeline_execution, PipelineExecutionArn=arn)
    assert (code, "Only pipelines with 'Executing' status can be stopped" in said) == (
        "ValidationException",
        True,
    )

    job("Sleep", "print('awake')")
    limit = {"MaxParallelExecutionSteps": 3}
    sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ParallelismConfiguration=limit)
    found = ended(arn)
    assert (found["PipelineExecutionStatus"], found["ParallelismConfiguration"]) == ("Succeeded", limit)
    again = steps(sagemaker, arn)
    assert {name: step["StepStatus"] for name, step in again.items()} == dict.fromkeys(
        ("Before", "Sleep"), "Succeeded"
    )
    assert again["Sleep"]["AttemptCount"] == 2
    assert "'Succeeded'" in refused(sagemaker.retry_pipeline_execution, PipelineExecutionArn=arn)[1]


def logged(store):
    return "".join(path.read_text() for path in store.home.glob("jobs/*/algo-1.log"))


def test_steps_that_run_show_as_stopping(sagemaker, create_pipeline, job, ended, store):
    create_pipeline(job("Sleep", f"import signal\nsignal.signal(15, lambda *_: None)\n{SLEEPS}"))
    arn = start(sagemaker)
    wait_until(lambda: "asleep" in logged(store))
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    running = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert running["PipelineExecutionStatus"] == "Stopping"
    step = steps(sagemaker, arn)["Sleep"]
    assert step["StepStatus"] == "Stopping"
    assert "EndTime" not in step
    assert step["Metadata"]["ProcessingJob"]["Arn"]
    for recording in store.recorder.running():  # not the whole grace
        recording.stop.request()
        recording.stop.request()
    assert ended(arn)["PipelineExecutionStatus"] == "Stopped"


def test_what_runs_elsewhere_cannot_be_stopped_here(sagemaker, context, store, job, plain_venv, ended):
    document = {"Version": "2020-12-01", "Steps": [job("Sleep", SLEEPS)]}
    command = [sys.executable, "-c", OTHER, str(store.home), str(plain_venv), json.dumps(document)]
    other = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    try:
        wait_until(lambda: "asleep" in logged(store))
        listed = sagemaker.list_pipeline_executions(PipelineName="flow")["PipelineExecutionSummaries"]
        arn = listed[0]["PipelineExecutionArn"]
        code, said = refused(sagemaker.stop_pipeline_execution, PipelineExecutionArn=arn)
        assert (code, "runs in another process" in said) == ("ConflictException", True)
        limit = {"MaxParallelExecutionSteps": 2}
        change = sagemaker.update_pipeline_execution
        code, said = refused(change, PipelineExecutionArn=arn, ParallelismConfiguration=limit)
        assert (code, "runs in another process" in said) == ("ConflictException", True)
        assert listed[0]["PipelineExecutionStatus"] == "Executing"
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()
    found = ended(arn)
    assert found["PipelineExecutionStatus"] == "Failed"
    assert "its process died" in found["FailureReason"]
    assert steps(sagemaker, arn)["Sleep"]["StepStatus"] == "Failed"


def test_what_was_stopping_when_its_process_died_has_failed(sagemaker, create_pipeline, store):
    create_pipeline(fail("Refuse"))
    store.state.add_execution("a" * 12, "Flow", {"Steps": []}, {}, {})
    assert store.state.mark_stopping("a" * 12)
    assert not store.state.mark_stopping("a" * 12)
    (found,) = sagemaker.list_pipeline_executions(PipelineName="Flow")["PipelineExecutionSummaries"]
    assert found["PipelineExecutionStatus"] == "Failed"
    assert "its process died" in found["PipelineExecutionFailureReason"]


def test_some_steps_run_on_the_results_of_an_earlier_execution(sagemaker, create_pipeline, ended):
    outcome = {"Get": "Steps.First.Outcome"}
    second = {"Name": "Second", "Type": "Fail", "Arguments": {"ErrorMessage": outcome}}
    create_pipeline(is_one("First", 1), second)
    source = start(sagemaker)
    assert ended(source)["PipelineExecutionStatus"] == "Failed"
    chosen = {"SelectedSteps": [{"StepName": "Second"}], "SourcePipelineExecutionArn": source}
    arn = start(sagemaker, SelectiveExecutionConfig=chosen)
    assert ended(arn)["SelectiveExecutionConfig"] == chosen
    found = steps(sagemaker, arn)
    assert found["First"]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": source}
    assert found["Second"]["Metadata"] == {"Fail": {"ErrorMessage": "True"}}
    wrong = {"SelectedSteps": [{"StepName": "Third"}]}
    code, said = refused(
        sagemaker.start_pipeline_execution, PipelineName="Flow", SelectiveExecutionConfig=wrong
    )
    assert (code, "no step 'Third'" in said) == ("ValidationException", True)


def test_what_is_said_of_an_execution_can_be_changed(sagemaker, create_pipeline, ended):
    create_pipeline(fail("Refuse"), ParallelismConfiguration={"MaxParallelExecutionSteps": 4})
    arn = start(sagemaker, PipelineExecutionDisplayName="first")
    assert ended(arn)["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 4}
    change = sagemaker.update_pipeline_execution
    both = [
        {"PipelineExecutionDisplayName": "second"},
        {
            "PipelineExecutionDescription": "a try",
            "ParallelismConfiguration": {"MaxParallelExecutionSteps": 1},
        },
    ]
    threads = [threading.Thread(target=change, kwargs={"PipelineExecutionArn": arn, **each}) for each in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert found["PipelineExecutionDisplayName"] == "second"
    assert found["PipelineExecutionDescription"] == "a try"
    assert found["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 1}


def test_the_parallelism_of_what_runs_can_be_changed(sagemaker, create_pipeline, store):
    queue = "https://sqs.us-east-1.amazonaws.com/000000000000/asks"
    asks = [
        {"Name": name, "Type": "Callback", "Arguments": {}, "SqsQueueUrl": queue, "OutputParameters": []}
        for name in ("A", "B", "C")
    ]
    create_pipeline(*asks, ParallelismConfiguration={"MaxParallelExecutionSteps": 1})
    arn = start(sagemaker)
    wait_until(lambda: len(callbacks.waiting(store)) == 1)
    assert len(steps(sagemaker, arn)) == 1
    limit = {"MaxParallelExecutionSteps": 3}
    sagemaker.update_pipeline_execution(PipelineExecutionArn=arn, ParallelismConfiguration=limit)
    wait_until(lambda: len(callbacks.waiting(store)) == 3)
    found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert (found["PipelineExecutionStatus"], found["ParallelismConfiguration"]) == ("Executing", limit)


def test_a_callback_step_waits_for_its_answer(sagemaker, create_pipeline, ended):
    queue = "https://sqs.us-east-1.amazonaws.com/000000000000/asks"
    declared = [{"OutputName": "Seen", "OutputType": "Integer"}]
    ask = {"Name": "Ask", "Type": "Callback", "Arguments": {"why": "test"}, "SqsQueueUrl": queue}
    create_pipeline({**ask, "OutputParameters": declared})
    outcomes = {}
    for call, answer in (
        (
            sagemaker.send_pipeline_execution_step_success,
            {"OutputParameters": [{"Name": "Seen", "Value": "3"}]},
        ),
        (sagemaker.send_pipeline_execution_step_failure, {"FailureReason": "nobody looked"}),
    ):
        arn = start(sagemaker)
        wait_until(lambda arn=arn: "Callback" in steps(sagemaker, arn).get("Ask", {}).get("Metadata", {}))
        token = steps(sagemaker, arn)["Ask"]["Metadata"]["Callback"]["CallbackToken"]
        assert call(CallbackToken=token, **answer)["PipelineExecutionArn"] == arn
        status = ended(arn)["PipelineExecutionStatus"]
        outcomes[status] = steps(sagemaker, arn)["Ask"]
    found = outcomes["Succeeded"]["Metadata"]["Callback"]
    assert found["OutputParameters"] == [{"Name": "Seen", "Value": "3"}]
    assert found["SqsQueueUrl"] == queue
    assert "nobody looked" in outcomes["Failed"]["FailureReason"]
    assert (
        refused(sagemaker.send_pipeline_execution_step_failure, CallbackToken="t" * 10)[0]
        == "ResourceNotFound"
    )


def test_the_sdk_upserts_starts_waits_and_lists(sagemaker):
    endpoint = client_environment(sagemaker.meta.endpoint_url)
    environment = {**os.environ, **endpoint, "SAGEMAKER_VALIDATE_ROLE": "false"}
    script = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SDK],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert script.returncode == 0, script.stderr
    found = json.loads(script.stdout.splitlines()[-1])
    assert found == {
        "version": 2,
        "failed": True,
        "name": "sdk",
        "steps": ["Refuse"],
        "listed": True,
        "parameters": {"Count": "5"},
        "deleted": "arn:aws:sagemaker:us-east-1:000000000000:pipeline/flow",
    }

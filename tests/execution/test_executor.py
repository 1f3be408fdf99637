from __future__ import annotations

import json
import threading
import time

import pytest

from tests.conftest import wait_until
from trainyard.errors import DefinitionError, NotFound, ParameterError, StoreError, Unsupported, UsageError
from trainyard.execution import events
from trainyard.execution.executor import Executor
from trainyard.execution.launchers.venv import VenvLauncher
from trainyard.execution.s3 import parse_uri
from trainyard.execution.selection import Selection
from trainyard.execution.targets import Target, Targets

COPY = """
import pathlib, sys
base = pathlib.Path("/opt/ml/processing")
text = "".join(path.read_text() for path in sorted((base / "raw").glob("*")))
(base / "made" / "all.txt").write_text(text + " ".join(sys.argv[1:]))
(base / "made" / "report.json").write_text('{"score": {"mean": 0.25}, "n": [1, 2]}')
"""
FIT = """
import json, pathlib
ml = pathlib.Path("/opt/ml")
parameters = json.loads((ml / "input/config/hyperparameters.json").read_text())
data = (ml / "input/data/train/all.txt").read_text()
(ml / "model" / "model.txt").write_text(data + json.dumps(parameters))
print("loss=3;"); print("loss=0.5;")
"""
MADE = "s3://bucket/made"


@pytest.fixture
def pipeline(store, put_script, processing, training, definition):
    """Copy -> Fit -> check of Copy's report -> Model, or Fail."""
    store.objects.put_bytes(b"hello ", parse_uri("s3://bucket/raw/a"))
    copy = processing(
        "Copy", put_script("copy", COPY), inputs={"raw": "s3://bucket/raw/"},
        outputs={"made": {"Std:Join": {"On": "/", "Values": [MADE, {"Get": "Execution.PipelineExecutionId"}]}}},
        arguments=["--word", {"Get": "Parameters.Word"}], CacheConfig={"Enabled": True, "ExpireAfter": "P30D"},
        PropertyFiles=[{"PropertyFileName": "Report", "OutputName": "made", "FilePath": "report.json"}],
    )  # fmt: skip
    made = {"Get": "Steps.Copy.ProcessingOutputConfig.Outputs['made'].S3Output.S3Uri"}
    fit = training(
        "Fit", put_script("fit", FIT), inputs={"train": made}, hyperparameters={"depth": {"Get": "Parameters.Depth"}},
        metrics=[{"Name": "loss", "Regex": r"loss=(\S+);"}], CacheConfig={"Enabled": True},
    )  # fmt: skip
    score = {
        "Std:JsonGet": {"PropertyFile": {"Get": "Steps.Copy.PropertyFiles.Report"}, "Path": "score.mean"}
    }
    model = {
        "Name": "Make", "Type": "Model",
        "Arguments": {"PrimaryContainer": {
            "Image": "image", "ModelDataUrl": {"Get": "Steps.Fit.ModelArtifacts.S3ModelArtifacts"}}},
    }  # fmt: skip
    message = {"Std:Join": {"On": " ", "Values": ["score", score, "is too high"]}}
    bad = {"Name": "TooBad", "Type": "Fail", "Arguments": {"ErrorMessage": message}}
    check = {
        "Name": "Check", "Type": "Condition", "DependsOn": ["Fit"],
        "Arguments": {
            "Conditions": [{"Type": "LessThan", "LeftValue": score, "RightValue": {"Get": "Parameters.Most"}}],
            "IfSteps": [model], "ElseSteps": [bad],
        },
    }  # fmt: skip
    parameters = [
        {"Name": "Word", "Type": "String", "DefaultValue": "world"},
        {"Name": "Depth", "Type": "Integer", "DefaultValue": 3},
        {"Name": "Most", "Type": "Float", "DefaultValue": 0.5},
    ]
    return definition(copy, check, fit, parameters=parameters)


def statuses(store, execution: str) -> dict[str, str]:
    return {row["name"]: row["status"] for row in store.state.steps(execution)}


def test_a_pipeline_runs_to_its_end(store, make_executor, pipeline) -> None:
    finished = make_executor().start(pipeline, "p", {"Depth": "7"})
    assert (finished.status, finished.reason) == ("Succeeded", "")
    assert statuses(store, finished.execution) == dict.fromkeys(["Copy", "Fit", "Check", "Make"], "Succeeded")
    fit = store.state.step(finished.execution, "Fit")["result"]
    assert fit["FinalMetricDataList"][0]["Value"] == 0.5
    assert fit["TrainingJobStatus"] == "Completed"
    assert fit["HyperParameters"] == {"depth": 7}
    uri = fit["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == f"s3://bucket/out/{fit['TrainingJobName']}/output/model.tar.gz"
    assert store.objects.exists(parse_uri(uri))
    text = store.objects.read(parse_uri(f"{MADE}/{finished.execution}/all.txt"))
    assert text == b"hello --word world"
    model = store.state.step(finished.execution, "Make")["result"]
    assert model["PrimaryContainer"]["ModelDataUrl"] == uri


def test_the_other_branch_fails_with_the_joined_message(store, make_executor, pipeline) -> None:
    finished = make_executor().start(pipeline, "p", {"Most": 0.1})
    assert (finished.status, finished.reason) == ("Failed", "step TooBad: score 0.25 is too high")
    assert "Make" not in statuses(store, finished.execution)
    outcome = store.state.step(finished.execution, "Check")["metadata"]["Condition"]
    assert outcome == {"Outcome": "False", "Explanation": "score.mean 0.25 < Most 0.1 is false"}


def test_the_second_run_comes_from_the_cache_and_says_so(store, make_executor, pipeline) -> None:
    first = make_executor().start(pipeline, "p", {})
    seen: list[events.Event] = []
    second = make_executor(seen.append).start(pipeline, "p", {})
    ended = {event.step: event for event in seen if isinstance(event, events.StepEnded)}
    assert {step: event.cached_from for step, event in ended.items()} == {
        "Copy": first.execution, "Fit": first.execution, "Check": "", "Make": "",
    }  # fmt: skip
    model = store.state.step(second.execution, "Make")["result"]
    assert first.execution in store.state.step(second.execution, "Copy")["cache_source"]
    assert model["PrimaryContainer"]["ModelDataUrl"].endswith("model.tar.gz")


@pytest.mark.parametrize(
    ("change", "missed", "note"),
    [
        ({"Depth": 4}, ["Fit"], "hyperparameters.depth: '3' -> '4'"),
        ({"Word": "you"}, ["Copy", "Fit"], "arguments[3]: 'world' -> 'you'"),
        ({"Most": 0.4}, [], ""),
    ],
)
def test_a_change_reruns_what_it_reaches_and_names_the_field(
    store, make_executor, pipeline, change, missed, note
) -> None:
    make_executor().start(pipeline, "p", {})
    finished = make_executor().start(pipeline, "p", change)
    rows = store.state.steps(finished.execution)
    assert [row["name"] for row in rows if row["cache_source"] is None and row["job"]] == missed
    assert note in str([row["cache_note"] for row in rows])


def test_changed_contents_behind_the_same_uri_are_a_miss(store, make_executor, pipeline) -> None:
    make_executor().start(pipeline, "p", {})
    store.objects.put_bytes(b"HELLO ", parse_uri("s3://bucket/raw/a"))
    finished = make_executor().start(pipeline, "p", {})
    row = store.state.step(finished.execution, "Copy")
    assert row["cache_source"] is None and "input raw: " in row["cache_note"]


def test_no_cache_and_lost_outputs_run_again(store, make_executor, pipeline) -> None:
    first = make_executor().start(pipeline, "p", {})
    again = make_executor().start(pipeline, "p", {}, cache="off")
    assert store.state.step(again.execution, "Copy")["cache_source"] is None
    for execution in (first.execution, again.execution):
        store.objects.delete(parse_uri(f"{MADE}/{execution}/all.txt"))
    third = make_executor().start(pipeline, "p", {})
    assert "is gone or has changed" in store.state.step(third.execution, "Copy")["cache_note"]


def test_outputs_that_another_run_has_overwritten_are_no_hit(
    store, make_executor, put_script, processing, definition
) -> None:
    """Also where they are as long: at a fixed URI lies what the last run made."""
    code = "import sys; open('/opt/ml/processing/out/x', 'w').write(sys.argv[1])"
    step = processing("Copy", put_script("write", code), outputs={"out": "s3://bucket/fixed"},
                      arguments=[{"Get": "Parameters.Word"}], CacheConfig={"Enabled": True})  # fmt: skip
    document = definition(step, parameters=[{"Name": "Word", "Type": "String"}])
    for word in ("aaaa", "bbbb", "aaaa"):
        make_executor().start(document, "p", {"Word": word})
        assert store.objects.read(parse_uri("s3://bucket/fixed/x")) == word.encode()


def test_expired_results_run_again(store, make_executor, pipeline) -> None:
    first = make_executor().start(pipeline, "p", {})
    store.state.update_step(first.execution, "Copy", ended=time.time() - 31 * 86_400)
    second = make_executor().start(pipeline, "p", {})
    assert store.state.step(second.execution, "Copy")["cache_note"] == "the result of 31 d ago has expired"
    assert (
        store.state.step(second.execution, "Fit")["cache_source"] == first.execution
    )  # its input is the same


def test_one_step_alone_takes_the_newest_results(store, make_executor, pipeline) -> None:
    with pytest.raises(NotFound, match=r"'Fit' needs the result of 'Copy', which never succeeded"):
        make_executor().start(pipeline, "p", {}, selected=Selection(("Fit",)))
    first = make_executor().start(pipeline, "p", {})
    alone = make_executor().start(pipeline, "p", {"Depth": 9}, selected=Selection(("Fit",)))
    assert alone.status == "Succeeded"
    assert statuses(store, alone.execution) == {"Copy": "Succeeded", "Fit": "Succeeded"}
    assert store.state.step(alone.execution, "Copy")["selected_from"] == first.execution
    with pytest.raises(NotFound, match="no step 'Nothing' in p; there are: Copy"):
        make_executor().start(pipeline, "p", {}, selected=Selection(("Nothing",)))


def test_nothing_starts_when_something_cannot_run(
    store, make_executor, pipeline, processing, definition
) -> None:
    cases = [
        (
            definition(processing("A", "s3://b/c/", extra={"FeatureGroup": 1})),
            {},
            Unsupported,
            "FeatureGroup",
        ),
        (
            definition({"Name": "E", "Type": "EMR", "Arguments": {}}),
            {},
            Unsupported,
            "type EMR cannot run here",
        ),
        (definition(processing("A", "s3://b/c/", count=0)), {}, DefinitionError, "InstanceCount is 0"),
        (
            definition(processing("A", "https://b/c/")),
            {},
            DefinitionError,
            r"'code'\].S3Input.S3Uri: .* not an S3 URI",
        ),
        (definition(processing("A", 5)), {}, DefinitionError, "S3Input.S3Uri is 5"),
        (pipeline, {"Depht": 1}, ParameterError, "Depth"),
        (
            json.loads(json.dumps(pipeline).replace('"image"', '"other:1"')),
            {},
            Unsupported,
            "--map other:1=TARGET",
        ),
    ]
    for document, parameters, kind, fragment in cases:
        with pytest.raises(kind, match=fragment):
            make_executor().start(document, "p", parameters)
    assert store.state.executions() == []


def test_plan_shows_the_jobs_without_running_them(store, make_executor, pipeline) -> None:
    steps = make_executor().plan(pipeline, "p", {})
    planned = {each.step.name: each.job for each in steps}
    assert [each.without_effect for each in steps[:2]] == [(), ("ResourceConfig.VolumeSizeInGB",)]
    assert list(planned) == ["Copy", "Fit", "Check", "Make", "TooBad"]
    assert planned["Copy"].command[1:] == ("/opt/ml/processing/code/main.py", "--word", "world")
    assert planned["Fit"].channels[1].uri.startswith("${Steps.Copy.ProcessingOutputConfig")
    assert planned["Check"] is None
    assert store.state.executions() == []


FAILS_ONCE = """
import pathlib, sys
flag = pathlib.Path("/opt/ml/checkpoints/flag")
print("working")
if not flag.exists():
    flag.write_text("x")
    (pathlib.Path("/opt/ml/model") / "half").write_text("half")
    pathlib.Path("/opt/ml/output/failure").write_text("no luck")
    sys.exit(9)
(pathlib.Path("/opt/ml/model") / "whole").write_text("whole")
"""


def test_resume_goes_on_after_a_failure(
    store, make_executor, put_script, processing, training, definition
) -> None:
    store.objects.put_bytes(b"x", parse_uri("s3://bucket/raw/a"))
    first = processing(
        "Copy", put_script("copy", COPY), inputs={"raw": "s3://bucket/raw/"}, outputs={"made": MADE}
    )
    fit = training("Fit", put_script("fails", FAILS_ONCE), DependsOn=["Copy"],
                   extra={"CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints"}})  # fmt: skip
    finished = make_executor().start(definition(first, fit), "p", {})
    assert finished.reason == "step Fit: AlgorithmError: no luck, exit code: 9"
    before = store.state.step(finished.execution, "Copy")["job"]
    resumed = make_executor().resume(finished.execution)
    assert resumed.status == "Succeeded"
    assert store.state.step(finished.execution, "Copy")["job"] == before
    row = store.state.step(finished.execution, "Fit")
    assert (row["attempts"], row["failure"]) == (2, None)
    assert [uri.rpartition("/")[2] for uri in row["outputs"]] == ["model.tar.gz"]
    with pytest.raises(StoreError, match="nothing to resume"):
        make_executor().resume(finished.execution)


def test_resume_goes_on_in_images_if_it_began_so(
    store, plain_venv, environments, put_script, processing, definition, namespaces, root
) -> None:
    step = definition(processing("Fail", put_script("fail", "raise SystemExit(1)")))

    def make(**options) -> tuple[Executor, Targets]:
        targets = Targets({"image": Target("venv", str(plain_venv))}, {}, root, **options)
        return Executor(store, VenvLauncher(environments, {}), targets), targets

    for as_images in (True, False):
        finished = make(as_images=as_images)[0].start(step, "p", {})
        executor, targets = make(as_images=not as_images)
        executor.resume(finished.execution)
        assert targets.as_images == as_images


def test_stop_ends_as_stopped_and_can_be_resumed(
    store, make_executor, put_script, training, definition
) -> None:
    script = "import time, pathlib\ntime.sleep(0 if pathlib.Path('/opt/ml/checkpoints/x').exists() else 60)"
    fit = training("Fit", put_script("slow", script), extra={"CheckpointConfig": {"S3Uri": "s3://bucket/ck"}})
    executor = make_executor()
    threading.Timer(0.7, executor.stop.request).start()
    began = time.monotonic()
    finished = executor.start(definition(fit), "p", {})
    assert time.monotonic() - began < 20
    assert finished.status == "Stopped"
    assert statuses(store, finished.execution) == {"Fit": "Stopped"}
    store.objects.put_bytes(b"", parse_uri("s3://bucket/ck/x"))
    assert make_executor().resume(finished.execution).status == "Succeeded"


def test_a_job_over_its_time_fails_with_the_reason(make_executor, put_script, training, definition) -> None:
    fit = training(
        "Fit", put_script("slow", "import time; time.sleep(60)"), stopping={"MaxRuntimeInSeconds": 1}
    )
    finished = make_executor().start(definition(fit), "p", {})
    assert finished.status == "Failed"
    assert "MaxRuntimeExceeded: the job ran longer than 1 s" in finished.reason


HOSTS = """
import json, pathlib, socket
ml = pathlib.Path("/opt/ml")
me = json.loads((ml / "input/config/resourceconfig.json").read_text())["current_host"]
names = sorted(path.name for path in (ml / "input/data/data").iterdir())
(ml / "model" / me).write_text(" ".join(names) + " " + socket.gethostbyname("algo-2"))
"""


def test_several_hosts_share_the_data(store, make_executor, put_script, training, definition) -> None:
    for number in range(5):
        store.objects.put_bytes(b"", parse_uri(f"s3://bucket/data/{number}"))
    plain = {"OutputDataConfig": {"S3OutputPath": "s3://bucket/out", "CompressionType": "NONE"}}
    channel = {"inputs": {"data": "s3://bucket/data/"}, "sharded": ("data",)}
    fit = training("Fit", put_script("hosts", HOSTS), count=2, extra=plain, **channel)
    finished = make_executor().start(definition(fit), "p", {})
    assert finished.status == "Succeeded", finished.reason
    prefix = store.state.step(finished.execution, "Fit")["result"]["ModelArtifacts"]["S3ModelArtifacts"]
    texts = {item.relative: item.path.read_text() for item in store.objects.list(parse_uri(prefix))}
    [address] = {text.rpartition(" ")[2] for text in texts.values()}  # both mean the same host
    assert address.startswith("127.") and address.endswith(".12")
    assert texts == {"algo-1": f"0 2 4 {address}", "algo-2": f"1 3 {address}"}


def test_independent_steps_run_at_the_same_time(
    store, make_executor, put_script, processing, definition
) -> None:
    code = put_script("wait", "import time; time.sleep(1)")
    finished = make_executor().start(definition(processing("A", code), processing("B", code)), "p", {})
    rows = store.state.steps(finished.execution)
    assert max(row["started"] for row in rows) < min(row["ended"] for row in rows)


def test_two_executions_at_once_in_one_store(store, make_executor, pipeline) -> None:
    results = []
    threads = [
        threading.Thread(
            target=lambda n=n: results.append(make_executor().start(pipeline, "p", {"Depth": n}))
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [finished.status for finished in results] == ["Succeeded"] * 4
    assert len({finished.execution for finished in results}) == 4


def test_awss_key_is_the_request_and_not_what_is_stored(store, make_executor, pipeline) -> None:
    first = make_executor().start(pipeline, "p", {}, cache="aws")
    assert store.state.step(first.execution, "Copy")["cache_note"] == "no earlier run"
    store.objects.put_bytes(b"HELLO ", parse_uri("s3://bucket/raw/a"))
    second = make_executor().start(pipeline, "p", {"Depth": 4}, cache="aws")
    copy = store.state.step(second.execution, "Copy")
    assert copy["cache_source"] == first.execution, copy["cache_note"]
    row = store.state.step(second.execution, "Fit")
    assert (row["cache_source"], row["cache_note"]) == (None, "HyperParameters.depth: '3' -> '4'")
    third = make_executor().start(pipeline, "p", {})
    note = store.state.step(third.execution, "Copy")["cache_note"]
    assert note == "the earlier run was kept under another kind of key"


def test_at_most_so_many_steps_run_at_once(store, make_executor, put_script, processing, definition) -> None:
    code = put_script("wait", "import time; time.sleep(0.3)")
    document = definition(processing("A", code), processing("B", code))
    finished = make_executor().start(document, "p", {}, parallel=1)
    first, second = store.state.steps(finished.execution)
    assert first["ended"] <= second["started"]
    assert store.execution(finished.execution)["options"]["parallel"] == 1
    with pytest.raises(UsageError, match="0 steps in parallel are not possible"):
        make_executor().start(document, "p", {}, parallel=0)


def test_a_step_that_was_waiting_for_its_turn_does_not_start_after_a_failure(
    store, make_executor, put_script, processing, definition
) -> None:
    code = put_script("fail", "raise SystemExit(1)")
    document = definition(processing("A", code), processing("B", code), processing("C", code))
    finished = make_executor().start(document, "p", {}, parallel=1)
    assert statuses(store, finished.execution) == {"A": "Failed"}


def test_a_job_that_somebody_stops_fails_the_execution_unless_that_is_waited_for(
    store, make_executor, put_script, training, definition
) -> None:
    fit = training("Fit", put_script("slow", "import time; time.sleep(60)"))
    calm = {
        "Name": "Calm",
        "Type": "Model",
        "Arguments": {},
        "DependsOn": [{"Step": "Fit", "Trigger": "Stopped"}],
    }

    def stop_when_it_runs() -> None:
        wait_until(lambda: bool(store.recorder.running()))
        store.recorder.stop("training-job", store.recorder.running()[0].name)

    for steps, status in (([fit], "Failed"), ([fit, calm], "CompletedWithFailures")):
        thread = threading.Thread(target=stop_when_it_runs)
        thread.start()
        finished = make_executor().start(definition(*steps), "p", {})
        thread.join()
        assert (finished.status, finished.reason) == (status, "step Fit: the job was stopped")

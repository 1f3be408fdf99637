from __future__ import annotations

import json
import threading
import time

import pytest

from trainyard.execution.s3 import parse_uri

SCORES = ['{"name": "a", "score": 1}', '{"name": "b", "score": 30}', '{"name": "c", "score": 4}']


def model(name: str, **container):
    return {"Name": name, "Type": "Model", "Arguments": {"PrimaryContainer": container}}


def loop(*body, items, most: int = 2, **arguments):
    return {"Name": "Loop", "Type": "ForEach", "Arguments": {
        "IterableItems": items, "MaxConcurrency": most, "ForEachBody": list(body), **arguments}}  # fmt: skip


def get(text: str) -> dict[str, str]:
    return {"Get": text}


def selector(pick: str) -> dict:
    return {"Pick": pick, "Field": get("IterationOutput.Make.PrimaryContainer.Environment.Score")}


MAKE = model(
    "Make", Image=get("ForEach.CurrentItem.name"), Environment={"Score": get("ForEach.CurrentItem.score")}
)
USE = model("Use", ModelPackageName=get("Steps.Make.ModelName"))
AFTER = model("After", Image=get("Steps.Loop.Selected.PrimaryContainer.Image"), Environment={
    "second": get("Steps.Loop.IterationOutputs[1].Make.ModelName"),
    "count": get("Steps.Loop.InputItemCount"),
})  # fmt: skip


@pytest.mark.parametrize(("pick", "best"), [("MaxBy", "b"), ("MinBy", "a")])
def test_each_item_runs_the_body_and_the_best_is_selected(
    store, make_executor, definition, pick, best
) -> None:
    document = definition(loop(MAKE, USE, items=SCORES, Selector=selector(pick)), AFTER)
    finished = make_executor().start(document, "p", {})
    assert finished.status == "Succeeded", finished.reason
    rows = {row["name"]: row for row in store.state.steps(finished.execution)}
    assert set(rows) == {"Loop", "After", *(f"{name}-{i}" for name in ("Make", "Use") for i in range(3))}
    assert rows["Use-1"]["iteration"] == {"ParentStepName": "Loop", "Index": 1, "Item": SCORES[1]}
    for index in range(3):
        used = rows[f"Use-{index}"]["result"]["PrimaryContainer"]["ModelPackageName"]
        assert used == rows[f"Make-{index}"]["result"]["ModelName"]
    counts = {"Status": "Succeeded", "InputItemCount": 3, "TotalStepCount": 6, "SucceededStepCount": 6,
              "FailedStepCount": 0, "StoppedStepCount": 0}  # fmt: skip
    index = "abc".index(best)
    assert rows["Loop"]["metadata"] == {
        "ForEach": {**counts, "Selector": {"StepName": f"Make-{index}", "Index": index}}
    }
    after = rows["After"]["result"]["PrimaryContainer"]
    assert after["Image"] == best
    assert after["Environment"] == {"second": rows["Make-1"]["result"]["ModelName"], "count": 3}


def test_items_may_be_a_json_list_that_is_known_only_at_run_time(store, make_executor, definition) -> None:
    parameters = [{"Name": "Items", "Type": "String"}]
    make = model("Make", Image=get("ForEach.CurrentItem"))
    document = definition(loop(make, items=get("Parameters.Items")), parameters=parameters)
    finished = make_executor().start(document, "p", {"Items": '["x", 2]'})
    rows = {row["name"]: row for row in store.state.steps(finished.execution)}
    assert [rows[f"Make-{i}"]["result"]["PrimaryContainer"]["Image"] for i in range(2)] == ["x", 2]
    assert make_executor().start(document, "p", {"Items": "[]"}).status == "Succeeded"
    bad = make_executor().start(document, "p", {"Items": "x"})
    assert 'IterableItems is "x"; it must be a list' in bad.reason


def test_a_failing_child_fails_the_step_after_the_others_have_run_and_resume_repeats_only_it(
    store, make_executor, put_script, processing, definition
) -> None:
    code = """
import pathlib, sys
text = "".join(path.read_text() for path in pathlib.Path("/opt/ml/processing/raw").glob("*"))
sys.exit(4 if text == "bad" else 0)
"""
    for name in ("good", "bad"):
        store.objects.put_bytes(name.encode(), parse_uri(f"s3://bucket/{name}/x"))
    uri = {"Std:Join": {"On": "/", "Values": ["s3://bucket", get("ForEach.CurrentItem")]}}
    work = processing("Work", put_script("judge", code), inputs={"raw": uri})
    use = {**model("Use"), "DependsOn": ["Work"]}
    document = definition(loop(work, use, items=["bad", "good"], most=1))
    finished = make_executor().start(document, "p", {})
    assert finished.status == "Failed"
    assert "2 of 4 steps for 2 items succeeded; step Work-0: AlgorithmError" in finished.reason
    rows = {row["name"]: row for row in store.state.steps(finished.execution)}
    assert {name: row["status"] for name, row in rows.items()} == {
        "Loop": "Failed", "Work-0": "Failed", "Work-1": "Succeeded", "Use-1": "Succeeded",
    }  # fmt: skip
    counts = rows["Loop"]["metadata"]["ForEach"]
    assert (counts["FailedStepCount"], counts["SucceededStepCount"], counts["TotalStepCount"]) == (1, 2, 4)
    store.objects.put_bytes(b"now good", parse_uri("s3://bucket/bad/x"))
    assert make_executor().resume(finished.execution).status == "Succeeded"
    attempts = {row["name"]: row["attempts"] for row in store.state.steps(finished.execution)}
    assert attempts == {"Loop": 2, "Work-0": 2, "Work-1": 1, "Use-0": 1, "Use-1": 1}


@pytest.mark.parametrize(("most", "parallel", "together"), [(1, None, 1), (2, None, 2), (3, 1, 1)])
def test_so_many_children_run_at_once(
    store, make_executor, put_script, processing, definition, most, parallel, together
) -> None:
    work = processing("Work", put_script("wait", "import time; time.sleep(0.4)"))
    document = definition(loop(work, items=["a", "b"], most=most))
    finished = make_executor().start(document, "p", {}, parallel=parallel)
    rows = [row for row in store.state.steps(finished.execution) if row["name"] != "Loop"]
    overlap = max(row["started"] for row in rows) < min(row["ended"] for row in rows)
    assert (finished.status, overlap) == ("Succeeded", together == 2)


def test_children_have_cache_entries_of_their_own_and_property_files(
    store, make_executor, put_script, processing, definition
) -> None:
    code = "import sys; open('/opt/ml/processing/out/r.json', 'w').write(sys.argv[1])"
    out = {
        "Std:Join": {
            "On": "/",
            "Values": ["s3://bucket", get("Execution.PipelineExecutionId"), get("ForEach.CurrentItem.n")],
        }
    }
    files = [{"PropertyFileName": "R", "OutputName": "out", "FilePath": "r.json"}]
    work = processing("Work", put_script("write", code), outputs={"out": out},
                      arguments=[get("ForEach.CurrentItem.json")], CacheConfig={"Enabled": True},
                      PropertyFiles=files)  # fmt: skip
    value = {"Std:JsonGet": {"PropertyFile": get("Steps.Work.PropertyFiles.R"), "Path": "x"}}
    use = model("Use", Environment={"x": value})
    items = [json.dumps({"n": n, "json": json.dumps({"x": n * 10})}) for n in range(2)]
    document = definition(loop(work, use, items=items))
    for hits in (0, 2):
        finished = make_executor().start(document, "p", {})
        rows = {row["name"]: row for row in store.state.steps(finished.execution)}
        assert [rows[f"Use-{n}"]["result"]["PrimaryContainer"]["Environment"]["x"] for n in range(2)] == [
            0,
            10,
        ]
        assert sum(row["cache_source"] is not None for row in rows.values()) == hits


def test_a_selector_needs_numbers(make_executor, definition) -> None:
    items = ['{"name": "a", "score": "many"}']
    finished = make_executor().start(definition(loop(MAKE, items=items, Selector=selector("MaxBy"))), "p", {})
    assert 'is "many" in iteration 0; it must be a number' in finished.reason


def test_a_stop_stops_the_children(store, make_executor, put_script, processing, definition) -> None:
    work = processing("Work", put_script("slow", "import time; time.sleep(60)"))
    executor = make_executor()
    threading.Timer(0.7, executor.stop.request).start()
    began = time.monotonic()
    finished = executor.start(definition(loop(work, items=["a", "b"], most=1)), "p", {})
    assert time.monotonic() - began < 20
    assert finished.status == "Stopped"
    rows = {row["name"]: row["status"] for row in store.state.steps(finished.execution)}
    assert rows == {"Loop": "Stopped", "Work-0": "Stopped"}

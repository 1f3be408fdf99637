from __future__ import annotations

import io
import threading
import time
import zipfile

import pytest

from trainyard.execution import functions


@pytest.fixture
def make(store):
    def create(source: str, name: str = "f", **more) -> str:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("main.py", source)
        settings = {"Runtime": "python3.11", "Handler": "main.handler", **more}
        return functions.create(store, name, settings, content.getvalue())["FunctionArn"]

    return create


def step(name="Call", function="f", outputs=(), arguments=None, **more):
    parameters = [{"OutputName": key, "OutputType": type_} for key, type_ in outputs]
    given = arguments if arguments is not None else {}
    return {
        "Name": name, "Type": "Lambda", "FunctionArn": function, "OutputParameters": parameters,
        "Arguments": given, **more,
    }  # fmt: skip


def test_outputs_go_to_the_next_step(store, make, make_executor, definition) -> None:
    arn = make("def handler(event, context): return {'n': event['n'] + 1, 'text': 'x', 'unused': []}")
    first = step("First", arn, [("n", "Integer"), ("text", "String")], {"n": 1})
    second = step(
        "Second", {"Get": "Parameters.Function"}, [("n", "Integer")],
        {"n": {"Get": "Steps.First.OutputParameters['n']"}},
    )  # fmt: skip
    document = definition(
        second, first, parameters=[{"Name": "Function", "Type": "String", "DefaultValue": f"{arn}:$LATEST"}]
    )
    finished = make_executor().start(document, "p", {})
    assert finished.status == "Succeeded", finished.reason
    row = store.state.step(finished.execution, "Second")
    assert row["result"] == {"OutputParameters": {"n": 3}}
    assert row["metadata"] == {
        "Lambda": {"Arn": f"{arn}:$LATEST", "OutputParameters": [{"Name": "n", "Value": "3"}]}
    }


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def handler(e, c): raise ValueError('no')", "failed: ValueError: no"),
        ("def handler(e, c): return {'m': 1}", "no output 'n'; given: m"),
        ("def handler(e, c): return {'n': 'x'}", "is not an integer"),
        ("def handler(e, c): return None", "no output 'n'; given: none"),
    ],
)
def test_what_fails_a_step(make, make_executor, definition, source, reason) -> None:
    make(source)
    finished = make_executor().start(definition(step(outputs=[("n", "Integer")])), "p", {})
    assert finished.status == "Failed"
    assert reason in finished.reason


def test_a_function_that_is_not_there(make_executor, definition) -> None:
    finished = make_executor().start(definition(step(function="nothing")), "p", {})
    assert "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nothing" in finished.reason


def test_the_same_code_and_event_come_from_the_cache(
    store, make, make_executor, definition, tmp_path
) -> None:
    count = tmp_path / "count"
    source = f"def handler(e, c):\n open({str(count)!r}, 'a').write('x')\n return {{'n': 1}}"
    make(source)
    cached = step(outputs=[("n", "Integer")], CacheConfig={"Enabled": True, "ExpireAfter": "P1D"})
    executor = make_executor()
    for _ in range(2):
        assert executor.start(definition(cached), "p", {}).status == "Succeeded"
    assert count.read_text() == "x"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("main.py", f"{source}\n# changed")
    functions.update_code(store, "f", content.getvalue())
    finished = executor.start(definition(cached), "p", {})
    assert count.read_text() == "xx"
    assert "code: " in store.state.step(finished.execution, "Call")["cache_note"]


def test_awss_key_has_the_function_that_a_parameter_names(store, make, make_executor, definition) -> None:
    for name in ("f", "g"):
        make("def handler(e, c): return {'n': 1}", name)
    cached = step(
        function={"Get": "Parameters.Function"}, CacheConfig={"Enabled": True, "ExpireAfter": "P1D"}
    )
    document = definition(cached, parameters=[{"Name": "Function", "Type": "String"}])
    notes = []
    for name in ("f", "f", "g"):
        finished = make_executor().start(document, "p", {"Function": name}, cache="aws")
        notes.append(store.state.step(finished.execution, "Call")["cache_note"])
    assert notes[1].startswith("same as") and notes[2] == "FunctionArn: 'f' -> 'g'"


@pytest.mark.parametrize(
    ("seconds", "timeout", "stops", "status"),
    [(60, 60, 2, "Stopped"), (0.8, 60, 1, "Stopped"), (60, 1, 1, "Failed")],
)
def test_a_stop_waits_for_the_function_and_a_second_one_ends_it(
    make, make_executor, definition, seconds, timeout, stops, status
) -> None:
    make(
        f"import time\ndef handler(e, c):\n    time.sleep({seconds})\n    return {{'n': 1}}", Timeout=timeout
    )
    executor = make_executor()
    for number in range(stops):
        threading.Timer(0.3 + number / 5, executor.stop.request).start()
    began = time.monotonic()
    assert executor.start(definition(step()), "p", {}).status == status
    assert time.monotonic() - began < 10

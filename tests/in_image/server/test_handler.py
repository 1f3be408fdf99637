"""A family's functions are found, checked, completed; what they raise becomes a status and one line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from trainyard.in_image.handler_errors import NotAcceptable
from trainyard.in_image.server.handler import BadHandler, Failed, Handler, import_handler


def handler(**functions):
    functions = {"model_fn": lambda model_dir: f"model of {model_dir}", "predict_fn": predict, **functions}
    return Handler(SimpleNamespace(**{name: one for name, one in functions.items() if one}), "inference.py")


def predict(data, model):
    return [data, model]


def test_defaults_around_predict_fn():
    served = handler()
    assert served.load(Path("/m")) == "model of /m"
    assert served.answer("m", b'{"a": 1}', "", "") == (b'[{"a": 1}, "m"]', "application/json")
    assert served.answer("m", b"1,2", "text/csv", "text/csv") == (b'"[1.0, 2.0]"\nm\n', "text/csv")


def test_functions_of_the_family_come_first():
    served = handler(
        input_fn=lambda body, content_type: (type(body).__name__, content_type),
        output_fn=lambda prediction, accept: (str(prediction), "text/plain"),
    )
    assert served.answer("m", b"x", "application/json; charset=utf-8", "") == (
        b"[('str', 'application/json'), 'm']",
        "text/plain",
    )
    assert b"'bytes', 'image/png'" in served.answer("m", b"\xff", "image/png", "")[0]


def test_transform_fn_instead_of_three():
    def transform(model, body, content_type, accept):
        return bytearray(f"{model} {body} {content_type} {accept}".encode())

    served = handler(predict_fn=None, transform_fn=transform)
    assert served.answer("m", b"x", "text/plain", "text/csv") == (b"m x text/plain text/csv", "text/csv")


def test_the_accept_header_is_gone_through_until_one_type_can_be_given():
    served = handler()
    assert served.answer("m", b"1", "", "image/png, text/csv;q=0.5")[1] == "text/csv"
    with pytest.raises(Failed, match="no answer as 'text/html'") as refused:
        served.answer("m", b"1", "", "image/png, text/html;q=0.5")
    assert refused.value.status_code == 406


class Throttled(Exception):
    status_code = 429


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (NotAcceptable("only csv"), 406, "only csv"),
        (Throttled("later"), 429, "later"),
        (
            ZeroDivisionError("division\nby zero"),
            500,
            "predict_fn failed: ZeroDivisionError: division by zero",
        ),
        (SystemExit(1), 500, "predict_fn failed: SystemExit: 1"),
    ],
)
def test_what_a_function_raises(error, status, message):
    def predict(data, model):
        raise error

    with pytest.raises(Failed) as failed:
        handler(predict_fn=predict).answer("m", b"1", "", "")
    assert (failed.value.status_code, str(failed.value)) == (status, message)


@pytest.mark.parametrize("code", [200, 302, 1000, "404", True, None])
def test_a_status_code_that_is_no_error_is_not_believed(code):
    def predict(data, model):
        raise type("Odd", (Exception,), {"status_code": code})

    with pytest.raises(Failed) as failed:
        handler(predict_fn=predict).answer("m", b"1", "", "")
    assert failed.value.status_code == 500


def test_an_answer_of_another_type():
    with pytest.raises(Failed, match="output_fn failed: TypeError: it must return str or bytes, not dict"):
        handler(output_fn=lambda prediction, accept: {}).answer("m", b"1", "", "")


def test_no_memory_is_told_from_a_broken_model():
    def no_memory(model_dir):
        raise MemoryError

    with pytest.raises(MemoryError):
        handler(model_fn=no_memory).load(Path())
    with pytest.raises(Failed, match=r"model_fn failed: .*model\.json"):
        handler(model_fn=lambda folder: Path(folder, "model.json").read_text()).load(Path("/none"))


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ({"model_fn": None}, r"has no model_fn\(model_dir\)"),
        ({"predict_fn": None}, r"has no predict_fn\(data, model\)"),
        ({"predict_fn": lambda data: data}, r"predict_fn must take \(data, model\): too many"),
        ({"input_fn": "text"}, "input_fn must take"),
    ],
)
def test_a_handler_that_cannot_work_is_refused_at_once(functions, message):
    with pytest.raises(BadHandler, match=message):
        handler(**functions)


def test_the_module_finds_what_lies_beside_it(tmp_path):
    (tmp_path / "beside_it.py").write_text("x = 7")
    (tmp_path / "inference_of_a_test.py").write_text("import beside_it\nx = beside_it.x")
    assert import_handler(tmp_path / "inference_of_a_test.py").x == 7


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("absent.py", None, "no absent.py in .*; SAGEMAKER_PROGRAM may name another"),
        ("a_text.txt", "", "not a Python file"),
        ("syntax_error.py", "def", "cannot be imported: SyntaxError"),
        ("that_exits.py", "raise SystemExit('bye')", "cannot be imported: SystemExit: bye"),
    ],
)
def test_what_cannot_be_imported(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(BadHandler, match=message):
        import_handler(tmp_path / name)

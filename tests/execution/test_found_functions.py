from __future__ import annotations

import pytest

from trainyard.execution import found_functions, functions


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(found_functions, "repository_root", lambda: tmp_path)
    place = tmp_path / "pipelines" / "lambdas"
    place.mkdir(parents=True)
    return place


def test_files_and_folders_are_functions(store, folder) -> None:
    (folder / "one.py").write_text(
        "def lambda_handler(event, context): return [event, context.function_name]"
    )
    (folder / "two").mkdir()
    (folder / "two" / "part.py").write_text("X = 2")
    (folder / "two" / "lambda_function.py").write_text("import part\ndef lambda_handler(e, c): return part.X")
    (folder / "README").write_text("no function")
    (folder / "__init__.py").write_text("")
    assert [each["FunctionName"] for each in functions.all_functions(store)] == ["one", "two"]
    arn = "arn:aws:lambda:us-east-1:000000000000:function:one"
    assert functions.invoke(store, arn, b'{"a": 1}').result == [{"a": 1}, "one"]
    assert functions.invoke(store, "two").result == 2
    assert sorted(path.name for path in folder.rglob("*")) == sorted(
        ["one.py", "two", "part.py", "lambda_function.py", "README", "__init__.py"]
    )


def test_what_they_are_made_of_is_in_their_digest(folder) -> None:
    (folder / "two").mkdir()
    (folder / "two" / "lambda_function.py").write_text("")
    before = found_functions.find("two")
    (folder / "two" / "part.py").write_text("X = 2")
    assert before["CodeSha256"] != found_functions.find("two")["CodeSha256"]


def test_without_the_folder_there_are_none(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(found_functions, "repository_root", lambda: tmp_path)
    assert found_functions.find_all() == []
    assert found_functions.find("one") is None

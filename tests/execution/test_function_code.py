from __future__ import annotations

import io
import os
import stat
import time
import zipfile

import pytest

from trainyard.errors import DataError
from trainyard.execution import function_code


def zipped(*members) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in members:
            archive.writestr(name, text)
    return content.getvalue()


def test_a_zip_is_unpacked_once_and_kept(tmp_path) -> None:
    tool = zipfile.ZipInfo("bin/tool")
    tool.external_attr = 0o755 << 16
    content = zipped(("main.py", "x = 1"), ("bin/", ""), (tool, "#!"))
    place = function_code.keep(tmp_path / "code", "abc", content)
    assert (place / "main.py").read_text() == "x = 1"
    assert (place / "bin/tool").stat().st_mode & 0o111
    assert not (place / "main.py").stat().st_mode & 0o111
    assert function_code.zipped(tmp_path / "code", "abc").read_bytes() == content
    (place / "main.py").write_text("x = 2")
    assert function_code.keep(tmp_path / "code", "abc", content) == place
    assert (place / "main.py").read_text() == "x = 2"
    assert [path.name for path in (tmp_path / "code").iterdir()] == ["abc"]


def link() -> zipfile.ZipInfo:
    member = zipfile.ZipInfo("link")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no zip", "Could not unzip uploaded file"),
        (zipped(("a", "b"))[:-30], "Could not unzip uploaded file"),
        (zipped(("../a", "b")), "outside the folder"),
        (zipped(("/a", "b")), "outside the folder"),
        (zipped(("a/../../b", "b")), "outside the folder"),
        (zipped(("..\\a", "b")), "outside the folder"),
        (zipped((link(), "/etc/passwd")), "a link or device"),
        (zipped(("a", "file"), ("a/b", "in it")), "a file and a folder of one name"),
        (b"\0" * (function_code.MAX_ZIP_BYTES + 1), "at most"),
    ],
)
def test_what_is_not_safe_to_open_leaves_nothing(tmp_path, content, message) -> None:
    with pytest.raises(DataError, match=message):
        function_code.keep(tmp_path / "code", "abc", content)
    assert list((tmp_path / "code").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["code"]


def test_there_are_limits_to_what_it_unpacks_to(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(function_code, "MAX_UNZIPPED_BYTES", 10)
    with pytest.raises(DataError, match="Unzipped size must be smaller than 10 bytes"):
        function_code.keep(tmp_path, "abc", zipped(("a", "x" * 5), ("b", "x" * 5)))
    monkeypatch.setattr(function_code, "MAX_MEMBERS", 1)
    with pytest.raises(DataError, match="2 members; possible: at most 1"):
        function_code.keep(tmp_path, "abc", zipped(("a", ""), ("b", "")))


def aged(place) -> None:
    """As if nothing had happened to it for two hours."""
    os.utime(place, (time.time() - 7200,) * 2)


def test_code_of_no_use_is_dropped_once_no_invocation_can_be_running_of_it(tmp_path) -> None:
    for digest in ("used", "old", "left", "kept", "new"):
        function_code.keep(tmp_path, digest, zipped(("main.py", digest)))
    (tmp_path / ".unpacking-killed").mkdir()
    for place in tmp_path.iterdir():
        if place.name != "new":
            aged(place)
    function_code.leave(tmp_path, "left")
    function_code.leave(tmp_path, "never there")
    function_code.keep(tmp_path, "kept", zipped(("main.py", "kept")))
    function_code.drop_others(tmp_path, {"used"})
    assert {place.name for place in tmp_path.iterdir()} == {"used", "left", "kept", "new"}
    assert (tmp_path / "used/task/main.py").read_text() == "used"

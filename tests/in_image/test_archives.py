"""Archives are whole or absent, deterministic, and never trusted when read."""

from __future__ import annotations

import gzip
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.in_image import archives
from trainyard.in_image.archives import (
    BadArchive,
    extract_archive,
    packed,
    place,
    read_archive,
    write_archive,
)

ENV = {"PYTHONPATH": str(Path(archives.__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}
FILES = {"model.json": b"{}" * 400, "code/inference.py": b"x = 1\n", "empty": b""}


def tar_gz(path: Path, *members: tarfile.TarInfo, content: bytes = b"") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def test_what_was_written_is_read_and_extracted(tmp_path: Path) -> None:
    path = tmp_path / "customer_0.tar.gz"
    write_archive(path, FILES)
    assert read_archive(path) == FILES
    extract_archive(path, tmp_path / "out")
    assert {name: (tmp_path / "out" / name).read_bytes() for name in FILES} == FILES
    assert path.stat().st_mode & 0o444 == 0o444 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    write_archive(tmp_path / "a.tar.gz", FILES)
    time.sleep(1.1)
    write_archive(tmp_path / "b.tar.gz", dict(reversed(FILES.items())))
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()


@given(
    st.dictionaries(
        st.text("abcé- ", min_size=1, max_size=150).map(lambda s: "f" + s + "x"), st.binary(max_size=3000)
    )
)
def test_any_files_come_back(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    path = tmp_path_factory.mktemp("any") / "m.tar.gz"
    write_archive(path, files)
    assert read_archive(path) == files


def test_a_failing_write_leaves_the_old_archive_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "m.tar.gz"
    write_archive(path, {"a": b"old"})
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
    code = f"{limit} import os, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    code += "from pathlib import Path; from trainyard.in_image.archives import write_archive;"
    code += f"write_archive(Path({str(path)!r}), {{'a': os.urandom(100_000)}})"
    ran = subprocess.run([sys.executable, "-c", code], env=ENV, capture_output=True)
    assert ran.returncode == 1 and b"File too large" in ran.stderr
    assert read_archive(path) == {"a": b"old"}
    assert [child.name for child in tmp_path.iterdir()] == ["m.tar.gz"]


def test_a_file_that_nobody_waits_for_is_whole_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: pytest.fail("waited for the disk"))
    place(tmp_path / "m.tar.gz", packed(FILES), on_disk=False)
    assert read_archive(tmp_path / "m.tar.gz") == FILES
    assert [child.name for child in tmp_path.iterdir()] == ["m.tar.gz"]


def test_a_killed_writer_leaves_only_a_temporary(tmp_path: Path) -> None:
    path = tmp_path / "m [1].tar.gz"
    code = "import os, signal; from pathlib import Path; from trainyard.in_image import archives;"
    code += "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL);"
    code += f"archives.write_archive(Path({str(path)!r}), {{'a': b'new'}})"
    writer = subprocess.Popen([sys.executable, "-c", code], env=ENV)
    assert writer.wait() == -signal.SIGKILL
    assert not path.exists()
    assert [child.name for child in tmp_path.iterdir()] == [f".{path.name}.{writer.pid}.tmp"]


@pytest.mark.parametrize("keep", [0, 1, 20, 200, -1, -8])
def test_truncated(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "m.tar.gz"
    write_archive(path, {"a": os.urandom(2000)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadArchive, match=r"m\.tar\.gz: not a whole"):
        read_archive(path)


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "m.tar.gz"
    write_archive(path, {"a": os.urandom(2000)}, compresslevel=0)
    content = bytearray(path.read_bytes())
    content[1500] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadArchive, match="CRC"):
        read_archive(path)


@pytest.mark.parametrize("content", [b"<Error>NoSuchKey</Error>", gzip.compress(b"not a tar at all" * 100)])
def test_something_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.tar.gz"
    path.write_bytes(content)
    with pytest.raises(BadArchive, match="not a whole"):
        extract_archive(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (member("/etc/passwd"), "outside"),
        (member("a/../../b"), "outside"),
        (member("link", tarfile.SYMTYPE, "/etc/passwd"), "link"),
        (member("hard", tarfile.LNKTYPE, "ok"), "link"),
        (member("null", tarfile.CHRTYPE), "device"),
        (member("pipe", tarfile.FIFOTYPE), "device"),
        (member("./ok"), "twice"),
    ],
)
def test_unsafe_members_are_refused_before_anything_is_written(
    tmp_path: Path, bad: tarfile.TarInfo, reason: str
) -> None:
    path = tar_gz(tmp_path / "m.tar.gz", member("ok"), bad)
    with pytest.raises(BadArchive, match=reason):
        read_archive(path)
    with pytest.raises(BadArchive, match=reason):
        extract_archive(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bombs(tmp_path: Path) -> None:
    many = tar_gz(tmp_path / "many.tar.gz", *[member(f"f{i}") for i in range(30)])
    with pytest.raises(BadArchive, match="more than 29 members"):
        read_archive(many, max_members=29)
    large = tar_gz(tmp_path / "large.tar.gz", member("zeros"), content=bytes(5_000_000))
    with pytest.raises(BadArchive, match="more than 1000000 bytes"):
        read_archive(large, max_bytes=1_000_000)


def test_a_bomb_in_a_header(tmp_path: Path) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 50_000_000
    path = tmp_path / "m.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf() + bytes(50_000_000)))
    with pytest.raises(BadArchive, match="more than 1000 bytes"):
        read_archive(path, max_members=10, max_bytes=1000)


def test_a_python_without_the_data_filter_extracts_as_safely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    write_archive(tmp_path / "m.tar.gz", FILES)
    extract_archive(tmp_path / "m.tar.gz", tmp_path / "out")
    assert read_archive(tmp_path / "m.tar.gz") == {
        str(path.relative_to(tmp_path / "out")): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    with pytest.raises(BadArchive, match="outside"):
        extract_archive(tar_gz(tmp_path / "bad.tar.gz", member("../x")), tmp_path / "bad")

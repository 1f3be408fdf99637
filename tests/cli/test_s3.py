from __future__ import annotations

import json
from pathlib import Path


def test_copies_in_lists_and_copies_out(cli, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "sub" / "b.txt").write_text("b")
    assert cli("s3", "ls").out == "no buckets yet\n"
    assert cli("s3", "cp", folder, "s3://bucket/data").out == "2 objects copied\n"
    assert cli("s3", "cp", folder / "a.txt", "s3://bucket/one/").out == "1 object copied\n"
    assert cli("s3", "cp", folder / "a.txt", "s3://bucket/two.txt").code == 0
    assert cli("s3", "ls").out == "s3://bucket\n"
    keys = [item["Key"] for item in json.loads(cli("s3", "ls", "s3://bucket/", "--json").out)]
    assert keys == ["data/a.txt", "data/sub/b.txt", "one/a.txt", "two.txt"]
    assert "s3://bucket/data/sub/b.txt" in cli("s3", "ls", "s3://bucket/data/").out
    assert cli("s3", "cp", "s3://bucket/data/", tmp_path / "out").out == "2 objects copied\n"
    assert (tmp_path / "out" / "sub" / "b.txt").read_text() == "b"
    assert cli("s3", "cp", "s3://bucket/two.txt", tmp_path / "file").code == 0
    assert (tmp_path / "file").read_text() == "a"


def test_refusals(cli, tmp_path: Path) -> None:
    cli("s3", "cp", __file__, "s3://a/there")
    for arguments, code in [
        (("cp", "a", "b"), 2),
        (("cp", "s3://a/b", "s3://a/c"), 2),
        (("cp", tmp_path / "none", "s3://a/c"), 24),
        (("cp", "s3://a/none", tmp_path / "x"), 21),
        (("ls", "bucket"), 21),
        (("cp", __file__, "s3://a/../b"), 21),
        (("cp", "s3://a/there", f"{__file__}/below"), 24),
    ]:
        result = cli("s3", *arguments)
        assert result.code == code, (arguments, result)
        assert len(result.err.strip().splitlines()) == 1

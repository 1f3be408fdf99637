from __future__ import annotations

import json

import pytest

from trainyard.cli import bench
from trainyard.cli.main import main
from trainyard.cli.new import make_family
from trainyard.families import find_families, repository_root

ROOT = repository_root()

MEASURE = """
import argparse, json, pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tiny_parts

parser = argparse.ArgumentParser()
for name in ("--data", "--only", "--output"):
    parser.add_argument(name)
parser.add_argument("--seeds", type=int, default=5)
arguments = parser.parse_args()
print("not for the reader")
print(f"seed {arguments.seeds}", file=sys.stderr)
data = pathlib.Path(arguments.data)
with (data / "log").open("a") as log:
    print(arguments.only, file=log)
if (data / f"no {arguments.only}").exists():
    raise SystemExit(3)
facts = {"seeds": arguments.seeds, "where": pathlib.Path(sys.prefix).name}
pathlib.Path(arguments.output).write_text(json.dumps(facts))
"""

READING = """
import json, pathlib, sys

what, where = sys.argv[1:]
if what == "data":
    if not pathlib.Path(where, "small").exists():
        raise SystemExit(f"{where}/small: not there; example.com has it")
    print(pathlib.Path(where, "small"))
else:
    for side, found in json.loads(pathlib.Path(where).read_text())["results"].items():
        print(side, found["seeds"])
"""


@pytest.fixture(scope="module")
def venvs(tmp_path_factory):
    """Made once for all tests here: the locks are empty."""
    return tmp_path_factory.mktemp("venvs")


@pytest.fixture
def tree(tmp_path, monkeypatch, venvs):
    """A repository with a family that has a benchmark, one that has none, and data for it."""
    root, home = tmp_path / "root", tmp_path / "home"
    root.mkdir()
    for name in ("tiny-one", "other"):
        make_family(root, name, "@acme/ml")
        (root / "containers" / name / "requirements.txt").write_text("")
    for file, text in (
        ("benchmarks/tiny_one_quality.py", MEASURE),
        ("benchmarks/tiny_one_reading.py", READING),
        ("benchmarks/tiny_parts.py", ""),
        ("requirements/bench.txt", "# of the peer"),
    ):
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text(text)
    (tmp_path / "shared" / "data" / "small").mkdir(parents=True)
    home.mkdir()
    (home / "venvs").symlink_to(venvs)
    monkeypatch.setattr(bench, "repository_root", lambda: root)
    monkeypatch.setenv("TRAINYARD_HOME", str(home))
    monkeypatch.delenv("TRAINYARD_DATA", raising=False)
    return tmp_path


@pytest.fixture
def call(tree, capfd):
    """``trainyard bench``: exit code, what it prints, what it says meanwhile, and the sides that were measured."""

    def called(*arguments):
        log = tree / "shared" / "data" / "small" / "log"
        log.unlink(missing_ok=True)
        code = main(["bench", *arguments])
        out, err = capfd.readouterr()
        return code, out, err, log.read_text().split() if log.exists() else []

    return called


def test_measured_once_in_two_environments_and_printed_ever_after(call):
    code, out, err, measured = call("tiny-one")
    assert (code, out, measured) == (0, "tiny-one 5\npeer 5\n", ["tiny-one", "peer"])
    assert "measuring peer" in err and "seed 5" in err
    code, out, err, measured = call("tiny-one")
    assert (code, out, measured) == (0, "tiny-one 5\npeer 5\n", [])
    assert "--again measures anew" in err and "changed" not in err
    assert call("tiny-one", "--again")[3] == ["tiny-one", "peer"]
    results = json.loads(call("tiny-one", "--json")[1])["results"]
    assert results["tiny-one"]["where"].startswith("tiny-one-")
    assert results["peer"]["where"].startswith("bench-")


def test_options_of_the_benchmark_are_passed_on_and_kept_apart(call):
    assert call("tiny-one")[1] == "tiny-one 5\npeer 5\n"
    _, out, _, measured = call("tiny-one", "--seeds", "1")
    assert (out, measured) == ("tiny-one 1\npeer 1\n", ["tiny-one", "peer"])
    document = json.loads(call("tiny-one", "--json", "--seeds", "1")[1])
    assert document["options"] == ["--seeds", "1"] and document["family"] == "tiny-one"
    assert call("tiny-one")[1:4:2] == ("tiny-one 5\npeer 5\n", [])


def test_an_option_that_the_benchmark_refuses_is_wrong_usage(call):
    code, out, err, _ = call("tiny-one", "--seeds", "many")
    assert (code, out) == (2, "")
    assert "invalid int value: 'many'" in err and "tiny_one_quality.py refuses --seeds many" in err


def test_after_a_failure_only_what_lacks_is_measured(call, tree):
    bad = tree / "shared" / "data" / "small" / "no peer"
    bad.touch()
    code, out, err, measured = call("tiny-one")
    assert (code, out, measured) == (1, "", ["tiny-one", "peer"])
    assert "measuring peer ended with exit code 3" in err
    bad.unlink()
    assert call("tiny-one")[:4:3] == (0, ["peer"])
    assert [path.suffix for path in (tree / "home" / "bench").iterdir()] == [".json"]


@pytest.mark.parametrize(
    "file", ["benchmarks/tiny_parts.py", "containers/tiny-one/train.py", "requirements/bench.txt"]
)
def test_numbers_of_other_code_are_shown_as_such_and_never_mixed(call, tree, file):
    call("tiny-one")
    with (tree / "root" / file).open("a") as text:
        text.write("\n# changed\n")
    _, out, err, measured = call("tiny-one")
    assert (out, measured) == ("tiny-one 5\npeer 5\n", [])
    assert "its code has changed since then; --again" in err
    kept = next((tree / "home" / "bench").glob("*.json"))
    document = json.loads(kept.read_text())
    del document["results"]["peer"]
    kept.write_text(json.dumps(document))
    assert call("tiny-one")[3] == ["tiny-one", "peer"]


def test_without_data_it_says_where_they_are_before_anything_is_made(call, tree, monkeypatch, tmp_path):
    (tree / "home" / "venvs").unlink()
    code, out, err, _ = call("tiny-one", "--data", str(tmp_path))
    assert (code, out) == (24, "")
    assert err == f"trainyard: {tmp_path}/small: not there; example.com has it\n"
    assert list((tree / "home" / "venvs").iterdir()) == []
    monkeypatch.setenv("TRAINYARD_DATA", "/nowhere")
    assert "/nowhere/small: not there" in call("tiny-one")[2]


def test_a_family_without_a_benchmark_hears_which_have_one(call):
    code, _, err, _ = call("other")
    assert code == 23
    assert "other has no benchmarks/other_quality.py; families that have one: tiny-one" in err
    assert call("tiny")[0] == 11


def test_what_there_is_belongs_to_a_family_and_has_its_reading():
    families = {name.replace("-", "_") for name in find_families(ROOT)}
    found = {file.name.removesuffix("_quality.py") for file in (ROOT / "benchmarks").glob("*_quality.py")}
    assert found and found <= families
    assert all((ROOT / "benchmarks" / f"{name}_reading.py").exists() for name in found)

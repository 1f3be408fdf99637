from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainyard import families
from trainyard.errors import ManifestError, UnknownFamily

ROOT = families.repository_root()
MANIFEST = """
name = "{name}"
owner = "@trainyard/team"
description = "A family for tests."
[image]
base = "python:3.11-slim@sha256:{zeros}"
architectures = ["amd64"]
[training]
instance = "ml.m5.large"
[[training.metrics]]
name = "rmse"
regex = 'rmse=(\\S+);'
[training.hyperparameters.growth]
type = "categorical"
default = "linear"
values = ["linear", "flat"]
meaning = "Trend."
[serving]
server = "pooled"
content_types = ["application/json"]
accept = ["application/json"]
instance = "ml.m5.large"
[example]
generate = "example/generate.py"
request = "example/request.json"
answer = "example/answer.json"
bad_requests = "example/bad_requests.json"
"""


@pytest.fixture
def make_family(tmp_path):
    def make(name: str, change: tuple[str, str] = ("", "")) -> Path:
        folder = tmp_path / "containers" / name
        (folder / "example").mkdir(parents=True)
        for file in ("generate.py", "request.json", "answer.json", "bad_requests.json"):
            (folder / "example" / file).write_text("")
        text = MANIFEST.format(name=name, zeros="0" * 64).replace(*change)
        (folder / "family.toml").write_text(text)
        return folder

    return make


def test_packages_that_come_as_source(make_family):
    given = f"git+https://host/a@{'0' * 40}"
    source = f'[[image.sources]]\npackage = "a"\nvariable = "A_SOURCE"\ndefault = "{given}"\n[training]'
    [read] = families.load(make_family("some", ("[training]", source))).image.sources
    assert read == families.Source(package="a", variable="A_SOURCE", default=given, compiled=False)
    assert families.load(make_family("other")).image.sources == ()


def test_families_are_found_in_order_of_name(tmp_path, make_family):
    for name in ("b", "a-2", "a"):
        make_family(name)
    (tmp_path / "containers" / "notes").mkdir()
    found = families.find_families(tmp_path)
    assert list(found) == ["a", "a-2", "b"]
    assert found["b"].folder == tmp_path / "containers" / "b"


def test_a_family_holds_what_its_manifest_says(make_family):
    family = families.load(make_family("a"))
    assert family.owner == "@trainyard/team"
    assert family.image.architectures == ("amd64",)
    assert family.training.metrics == (families.Metric(name="rmse", regex=r"rmse=(\S+);"),)
    assert [(each.name, each.default, each.values) for each in family.training.hyperparameters] == [
        ("growth", "linear", ("linear", "flat"))
    ]
    assert (family.training.spot, family.training.checkpoint) == (False, None)
    assert (family.serving.multi_model, family.example.target_model) == (False, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ('default = "linear"', 'default = "linar"'),
            'containers/a/family.toml: training.hyperparameters.growth.default = "linar": '
            "not one of values: linear, flat",
        ),
        (('name = "a"', 'name = "b"'), 'family.toml: name = "b": must be the name of its folder, a'),
        (("example/answer.json", "answer.json"), 'example.answer = "answer.json": there is no such file'),
        (
            ('owner = "', "owner = "),
            "containers/a/family.toml: not TOML: Invalid value (at line 3, column 9)",
        ),
    ],
)
def test_the_message_names_file_key_value_and_what_was_possible(make_family, change, message):
    with pytest.raises(ManifestError) as error:
        families.load(make_family("a", change))
    assert message in str(error.value)


def test_all_problems_of_all_families_are_told_at_once(tmp_path, make_family):
    make_family("a", ("ml.m5.large", "m5"))
    make_family("b", ('name = "b"', 'name = "B"'))
    make_family("c")
    with pytest.raises(ManifestError) as error:
        families.find_families(tmp_path)
    lines = str(error.value).splitlines()
    assert [line.split(" = ")[0] for line in lines] == [
        "containers/a/family.toml: training.instance",
        "containers/a/family.toml: serving.instance",
        "containers/b/family.toml: name",
    ]


def test_one_family_is_found_though_another_is_broken(tmp_path, make_family):
    make_family("a")
    make_family("b").joinpath("family.toml").write_bytes(b"\xff")
    assert families.find_family(tmp_path, "a").name == "a"
    with pytest.raises(ManifestError, match=r"containers/b/family\.toml: not TOML: 'utf-8' codec"):
        families.find_family(tmp_path, "b")


def test_an_unknown_family_is_answered_with_those_there_are(tmp_path, make_family):
    with pytest.raises(UnknownFamily, match="there are: none yet"):
        families.find_family(tmp_path, "prophet")
    make_family("prophet")
    make_family("scarcegan")
    with pytest.raises(UnknownFamily) as error:
        families.find_family(tmp_path, "prohpet")
    assert str(error.value) == (
        "no family 'prohpet' under containers/; did you mean prophet?; there are: prophet, scarcegan"
    )


def test_a_folder_without_manifest_is_said_to_have_none(tmp_path):
    with pytest.raises(ManifestError, match=r"family\.toml: there is no such file"):
        families.load(tmp_path)


@settings(max_examples=200, deadline=None)
@given(text=st.text(), start=st.integers(0, len(MANIFEST)), length=st.integers(0, 40))
def test_any_text_gives_a_family_or_a_manifest_error(tmp_path_factory, text, start, length):
    folder = tmp_path_factory.mktemp("families")
    file = folder / "family.toml"
    file.write_bytes((MANIFEST[:start] + text + MANIFEST[start + length :]).encode(errors="surrogatepass"))
    with pytest.raises(ManifestError):
        families.load(folder)


def test_the_families_of_this_repository_are_right():
    assert families.find_families(ROOT)


def test_families_are_listed_without_third_party_packages():
    program = f"""if True:
        import sys
        sys.path.insert(0, {str(ROOT / "shared")!r})
        from trainyard import families
        families.find_families(families.repository_root())
        known = {{"trainyard", "__main__", *sys.stdlib_module_names}}
        print(sorted({{name.partition(".")[0] for name in sys.modules}} - known))"""
    command = [sys.executable, "-IS", "-c", program]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"

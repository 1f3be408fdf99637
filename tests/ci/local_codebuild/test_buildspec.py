from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ci.local_codebuild.buildspec import Env, Files, Phase, Report, parse, read_file
from trainyard.errors import BuildspecError, UsageError

WHOLE = """
version: 0.2
run-as: builder
env:
  shell: bash
  variables: {A: "1"}
  parameter-store: {B: /x/y}
  secrets-manager: {C: "id:key"}
  exported-variables: [A]
  git-credential-helper: yes
proxy: {logs: no}
phases:
  install: {runtime-versions: {python: 3.11}}
  build:
    on-failure: ABORT
    commands:
      - make
      - |
        two
        lines
    finally: [clean]
reports:
  tests: {files: ["*.xml"], base-directory: out, discard-paths: yes}
  "arn:aws:codebuild:eu-west-1:123456789012:report-group/cover": {files: [c.xml], file-format: coberturaxml}
artifacts:
  files: ["**/*"]
  name: a-$X
  exclude-paths: "x/**"
  secondary-artifacts:
    more: {files: [f], enable-symlinks: yes}
cache: {paths: ["/root/.cache/**/*"]}
"""


def test_a_whole_buildspec():
    spec = parse(WHOLE)
    assert spec.env == Env(
        shell="bash",
        variables={"A": "1"},
        parameter_store={"B": "/x/y"},
        secrets_manager={"C": "id:key"},
        exported=("A",),
    )
    assert spec.phases == {
        "install": Phase(),
        "build": Phase(commands=("make", "two\nlines\n"), finally_=("clean",), on_failure="ABORT"),
    }
    tests, cover = spec.reports.values()
    assert tests.files == Files(patterns=("*.xml",), base_directory="out", discard_paths=True)
    assert cover == Report(format="COBERTURAXML", files=Files(patterns=("c.xml",)))
    assert spec.artifacts == Files(patterns=("**/*",), name="a-$X", exclude_paths=("x/**",))
    assert spec.secondary_artifacts == {"more": Files(patterns=("f",), keep_links=True)}
    assert spec.batch is None


def test_what_has_no_effect_is_told():
    ignored = parse(WHOLE).ignored
    assert ignored == (
        "run-as", "proxy", "cache", "env.git-credential-helper", "phases.install.runtime-versions"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "env: {variables: {A: a}, parameter-store: {A: b}}",
            "env.parameter-store.A: is in env.variables too",
        ),
        ("artifacts: {name: x}", "artifacts.files: missing"),
        (f"reports: {{{', '.join(f'r{i}: {{files: [x]}}' for i in range(6))}}}", "reports: 6 groups"),
    ],
)
def test_keys_that_contradict_each_other(text, problem):
    with pytest.raises(BuildspecError, match=f"^b.yml: {problem}"):
        parse(f"version: 0.2\nphases: {{build: {{commands: [x]}}}}\n{text}", "b.yml")


KEYS = """
version env variables phases build commands finally on-failure artifacts files name secondary-artifacts reports batch
build-list build-graph build-matrix dynamic static identifier depend-on cache paths a
"""
WORDS = st.sampled_from(KEYS.split())
SCALARS = WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.text(max_size=4)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=25,
)


@given(DOCUMENTS, WORDS, DOCUMENTS)
def test_whatever_the_document_is_only_problems_are_raised(document, key, inside):
    whole = yaml.safe_load(WHOLE)
    for each in (document, {**whole, key: document}, {**whole, "batch": {key: [document, {key: inside}]}}):
        try:
            parse(yaml.safe_dump(each))
        except BuildspecError as error:
            assert all(line.startswith("buildspec.yml: ") for line in str(error).split("\n"))


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match=r"^x.yml: cannot be read: No such file"):
        read_file(tmp_path / "x.yml", "x.yml")
    with pytest.raises(UsageError, match="Is a directory"):
        read_file(tmp_path, "x.yml")
    (tmp_path / "b.yml").write_bytes(b"version: \xff")
    with pytest.raises(BuildspecError, match="not UTF-8 text: invalid start byte at byte 9"):
        read_file(tmp_path / "b.yml", "b.yml")

"""buildspec.yml for AWS CodeBuild, generated: a batch has a build per family, and CodeBuild wants them listed.

    PYTHONPATH=shared python -m ci.buildspec [--write | --check]

Its commands hold no logic: what they do can be run and tested here. A family that git does not track yet may
be missing. docs/codebuild.md says how to set the project up.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from ci import generated
from ci.build import FAMILIES_VARIABLE, FOLDER
from ci.generated import Generated

TEXT = f"""\
# Generated from containers/*/family.toml by: python -m ci.buildspec --write
version: 0.2
env:
  exported-variables:
    - TRAINYARD_REVISION
    - TRAINYARD_BUILT
phases:
  install:
    runtime-versions:
      python: 3.12
    commands:
      - PYTHONPATH=shared python3 -m ci.setup
  pre_build:
    commands:
      - .venv/bin/python -m ci.release login
      - .venv/bin/python -m ci.release plan
      - . {FOLDER}/variables
  build:
    commands:
      - .venv/bin/python -m ci.lint
      - .venv/bin/python -m ci.release build
      - .venv/bin/python -m ci.release test
      - .venv/bin/python -m ci.release sbom
  # CodeBuild comes here after a failed build, too: these commands know, and then change nothing
  post_build:
    commands:
      - .venv/bin/python -m ci.release push
      - .venv/bin/python -m ci.release scan
      - .venv/bin/python -m ci.release publish
reports:
  images:
    base-directory: {FOLDER}/reports
    files:
      - "*.xml"
    file-format: JUNITXML
artifacts:
  base-directory: {FOLDER}
  files:
    - "**/*"
cache:
  paths:
    - /root/.cache/pip/**/*
    - /root/.cache/uv/**/*
"""
BATCH = """\
batch:
  fast-fail: false
  build-list:
"""


def buildspec(families: Iterable[str]) -> str:
    """The text for these families. Source: AWS CodeBuild User Guide, "Build specification reference"."""
    builds = [
        f'    - identifier: "{name.replace("-", "_")}"\n'
        f'      env:\n        variables:\n          {FAMILIES_VARIABLE}: "{name}"\n'
        for name in sorted(families)
    ]
    return TEXT + (BATCH + "".join(builds) if builds else "")


def is_stale(text: str, families: Collection[str], tracked: set[str]) -> bool:
    """Whether it is not what it would be for the tracked families and some of the others."""
    listed = set(re.findall(rf'^ +{FAMILIES_VARIABLE}: "(\S+)"$', text, re.MULTILINE))
    return not tracked <= listed <= set(families) or text != buildspec(listed)


BUILDSPEC = Generated(name="buildspec.yml", module="ci.buildspec", text=buildspec, is_stale=is_stale)

if __name__ == "__main__":
    raise SystemExit(generated.main(BUILDSPEC, __doc__))

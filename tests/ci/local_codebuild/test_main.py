from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ci.local_codebuild.main import main

ROOT = Path(__file__).parents[3]
OK = "version: 0.2\nphases: {build: {commands: [%s]}}\n"
LIST = """
version: 0.2
env: {variables: {A: spec, B: spec}}
phases: {build: {commands: ["$COMMAND", 'echo "$A $B $CODEBUILD_BATCH_BUILD_IDENTIFIER"']}}
batch:
  fast-fail: %s
  build-list:
    - {identifier: one, env: {variables: {COMMAND: "true", A: task}}}
    - {identifier: two, env: {variables: {COMMAND: "false"}, image: some}, ignore-failure: %s}
    - {identifier: three, env: {variables: {COMMAND: "true"}}}
"""
GRAPH = """
version: 0.2
phases: {build: {commands: ["$COMMAND"]}}
batch:
  build-graph:
    - {identifier: last, depend-on: [middle], env: {variables: {COMMAND: echo last}}}
    - {identifier: middle, depend-on: [first], env: {variables: {COMMAND: echo middle}}}
    - {identifier: first, ignore-failure: %s, env: {variables: {COMMAND: "false"}}}
    - {identifier: other, env: {variables: {COMMAND: echo other}}}
"""


def statuses(done) -> dict[str, str]:
    return {name: build["status"] for name, build in done.builds.items()}


def test_variables_take_precedence_and_are_literal(build, monkeypatch):
    monkeypatch.setenv("CALLER", "caller")
    monkeypatch.setenv("CODEBUILD_SRC_DIR", "/other")
    spec = """
version: 0.2
env: {variables: {A: spec, B: spec, C: "$CALLER:`x`", CALLER: spec, AWS_REGION: spec}}
phases: {build: {commands: ['echo "$A $B $C $CALLER $AWS_REGION"', 'test "$CODEBUILD_SRC_DIR" = "$PWD"']}}
"""
    done = build(spec, "--env", "A=start", "--project-env", "A=project", "--project-env", "B=project")
    assert done.status == "SUCCEEDED" and done.printed() == ["start project $CALLER:`x` spec spec"]


def test_home_is_kept_and_the_event_is_told(build):
    spec = OK % "'echo $HOME $CODEBUILD_WEBHOOK_TRIGGER $CODEBUILD_BUILD_ID'"
    done = build(spec, "--event", "tag:v1", "--project", "proj")
    assert done.printed() == [f"{os.environ['HOME']} tag/v1 {done.build['build_id']}"]
    assert done.build["build_id"].startswith("proj:")


def test_the_copy_is_built_unless_in_place(build, source):
    assert build(OK % "touch made").status == "SUCCEEDED"
    assert not (source / "made").exists()
    done = build(OK % "touch made", "--in-place")
    assert (source / "made").exists() and not (done.output / "build/src").exists()


def test_a_list_runs_to_its_end(build):
    done = build(LIST % ("false", "false"), "--batch", "--env", "B=start")
    assert statuses(done) == {"one": "SUCCEEDED", "two": "FAILED", "three": "SUCCEEDED"}
    assert done.status == "FAILED" and done.code == 1
    assert done.printed("one") == ["task start one"] and done.printed("three") == ["spec start three"]
    assert "image some has no effect here" in done.log("two")


def test_fast_fail_stops_the_rest(build):
    done = build(LIST % ("true", "false"), "--batch")
    assert statuses(done) == {"one": "SUCCEEDED", "two": "FAILED", "three": "STOPPED"}
    assert done.builds["three"]["message"] == "fast-fail: two failed"


def test_a_failure_can_be_ignored(build):
    done = build(LIST % ("true", "true"), "--batch")
    assert statuses(done) == {"one": "SUCCEEDED", "two": "FAILED", "three": "SUCCEEDED"}
    assert done.status == "SUCCEEDED" and done.code == 0


def test_what_needs_a_failed_build_is_left_out(build):
    done = build(GRAPH % "false", "--batch")
    assert statuses(done) == {"first": "FAILED", "middle": "SKIPPED", "last": "SKIPPED", "other": "SUCCEEDED"}
    assert done.builds["middle"]["message"] == "needs first" and done.status == "FAILED"
    done = build(GRAPH % "true", "--batch")
    assert statuses(done) == {
        "first": "FAILED", "middle": "SUCCEEDED", "last": "SUCCEEDED", "other": "SUCCEEDED"
    }  # fmt: skip
    assert done.status == "SUCCEEDED"


def test_some_of_a_batch(build):
    done = build(GRAPH % "false", "--batch", "--only", "last", "--only", "other")
    assert statuses(done) == {"last": "SUCCEEDED", "other": "SUCCEEDED"}


def test_a_task_with_a_buildspec_of_its_own(build, source):
    (source / "own.yml").write_text(OK % "echo own")
    done = build(OK % "echo common" + "batch: {build-list: [{buildspec: own.yml}, {}]}", "--batch")
    assert done.printed("build1") == ["own"] and done.printed("build2") == ["common"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.yml"], 2, "none.yml: cannot be read: No such file or directory"),
        (["bad.yml"], 16, "\nbad.yml: phases: missing\n"),
        (["--source", "none"], 2, "--source none: there is no such folder"),
        (["--output", "filled"], 2, "is not empty; give a new folder"),
        (["--output", "good.yml"], 2, "--output"),
        (["good.yml", "--env", "CODEBUILD_A=1"], 2, "--env CODEBUILD_A=1: names"),
        (["good.yml", "--event", "x"], 2, "--event x: give push:BRANCH"),
        (["good.yml", "--batch"], 2, "--batch: good.yml has no batch section"),
        (["good.yml", "--only", "x"], 2, "--only chooses builds of a batch"),
        (
            ["list.yml", "--batch", "--only", "x"],
            2,
            "--only x: no such build in the batch; there are: build1",
        ),
        (["list.yml", "--batch"], 2, "gone.yml: cannot be read"),
        (["fanout.yml", "--batch"], 2, "build-fanout cannot run here"),
    ],
)
def test_what_cannot_be_run_leaves_nothing(source, monkeypatch, capsys, arguments, code, message):
    monkeypatch.chdir(source)
    (source / "good.yml").write_text(OK % "echo x")
    (source / "bad.yml").write_text("version: 0.2\nx: 1")
    (source / "list.yml").write_text(OK % "x" + "batch: {build-list: [{buildspec: gone.yml}]}")
    (source / "fanout.yml").write_text(OK % "x" + "batch: {build-fanout: {parallelism: 2}}")
    (source / "filled").mkdir()
    (source / "filled/x").touch()
    before = set(source.rglob("*"))
    if "--output" in arguments:
        arguments = ["good.yml", *arguments]
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert message in captured.err and captured.out == "" and set(source.rglob("*")) == before


def test_a_shell_that_is_not_there(build, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    done = build("version: 0.2\nenv: {shell: bash}\nphases: {build: {commands: [x]}}")
    assert done.code == 1 and done.build["message"] == "env.shell = bash: there is none on PATH"


def test_the_default_output_is_new_each_time(source, monkeypatch, capsys):
    monkeypatch.chdir(source)
    (source / "buildspec.yml").write_text(OK % "ls -A" + "artifacts: {files: ['**/*']}")
    assert main(["--in-place"]) == 0
    output = Path(capsys.readouterr().out.splitlines()[-1].removeprefix("SUCCEEDED: "))
    assert output.parent == source / ".trainyard/codebuild"
    assert json.loads((output / "result.json").read_text())["builds"][0]["artifacts"] == [
        "artifacts/buildspec.yml"
    ]


def runner(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ci.local_codebuild", *arguments]


def run_from_root(folder: Path, *arguments: str, **keys) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}"}
    return subprocess.Popen(
        runner(*arguments), cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keys,
    )  # fmt: skip


def test_json_is_all_that_is_on_standard_output(source):
    (source / "buildspec.yml").write_text(OK % "echo ä; exit 3")
    process = run_from_root(source, "--json", "--output", "out")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and json.loads(out)["status"] == "FAILED"
    assert out == (source / "out/result.json").read_text()
    assert "\nä\n" in err and "exit status 3" in err


def test_a_reader_that_goes_away_changes_nothing_else(source):
    (source / "buildspec.yml").write_text(OK % "'for i in $(seq 20000); do echo line $i; done'")
    process = run_from_root(source, "--output", "out")
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait(timeout=60) == 0
    assert "\nline 20000\n" in (source / "out/build/build.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_that_runs(source, number):
    (source / "buildspec.yml").write_text("""
version: 0.2
phases:
  build:
    commands:
      - (trap '' INT TERM; sleep 50; sleep 50) & sleep 51 & echo $$ > pids; echo $! >> pids; touch ready; sleep 52
    finally: [touch never]
  post_build: {commands: [touch never]}
""")
    process = run_from_root(source, "--json", "--in-place", "--output", "out")
    deadline = time.monotonic() + 30
    while not (source / "ready").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    document = json.loads(out)
    (build,) = document["builds"]
    assert process.returncode == 128 + number and document["status"] == build["status"] == "STOPPED"
    assert [phase["status"] for phase in build["phases"]] == ["SUCCEEDED", "SUCCEEDED", "STOPPED"]
    assert build["phases"][-1]["message"] == number.name
    assert not (source / "never").exists() and "Traceback" not in err
    for pid in (source / "pids").read_text().split():
        stat = Path("/proc", pid, "stat")
        assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX"

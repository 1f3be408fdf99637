from __future__ import annotations

import pytest

from ci.local_codebuild.batch import MOST, Batch, Task, select
from ci.local_codebuild.buildspec import parse
from trainyard.errors import BuildspecError, UsageError

HEAD = "version: 0.2\nphases: {build: {commands: [x]}}\nbatch:\n"


def batch_of(text: str) -> Batch:
    found = parse(HEAD + text).batch
    assert found is not None
    return found


def names(batch: Batch) -> list[str]:
    return [task.identifier for task in batch.tasks]


def test_a_list_with_all_that_a_task_may_have():
    batch = batch_of("""
  fast-fail: true
  build-list:
    - identifier: one
      buildspec: other.yml
      ignore-failure: true
      debug-session: no
      env: {image: some:1, privileged-mode: true, variables: {A: a}}
    - env: {variables: {A: b}}
""")
    assert batch.kind == "build-list" and batch.fast_fail
    assert batch.tasks == (
        Task(
            identifier="one",
            variables={"A": "a"},
            buildspec="other.yml",
            ignore_failure=True,
            ignored=("image some:1", "privileged-mode True"),
        ),
        Task(identifier="build2", variables={"A": "b"}),
    )


def test_a_matrix_is_every_combination():
    batch = batch_of("""
  build-matrix:
    static: {ignore-failure: true, env: {type: LINUX_CONTAINER}}
    dynamic:
      buildspec: [a.yml, b.yml]
      env: {image: img, variables: {X: ["1", "2"], Y: one}}
""")
    assert not batch.fast_fail and names(batch) == ["build1", "build2", "build3", "build4"]
    assert [(task.buildspec, task.variables) for task in batch.tasks] == [
        ("a.yml", {"X": "1", "Y": "one"}),
        ("a.yml", {"X": "2", "Y": "one"}),
        ("b.yml", {"X": "1", "Y": "one"}),
        ("b.yml", {"X": "2", "Y": "one"}),
    ]
    assert all(task.ignore_failure for task in batch.tasks)
    assert batch.tasks[0].ignored == ("image img", "type LINUX_CONTAINER")


def test_a_graph_is_in_an_order_that_can_run():
    batch = batch_of("""
  build-graph:
    - {identifier: last, depend-on: [left, right]}
    - {identifier: left, depend-on: [first]}
    - {identifier: right, depend-on: [first]}
    - {identifier: first}
""")
    order = names(batch)
    assert sorted(order) == ["first", "last", "left", "right"]
    for task in batch.tasks:
        assert all(order.index(name) < order.index(task.identifier) for name in task.depends_on)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("  build-list: []", "batch.build-list = []: must be a list with at least 1"),
        (
            "  build-list: [{identifier: a}, {identifier: a}]",
            "batch.build-list[1].identifier = a: is there twice",
        ),
        ("  build-list: [{identifier: a-b}]", "batch.build-list[0].identifier"),
        ("  build-list: [{depend-on: [a]}]", "batch.build-list[0].depend-on: no such key"),
        ("  build-list: [{env: {variables: {A: 1}}}]", "batch.build-list[0].env.variables.A = 1"),
        ("  build-graph: [{}]", "batch.build-graph[0].identifier: missing"),
        (
            "  build-graph: [{identifier: linux, depend-on: [linus]}]",
            "batch.build-graph[0].depend-on: no build linus; did you mean linux?",
        ),
        (
            "  build-graph: [{identifier: a, depend-on: [b]}, {identifier: b, depend-on: [a]}]",
            "batch.build-graph: a cycle: ",
        ),
        ("  build-graph: [{identifier: a, depend-on: [a]}]", "batch.build-graph: a cycle: a needs a"),
        ("  build-matrix: {}", "batch.build-matrix.dynamic: missing"),
        (
            "  build-matrix: {dynamic: {env: {variables: {A: [1]}}}}",
            "batch.build-matrix.dynamic.env.variables.A[0] = 1",
        ),
        ("  {build-list: [{}], build-graph: [{identifier: a}]}", "batch: has build-list and build-graph"),
        (f"  build-list: [{', '.join(['{}'] * (MOST + 1))}]", "batch.build-list: 101 builds"),
        ("  []", "batch = []: must be a table"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text, problem):
    with pytest.raises(BuildspecError) as caught:
        parse(HEAD + text)
    (line,) = str(caught.value).splitlines()
    assert problem in line


def test_some_of_the_builds_can_be_chosen():
    batch = batch_of("  build-list: [{identifier: a}, {identifier: b}, {identifier: c}]")
    assert [task.identifier for task in select(batch, [])] == ["a", "b", "c"]
    assert [task.identifier for task in select(batch, ["c", "a"])] == ["a", "c"]
    with pytest.raises(UsageError, match="--only d: no such build in the batch; there are: a, b, c"):
        select(batch, ["d"])


def test_a_fanout_is_valid_but_not_run():
    batch = batch_of("  build-fanout: {parallelism: 5, ignore-failure: no}")
    with pytest.raises(UsageError, match="build-fanout cannot run here"):
        select(batch, [])

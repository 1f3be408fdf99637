"""What a definition says of itself must agree: names are unique, references lead somewhere, no cycles."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from trainyard.definition import cleanup, for_each, functions, order
from trainyard.definition.functions import Get
from trainyard.definition.problems import OBJECT, Problems, Where, kind_of, possible
from trainyard.definition.steps import Step

if TYPE_CHECKING:
    from trainyard.definition.document import Document


def check(document: Document, problems: Problems) -> None:
    """Add to ``problems`` every contradiction between the parts of ``document``."""
    steps = document.all_steps()
    counts = Counter(step.name for step in steps)
    for name, count in counts.items():
        if count > 1:
            problems.add(
                Where(f"step {name!r}"),
                f"{count} steps have this name; names must be unique, also across the branches of conditions",
            )
    for where, get in _config_references(document, problems):
        if get.namespace not in ("Parameters", "Execution"):
            problems.add(where, f"{get.text!r} is not possible here; possible: Parameters.X, Execution.X")
        _check_reference(document, None, where, get, problems)
    for step in steps:
        _check_depends_on(document, step, problems)
        for where, get in step.references:
            _check_reference(document, step, where, get, problems)
        if step.type == "ForEach":
            for_each.check(document, step, problems)
            _check_cycle(order.body_edges(step), problems)
        if step.type == "Cleanup":
            cleanup.check(document, step, problems)
    if len(counts) == len(steps):
        _check_cycle(order.edges(document), problems)


def _check_cycle(waits: order.Edges, problems: Problems) -> None:
    if cycle := order.find_cycle(waits):
        problems.add(Where(f"step {cycle[0]!r}"), f"needs itself: {' -> '.join(cycle)}")


def _config_references(document: Document, problems: Problems) -> list[tuple[Where, Get]]:
    configs = {
        "PipelineExperimentConfig": document.experiment_config,
        "MlflowConfig": document.mlflow_config,
    }
    return [
        found
        for key, config in configs.items()
        for found in functions.scan(config, Where().at(key), problems)
    ]


def _check_depends_on(document: Document, step: Step, problems: Problems) -> None:
    for index, dependency in enumerate(step.depends_on):
        where = step.where.at("DependsOn", index)
        upstream = document.by_name.get(dependency.step)
        if upstream is None:
            problems.add(where, f"no step {dependency.step!r}; {possible(dependency.step, document.by_name)}")
            continue
        if upstream.type == "Fail" and dependency.trigger == "Completed":
            problems.add(where, f"{upstream.name!r} is a Fail step: it never completes")
        _check_branches(document, step, upstream, where, problems)
        _check_body(step, upstream, where, problems)


def _check_reference(
    document: Document, step: Step | None, where: Where, get: Get, problems: Problems
) -> None:
    if get.namespace == "Parameters":
        names = [parameter.name for parameter in document.parameters]
        if get.name not in names:
            problems.add(where, f"no parameter {get.name!r} ({get.text!r}); {possible(get.name, names)}")
    elif get.namespace == "PipelineExperimentConfig" and get.name not in document.experiment_config:
        problems.add(where, f"{get.text!r}: the definition has no PipelineExperimentConfig.{get.name}")
    elif get.namespace == "ForEach" and not _in_a_body(document, step):
        problems.add(where, f"{get.text!r} is possible only in the body of a ForEach step")
    elif get.namespace == "IterationOutput" and (step is None or step.type != "ForEach"):
        problems.add(where, f"{get.text!r} is possible only in the Selector of a ForEach step")
    elif get.namespace == "Steps":
        upstream = document.by_name.get(get.name)
        if upstream is None:
            problems.add(
                where, f"no step {get.name!r} ({get.text!r}); {possible(get.name, document.by_name)}"
            )
            return
        if upstream.type == "Fail":
            problems.add(where, f"{get.text!r}: a Fail step has no properties")
        if get.property_file is not None:
            _check_property_file(upstream, get.property_file, where, problems)
        if step is not None:
            _check_branches(document, step, upstream, where, problems)
            _check_body(step, upstream, where, problems)


def _check_property_file(upstream: Step, name: str, where: Where, problems: Problems) -> None:
    files = {file.name: file for file in upstream.property_files}
    if name not in files:
        problems.add(where, f"step {upstream.name!r} has no property file {name!r}; {possible(name, files)}")
        return
    config = upstream.arguments.get("ProcessingOutputConfig")
    outputs = config.get("Outputs") if isinstance(config, dict) else None
    listed = outputs if isinstance(outputs, list) else []
    names = [output.get("OutputName") for output in listed if isinstance(output, dict)]
    wanted = files[name].output_name
    if wanted not in names and OBJECT not in map(kind_of, names):  # a name that is an expression may be it
        known = possible(wanted, map(str, names))
        problems.add(where, f"property file {name!r}: {upstream.name!r} has no output {wanted!r}; {known}")


def _check_branches(document: Document, step: Step, upstream: Step, where: Where, problems: Problems) -> None:
    """A step of one branch cannot wait for a step of the other: they never both run."""
    mine, theirs = _branches(document, step), _branches(document, upstream)
    for condition in mine.keys() & theirs.keys():
        if mine[condition] != theirs[condition]:
            problems.add(
                where,
                f"step {upstream.name!r} is in the {theirs[condition]} branch of {condition!r} and this step"
                f" in the {mine[condition]} branch: they never both run",
            )


def _check_body(step: Step, upstream: Step, where: Where, problems: Problems) -> None:
    """A step in the body of a ForEach step is many: outside it, one of them is reached by its iteration."""
    holder = upstream.parent if upstream.parent and upstream.parent.branch == "body" else None
    if holder is not None and (step.parent is None or step.parent != holder):
        problems.add(
            where,
            f"step {upstream.name!r} is in the body of ForEach {holder.step!r}; outside it, wait for that step and "
            f"refer to Steps.{holder.step}.IterationOutputs[0].{upstream.name}",
        )


def _branches(document: Document, step: Step) -> dict[str, str]:
    """The branch of each condition that ``step`` lies in, from the inside out."""
    found: dict[str, str] = {}
    parent = step.parent
    while parent is not None and parent.step not in found:  # a duplicate name could lead round in a circle
        found[parent.step] = parent.branch
        parent = document.by_name[parent.step].parent
    return found


def _in_a_body(document: Document, step: Step | None) -> bool:
    return step is not None and "body" in _branches(document, step).values()

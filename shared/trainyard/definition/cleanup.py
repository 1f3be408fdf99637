"""What the Arguments of a Cleanup step must be. Source: cleanup_step.py of the SageMaker Python SDK v3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainyard.definition.problems import LIST, OBJECT, STRING, Problems, possible

if TYPE_CHECKING:
    from trainyard.definition.document import Document
    from trainyard.definition.steps import Step

# Steps whose objects are found by themselves; of the others, each object is named.
FOUND = ("Training",)
NAMED = ("Processing", "Transform")


def check(document: Document, step: Step, problems: Problems) -> None:
    """Add to ``problems`` what is wrong with a Cleanup step."""
    where = step.where.at("Arguments")
    problems.refuse_unknown_keys(step.arguments, ("Resources",), where)
    resources = problems.field(step.arguments, "Resources", OBJECT, where, required=True) or {}
    problems.refuse_unknown_keys(resources, ("S3",), where.at("Resources"))
    sources = problems.field(resources, "S3", LIST, where.at("Resources"), required=True) or []
    if resources.get("S3") == []:
        problems.add(where.at("Resources", "S3"), "empty; it must name at least one step")
    for index, source in enumerate(sources):
        place = where.at("Resources", "S3", index)
        if not problems.is_a(source, (OBJECT,), place):
            continue
        problems.refuse_unknown_keys(source, ("StepName", "S3Uris"), place)
        name = problems.field(source, "StepName", STRING, place, required=True)
        uris = problems.field(source, "S3Uris", LIST, place)
        if name is None:
            continue
        upstream = document.by_name.get(name)
        if upstream is None:
            problems.add(place.at("StepName"), f"no step {name!r}; {possible(name, document.by_name)}")
        elif upstream.type not in (*FOUND, *NAMED):
            kinds = ", ".join((*FOUND, *NAMED))
            problems.add(
                place, f"{name!r} is a {upstream.type} step; objects of these are cleaned up: {kinds}"
            )
        elif upstream.type in NAMED and not uris:
            problems.add(place.at("S3Uris"), f"missing; name each object of a {upstream.type} step to delete")

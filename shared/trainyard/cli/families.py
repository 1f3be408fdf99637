"""``trainyard families``: what the manifests say, without importing or installing any family."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

from trainyard.cli.table import table
from trainyard.families import Family, find_families, find_family, repository_root
from trainyard.images.names import image_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("family", nargs="?", help="show this family's hyperparameters and metrics too")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    root = repository_root()
    if args.family:
        family = find_family(root, args.family)
        print(json.dumps(_document(family), indent=2) if args.json else _page(family))
        return 0
    families = list(find_families(root).values())
    if args.json:
        print(json.dumps([_document(family) for family in families], indent=2))
        return 0
    rows = [
        (each.name, each.owner, each.serving.server, image_name(each), each.description) for each in families
    ]
    print(table(("FAMILY", "OWNER", "SERVER", "IMAGE", "DESCRIPTION"), rows))
    return 0


def _document(family: Family) -> dict[str, Any]:
    document = dataclasses.asdict(family)
    document["folder"] = str(family.folder)
    document["image"]["name"] = image_name(family)
    return document


def _page(family: Family) -> str:
    training, serving = family.training, family.serving
    facts = [
        ("owner", family.owner),
        ("image", f"{image_name(family)} from {family.image.base}"),
        ("architectures", ", ".join(family.image.architectures)),
        *(
            ("source", f"{one.package} from {one.default}, unless {one.variable} says otherwise")
            for one in family.image.sources
        ),
        ("training", f"{training.instance}{', spot' if training.spot else ''}"),
        ("checkpoints", training.checkpoint),
        ("server", f"{serving.server}{', multi-model' if serving.multi_model else ''} on {serving.instance}"),
        ("reads", ", ".join(serving.content_types)),
        ("writes", ", ".join(serving.accept)),
    ]
    hyperparameters = [
        (each.name, each.type, each.default, _possible(each.values, each.range), each.meaning)
        for each in training.hyperparameters
    ]
    metrics = [(metric.name, metric.regex) for metric in training.metrics]
    parts = [
        f"{family.name}: {family.description}",
        "\n".join(f"  {name:14} {value}" for name, value in facts if value),
        table(("HYPERPARAMETER", "TYPE", "DEFAULT", "POSSIBLE", "MEANING"), hyperparameters),
        table(("METRIC", "REGEX"), metrics),
    ]
    return "\n\n".join(parts)


def _possible(values: tuple[str, ...], limits: tuple[float, float] | None) -> str:
    return f"{limits[0]} to {limits[1]}" if limits else ", ".join(values) or "any"

"""``trainyard run``: a family's pipeline, or any definition, on this machine."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

from trainyard.cli import local
from trainyard.cli.progress import watching
from trainyard.errors import UsageError
from trainyard.execution.data import example_data, put_data
from trainyard.execution.events import Note, Watcher
from trainyard.execution.store import DEFAULT_BUCKET
from trainyard.families import Family, find_family


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "family", nargs="?", help="run this family's pipeline (on its example data without --data)"
    )
    parser.add_argument(
        "--definition", metavar="FILE", help="run a definition that somebody else wrote (JSON)"
    )
    parser.add_argument("--name", help="with --definition: the pipeline's name (default: the file's)")
    parser.add_argument(
        "--resume", metavar="EXECUTION", help="go on with a failed or stopped execution, or 'last'"
    )
    local.add_run_arguments(parser)
    parser.add_argument("--no-cache", action="store_true", help="run every step, whatever ran before")
    parser.add_argument("--dry-run", action="store_true", help="print each planned job and run nothing")


def run(args: argparse.Namespace) -> int:
    chosen = [name for name in ("family", "definition", "resume") if getattr(args, name)]
    if len(chosen) != 1:
        raise UsageError("say what to run, one of: FAMILY, --definition FILE, --resume EXECUTION")
    extra = [
        name for name in ("data", "set", "map", "with", "name", "no_cache", "dry_run") if getattr(args, name)
    ]
    if args.resume and extra:
        raise UsageError(
            f"--resume goes on as the execution began; --{extra[0].replace('_', '-')} has no place with it"
        )
    with watching(to_stderr=args.json) as watch:
        here = local.Local(watch, args.map, getattr(args, "with"))
        if args.resume:
            finished = here.executor.resume(args.resume)
        else:
            definition, name, parameters = _what(here, args, watch)
            if args.dry_run:
                plan = here.executor.plan(definition, name, parameters)
            else:
                finished = here.executor.start(definition, name, parameters, use_cache=not args.no_cache)
    if args.dry_run:
        from trainyard.execution.jobs import printable

        steps = [
            {
                "step": each.step.name,
                "type": each.step.type,
                "job": each.job and printable(each.job),
                "without effect": list(each.without_effect),
            }
            for each in plan
        ]
        print(json.dumps(steps, indent=2) if args.json else _plan_text(steps))
        return 0
    return local.finish(here.store, finished, as_json=args.json)


def _what(
    here: local.Local, args: argparse.Namespace, watch: Watcher
) -> tuple[dict[str, Any], str, dict[str, str]]:
    parameters = local.settings(args.set)
    if args.definition:
        if args.data:
            raise UsageError(
                "--data goes with a family; with --definition, store it with `trainyard s3 cp` and --set"
            )
        return local.read_definition(args.definition), args.name or Path(args.definition).stem, parameters
    family = find_family(here.root, args.family)
    definition = here.definition(family, watch)
    return definition, family.name, with_data(here, family, parameters, args.data, watch, dry=args.dry_run)


def with_data(
    here: local.Local,
    family: Family,
    parameters: dict[str, str],
    data: str | None,
    watch: Watcher,
    *,
    dry: bool = False,
) -> dict[str, str]:
    """The parameters with ``InputDataUri``: of the given data, else of the family's example.

    ``dry`` stores nothing and generates nothing; the URI only shows where the data would be.
    """
    if "InputDataUri" in parameters:
        return parameters
    if dry:
        kind = "example" if data is None else "data"
        return {"InputDataUri": f"s3://{DEFAULT_BUCKET}/{family.name}/{kind}/", **parameters}
    if data is not None:
        uri = data if data.startswith("s3://") else put_data(here.store, family.name, Path(data))
        return {"InputDataUri": uri, **parameters}
    python = here.environments.python(family)
    watch(Note(step="", text=f"example data of {family.name}: {family.example.generate}"))
    uri = example_data(here.store, family, python)
    return {"InputDataUri": uri, **{k: str(v) for k, v in family.example.parameters.items()}, **parameters}


def _plan_text(steps: list[dict[str, Any]]) -> str:
    blocks = []
    for entry in steps:
        lines = [f"{entry['step']}  ({entry['type']})"]
        for key, value in (entry["job"] or {}).items():
            if isinstance(value, dict):
                lines += (
                    [f"    {key}:", *(f"        {name}: {item}" for name, item in value.items())]
                    if value
                    else []
                )
            else:
                lines.append(f"    {key}: {shlex.join(value) if isinstance(value, list) else value}")
        if entry["without effect"]:
            lines.append(f"    without effect here: {', '.join(entry['without effect'])}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)

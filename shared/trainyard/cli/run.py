"""``trainyard run``: a family's pipeline, or any definition, on this machine."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainyard.cli import given, interruption, local, results
from trainyard.cli.progress import watching
from trainyard.cli.reachable import reachable
from trainyard.errors import UsageError
from trainyard.execution.data import example_data, in_environment, in_image, put_data
from trainyard.execution.events import Note, Watcher
from trainyard.execution.store import DEFAULT_BUCKET
from trainyard.families import Family, find_family
from trainyard.images.names import local_image

if TYPE_CHECKING:
    from trainyard.execution.selection import Selection

_OF_A_NEW_RUN = (
    "data",
    "set",
    "map",
    "with",
    "name",
    "cache",
    "parallel",
    "steps",
    "from",
    "interrupt",
    "dry_run",
)


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
    parser.add_argument(
        "--cache",
        choices=("content", "aws", "off"),
        help="what makes a step the same as before: what is stored (default), or the request to the letter as on "
        "AWS; off runs every step",
    )
    parser.add_argument("--no-cache", dest="cache", action="store_const", const="off", help="--cache off")
    parser.add_argument("--parallel", type=int, metavar="N", help="run at most so many steps at once")
    parser.add_argument(
        "--steps",
        type=_names,
        metavar="A,B",
        help="run only these steps, on the newest results of the steps that they need",
    )
    parser.add_argument(
        "--from", metavar="EXECUTION", help="with --steps: take results of this execution, or 'last'"
    )
    parser.add_argument(
        "--interrupt",
        type=interruption.parse,
        metavar="STEP@SECONDS",
        action="append",
        default=[],
        help="take a spot training step's instance away so long after its start; may be repeated",
    )
    parser.add_argument("--dry-run", action="store_true", help="print each planned job and run nothing")


def run(args: argparse.Namespace) -> int:
    chosen = [name for name in ("family", "definition", "resume") if getattr(args, name)]
    if len(chosen) != 1:
        raise UsageError("say what to run, one of: FAMILY, --definition FILE, --resume EXECUTION")
    extra = [name for name in _OF_A_NEW_RUN if getattr(args, name)]
    if args.resume and extra:
        raise UsageError(
            f"--resume goes on as the execution began; --{extra[0].replace('_', '-')} has no place with it"
        )
    if getattr(args, "from") and not args.steps:
        raise UsageError("--from goes with --steps: it says which execution's results they run on")
    with watching(to_stderr=args.json) as watch:
        here = local.Local(watch, args.map, getattr(args, "with"))
        if args.resume:
            with reachable(here, here.store.execution(args.resume)["definition"]):
                finished = here.executor.resume(args.resume)
        else:
            definition, name, parameters = _what(here, args, watch)
            if args.interrupt:
                interruption.check(args.interrupt, here.executor.plan(definition, name, parameters))
                here.executor.watch = interruption.interrupting(args.interrupt, here.store, watch)
            if args.dry_run:
                plan = here.executor.plan(definition, name, parameters)
            else:
                with reachable(here, definition):
                    finished = here.executor.start(
                        definition,
                        name,
                        parameters,
                        parallel=args.parallel,
                        selected=_selected(here, args),
                        cache=args.cache or "content",
                    )
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
    return results.finish(here.store, finished, as_json=args.json)


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))


def _selected(here: local.Local, args: argparse.Namespace) -> Selection | None:
    if not args.steps:
        return None
    from trainyard.execution.selection import Selection  # here, or `run --help` would wait for it

    source = getattr(args, "from")
    return Selection(args.steps, here.store.execution(source)["id"] if source else "")


def _what(
    here: local.Local, args: argparse.Namespace, watch: Watcher
) -> tuple[dict[str, Any], str, dict[str, str]]:
    parameters = given.settings(args.set)
    if args.definition:
        if args.data:
            raise UsageError(
                "--data goes with a family; with --definition, store it with `trainyard s3 cp` and --set"
            )
        return given.read_definition(args.definition), args.name or Path(args.definition).stem, parameters
    family = find_family(here.root, args.family)
    definition = here.definition(family, watch)
    parameters = given.with_revision(definition, parameters, here.root)
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
    if here.targets.as_images:
        target = here.targets.of(local_image(family), "the example data")
        here.targets.prepare([target])
        generate = in_image(here.launcher, target)
    else:
        generate = in_environment(here.environments.python(family))
    watch(Note(step="", text=f"example data of {family.name}: {family.example.generate}"))
    uri = example_data(here.store, family, generate)
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

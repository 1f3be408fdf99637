"""``trainyard step``: one step of a family's pipeline alone, on the newest results of the steps before it."""

from __future__ import annotations

import argparse

from trainyard.cli import given, local, results
from trainyard.cli.progress import watching
from trainyard.cli.reachable import reachable
from trainyard.cli.run import with_data
from trainyard.families import find_family


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("family", help="the family whose pipeline has the step")
    parser.add_argument("step", help="the step's name, for example Preprocess")
    local.add_run_arguments(parser)


def run(args: argparse.Namespace) -> int:
    from trainyard.execution.selection import Selection  # here, or `step --help` would wait for it

    with watching(to_stderr=args.json) as watch:
        here = local.Local(watch, args.map, getattr(args, "with"))
        family = find_family(here.root, args.family)
        definition = here.definition(family, watch)
        parameters = given.with_revision(definition, given.settings(args.set), here.root)
        parameters = with_data(here, family, parameters, args.data, watch)
        with reachable(here, definition):
            finished = here.executor.start(
                definition, family.name, parameters, selected=Selection((args.step,))
            )
    return results.finish(here.store, finished, as_json=args.json)

"""``trainyard check``: does an image keep SageMaker's container contract; looked at first, then tried."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trainyard.cli import local
from trainyard.cli.progress import Plain
from trainyard.errors import CheckFailed, UsageError
from trainyard.execution.images import Images
from trainyard.families import Family, find_family, repository_root
from trainyard.images.build import ensure_built
from trainyard.images.engine import Engine, LocalImage, find_engine
from trainyard.preflight import contract, junit
from trainyard.preflight.checks import Result
from trainyard.preflight.inspection import inspect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "family", metavar="FAMILY", help="its manifest and example say what the image must do"
    )
    parser.add_argument(
        "--image",
        metavar="REFERENCE",
        help="an image that others made (default: the family's, built if need be)",
    )
    parser.add_argument("--static", action="store_true", help="only look at the image, run nothing of it")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test: configuration, one training, one request"
    )
    parser.add_argument("--junit", metavar="FILE", help="also write the results as JUnit XML")
    parser.add_argument("--json", action="store_true", help="print JSON at the end, and progress to stderr")


def run(args: argparse.Namespace) -> int:
    if args.static and args.quick:
        raise UsageError("--static runs nothing of the image and --quick does; use one of them")
    root = repository_root()
    family = find_family(root, args.family)
    engine = find_engine()
    image = _image(engine, family, root, args.image)
    to = sys.stderr if args.json else sys.stdout
    results = []
    for result in _results(args, engine, family, image):
        results.append(result)
        print(text(result), file=to, flush=True)
    if args.junit:
        try:
            junit.write(Path(args.junit), f"check.{family.name}", results)
        except OSError as error:
            raise UsageError(f"--junit {args.junit}: cannot be written: {error.strerror}") from error
    if args.json:
        print(json.dumps(_document(family, image, results), indent=2))
    failed = [result.name for result in results if result.failed]
    if failed:
        raise CheckFailed(
            f"{image.reference} breaks the container contract in {len(failed)} of {len(results)} checks: "
            f"{'; '.join(failed)}"
        )
    warnings = sum(len(result.findings) for result in results)
    also = f", with {warnings} warnings" if warnings else ""
    print(f"{image.reference} passes {len(results)} checks{also}", file=to)
    return 0


def text(result: Result) -> str:
    """A line for the check, and below it what was found."""
    state = "FAILED" if result.failed else "skipped" if result.skipped else "ok"
    if state == "ok" and result.findings:
        state = "warning"
    head = f"{state:8}{result.name}  {f'({result.skipped})' if result.skipped else f'{result.seconds:.1f} s'}"
    lines = [
        textwrap.fill(
            f"{each.severity}: {each.message}",
            width=110, initial_indent="        ", subsequent_indent="          ",
            break_long_words=False, break_on_hyphens=False,
        )
        for each in result.findings
    ]  # fmt: skip
    return "\n".join([head, *lines])


def _image(engine: Engine, family: Family, root: Path, reference: str | None) -> LocalImage:
    def say(note: str) -> None:
        if note:
            print(note, file=sys.stderr, flush=True)

    if reference is not None:  # an empty one is a variable that was not set
        return Images(root, say).ensure(reference)
    return ensure_built(family, root, find_engine(building=True), say)


def _results(args: argparse.Namespace, engine: Engine, family: Family, image: LocalImage) -> Iterator[Result]:
    done = []
    for result in inspect(engine, family, image, layers=not args.quick):
        done.append(result)
        yield result
    if args.static:
        return
    here = local.Local(Plain(sys.stderr).take)
    make = contract.smoke_bench if args.quick else contract.full_bench
    tried = contract.Tried(
        engine=engine,
        image=image,
        family=family,
        root=here.root,
        definition=here.definition(family, Plain(sys.stderr).take),
    )
    with make(tried, here.store.home) as bench:
        checks = contract.smoke(family) if args.quick else contract.contract(family)
        yield from contract.examine(bench, checks, done)


def _document(family: Family, image: LocalImage, results: list[Result]) -> dict[str, Any]:
    return {
        "family": family.name,
        "image": image.reference,
        "id": image.id,
        "passed": not any(result.failed for result in results),
        "checks": [{**asdict(result), "failed": result.failed} for result in results],
    }

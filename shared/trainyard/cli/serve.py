"""``trainyard serve``: a registered model package behind SageMaker's HTTP contract, on loopback."""

from __future__ import annotations

import argparse
import json
import sys

from trainyard.cli import local
from trainyard.cli.progress import Plain
from trainyard.errors import NotFound
from trainyard.execution.deployment import Deployment, check_name
from trainyard.execution.machine import Machine
from trainyard.execution.store import Store
from trainyard.registry.packages import package_arn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "group", help="the model package group; a family's packages are in the group of its name"
    )
    parser.add_argument(
        "--package", metavar="VERSION", help="a version or ARN (default: the newest not rejected)"
    )
    parser.add_argument(
        "--port", type=int, default=8080, help="port on 127.0.0.1; 0 picks a free one (default 8080)"
    )
    parser.add_argument("--name", help="the endpoint's name (default: the group's)")
    parser.add_argument(
        "--map",
        metavar="IMAGE=TARGET",
        action="append",
        default=[],
        help="what stands for the package's image",
    )
    local.add_with_argument(parser)
    parser.add_argument("--json", action="store_true", help="print the address as JSON when it answers")


def run(args: argparse.Namespace) -> int:
    here = local.Local(Plain(sys.stderr).take, args.map, getattr(args, "with"))
    arn = chosen_package(here.store, args.group, args.package)
    name = args.name or args.group
    machine = Machine(store=here.store, launcher=here.launcher, targets=here.targets)
    with here.store.living(check_name(name), "endpoint"):
        deployment = Deployment(machine, here.store.registry.describe(arn), name=name, port=args.port)
        _serve(deployment, name, arn, as_json=args.json)
    return 0


def _serve(deployment: Deployment, name: str, arn: str, *, as_json: bool) -> None:

    def ready(url: str) -> None:
        deployment.announce()
        models = [model.name for model in deployment.server.models()]
        if as_json:
            print(json.dumps({"url": url, "ModelPackageArn": arn, "models": len(models)}), flush=True)
            return
        many = f", {len(models)} models" if deployment.server.multi_model else ""
        target = f" --target-model {models[0]}" if models else ""
        print(f"{arn} at {url}{many}; Ctrl-C ends it")
        print(f"try: trainyard invoke {name} REQUEST.json{target}", flush=True)

    try:
        deployment.endpoint.serve(ready)
    finally:
        deployment.remove()


def chosen_package(store: Store, group: str, wanted: str | None) -> str:
    """The ARN of the wanted version, else of the newest one that nobody has rejected; raises NotFound."""
    if wanted:
        return package_arn(group, int(wanted)) if wanted.isdecimal() else wanted
    for version in sorted(store.registry.versions(group), key=lambda each: -each["version"]):
        if version["status"] != "Rejected":
            return package_arn(group, version["version"])
    raise NotFound(f"group {group!r} has only rejected versions; name one with --package VERSION")

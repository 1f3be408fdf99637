"""Build, test and publish the families' images: the commands of buildspec.yml, each a process of its own.

    python -m ci.release login | plan | build | test | sbom | push | scan | publish

An image is built if the registry lacks its tag, pushed if this build has tested just that image, and published
(images.json, tag ``git-<revision>``) if the scan gate lets it pass: also one that an earlier build has pushed.
Every command can be repeated. Environment:

    TRAINYARD_FAMILIES  names; default: all
    TRAINYARD_REGISTRY  HOST[:PORT][/PREFIX]; default: ECR of the AWS account
    TRAINYARD_CACHE     where layers are kept: see `trainyard build --help`
    TRAINYARD_SCAN      a recorded answer of ECR (a file, or a folder with FAMILY.json), or `none`; default: ask ECR
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys

from ci import ecr, publication, sbom
from ci.build import Build, local, repositories, say, to_build
from trainyard.errors import CheckFailed, UserError
from trainyard.families import repository_root
from trainyard.images import plan as image_plan
from trainyard.images.build import BuildOptions, revision
from trainyard.images.build import build as build_image
from trainyard.images.engine import find_engine


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m ci.release",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    args = parser.parse_args(argv)
    try:
        COMMANDS[args.command](Build(repository_root()))
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def login(build: Build) -> None:
    """Log docker in to the registry, where it is ECR; other registries need a login of their own."""
    if ecr.answers_for(build.address):
        ecr.log_in(find_engine(), build.address)
        say(f"logged in to {build.address}")
    else:
        say(f"{build.address} is not ECR: docker uses the login that it has")


def plan(build: Build) -> None:
    """Find out which images the registry lacks, and forget what an earlier build left here."""
    build.clear()
    if ecr.answers_for(build.address):
        ecr.require(build.address, repositories(build.recipes))
    planned = image_plan.plan(build.recipes.values(), image_plan.InRegistry(build.registry))
    build.save_plan(planned)
    for one in planned:
        if one.status == "missing":
            say(f"{one.recipe.family.name}: {one.recipe.tag} is to be built: {one.why}")
        else:
            say(f"{one.recipe.family.name}: {one.recipe.tag} is in the registry already, nothing to build")
    variables = {
        "TRAINYARD_REVISION": revision(build.root),
        "TRAINYARD_BUILT": " ".join(build.missing()),
    }
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    (build.folder / "variables").write_text("".join(lines))


def build(build: Build) -> None:
    options = BuildOptions(revision=revision(build.root), cache=os.environ.get("TRAINYARD_CACHE", ""))
    for name, recipe in to_build(build).items():
        log = build.folder / "logs" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        say(f"{name}: building {recipe.reference} on {recipe.base}")
        image = build_image(recipe, build.root, find_engine(building=True), options, log)
        say(f"{name}: built {image.id}, {image.size / 1e6:.0f} MB")


def test(build: Build) -> None:
    """Check each image that was built, and note which one it was."""
    failed = []
    for name, recipe in to_build(build).items():
        image = local(recipe)
        build.note("checked.json", name, "")
        report = build.folder / "reports" / f"{name}.xml"
        report.parent.mkdir(exist_ok=True)
        command = [str(build.root / "trainyard"), "check", name, "--image", image.id, "--junit", str(report)]
        if subprocess.run(command, cwd=build.root).returncode == 0:
            build.note("checked.json", name, image.id)
        else:
            failed.append(name)
    if failed:
        raise CheckFailed(f"{', '.join(failed)}: the image has not passed its checks, as said above")


def make_sboms(build: Build) -> None:
    for name, recipe in to_build(build).items():
        digest = sbom.make(recipe, local(recipe), build.sbom(name))
        say(f"{name}: {build.sbom(name).relative_to(build.root)} has the digest {digest}")


COMMANDS = {
    "login": login,
    "plan": plan,
    "build": build,
    "test": test,
    "sbom": make_sboms,
    "push": publication.push,
    "scan": publication.scan,
    "publish": publication.publish,
}

if __name__ == "__main__":
    raise SystemExit(main())

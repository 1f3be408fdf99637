"""What becomes of tested images: pushed, let pass by the scan gate, published by digest."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from ci import allowlist, ecr, sbom, scan_gate
from ci.build import Build, local, say, to_build
from trainyard.errors import CheckFailed, ImageRegistryError, UsageError
from trainyard.images import published
from trainyard.images.engine import find_engine
from trainyard.images.names import image_name
from trainyard.images.published import PublishedImage
from trainyard.images.recipe import REVISION, Recipe
from trainyard.images.remote import RemoteImage
from trainyard.images.remote import push as push_image

ALLOWLIST = Path("ci/scan_allowlist.toml")
SCAN_VARIABLE = "TRAINYARD_SCAN"
SCAN_SECONDS = 900.0


def push(build: Build) -> None:
    """Push the images that were tested, each after its bill of materials: who finds one finds the other."""
    if build.hindrance:
        say(f"nothing is pushed: {build.hindrance}")
        return
    engine = find_engine()
    for name, recipe in to_build(build).items():
        image, repository = local(recipe), image_name(recipe.family)
        tested = build.noted("checked.json").get(name)
        if tested != image.id:
            raise CheckFailed(
                f"{name}: {recipe.reference} is {image.id}, but this build has tested {tested or 'none'}; "
                "nothing untested is pushed: run python -m ci.release test"
            )
        if build.registry.find(repository, recipe.tag):
            say(f"{name}: another build has pushed {recipe.tag} meanwhile; its image is used")
            continue
        bill = f"{repository}:{sbom.tag(image.id)}"
        sbom.as_image(engine, build.sbom(name), bill)
        push_image(engine, bill, build.registry, repository, sbom.tag(image.id))
        engine.run("rmi", bill)
        say(f"{name}: pushed {push_image(engine, image.id, build.registry, repository, recipe.tag).image}")


def scan(build: Build) -> None:
    """Let images pass, or fail: all of the plan, because what passed last week may not today."""
    if build.hindrance:
        say(f"nothing is scanned: {build.hindrance}")
        return
    recipes = build.planned()
    build.write("scanned.json", {})
    digests = {name: _remote(build, recipe).digest for name, recipe in recipes.items()}
    if os.environ.get(SCAN_VARIABLE) == "none":
        say(f"no scan: {SCAN_VARIABLE}=none says that there is none")
    else:
        answers = {name: _scan(build, recipe, digests[name]) for name, recipe in recipes.items()}
        verdict = scan_gate.judge(answers, allowlist.read(build.root / ALLOWLIST))
        for line in verdict.allowed:
            say(f"allowed: {line}")
        for line in verdict.unused:
            say(f"warning: {ALLOWLIST}: {line} matches nothing that this build publishes; is it needed?")
        wrong = [
            f"{ALLOWLIST}: {line} has expired: renew it with a reason, or take it out"
            for line in verdict.expired
        ]
        wrong += [f"{line}: update it, or allow it for a time in {ALLOWLIST}" for line in verdict.refused]
        if wrong:
            raise CheckFailed("\n".join(wrong))
    build.write("scanned.json", digests)
    say(f"the gate lets pass: {', '.join(digests)}")


def publish(build: Build) -> None:
    """Write images.json of all families of the plan; give the images the tag of their git revision."""
    if build.hindrance:
        say(f"nothing is published: {build.hindrance}")
        return
    images = []
    for name, recipe in build.planned().items():
        remote = _remote(build, recipe)
        if build.noted("scanned.json").get(name) != remote.digest:
            raise CheckFailed(
                f"{name}: {remote.digest} has not passed the gate: run python -m ci.release scan"
            )
        image = _published(build, recipe, remote)
        _tag_revision(build, recipe, image)
        images.append(image)
        say(f"{name}: {image.image}")
    (build.folder / "images.json").write_text(published.to_json(images))


def _remote(build: Build, recipe: Recipe) -> RemoteImage:
    found = build.registry.find(image_name(recipe.family), recipe.tag)
    if found is None:
        target = build.registry.reference(image_name(recipe.family), recipe.tag)
        raise ImageRegistryError(f"{target} is not there: run python -m ci.release push first")
    return found


def _scan(build: Build, recipe: Recipe, digest: str) -> scan_gate.Answer:
    recorded, name = os.environ.get(SCAN_VARIABLE), recipe.family.name
    if recorded:
        file = Path(recorded) / f"{name}.json" if Path(recorded).is_dir() else Path(recorded)
        try:
            answer = json.loads(file.read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError(f"{SCAN_VARIABLE}={recorded}: {file} cannot be read: {error}") from error
        return scan_gate.wait(lambda: answer, name, 0)
    if not ecr.is_ecr(build.address):
        raise UsageError(
            f"{build.address} is not ECR, which would scan {name}: give {SCAN_VARIABLE}=FILE with a recorded "
            f"answer of DescribeImageScanFindings, or say {SCAN_VARIABLE}=none to publish without a scan"
        )
    repository = image_name(recipe.family)
    return scan_gate.wait(lambda: ecr.scan(build.address, repository, digest), name, SCAN_SECONDS)


def _published(build: Build, recipe: Recipe, remote: RemoteImage) -> PublishedImage:
    repository = image_name(recipe.family)
    labels = build.registry.labels(repository, recipe.tag)
    bill = build.registry.labels(repository, sbom.tag(remote.config))
    return PublishedImage(
        family=recipe.family.name,
        image=remote.image,
        digest=remote.digest,
        tag=recipe.tag,
        source_digest=recipe.digest,
        git_revision=labels.get(REVISION, "unknown"),
        base=recipe.base,
        lock_digest=sbom.digest((recipe.family.folder / "requirements.txt").read_bytes()),
        sbom_digest=bill.get(sbom.DIGEST_LABEL, ""),
    )


def _tag_revision(build: Build, recipe: Recipe, image: PublishedImage) -> None:
    """The tag stays where it is if the revision has another image, built on another base: tags never move."""
    if not re.fullmatch("[0-9a-f]{40}", image.git_revision):
        return
    repository, tag = image_name(recipe.family), f"git-{image.git_revision[:12]}"
    found = build.registry.find(repository, tag)
    if found is None:
        build.registry.retag(repository, recipe.tag, tag)
    elif found.digest != image.digest:
        say(f"{image.family}: {tag} stays {found.digest}, an image on another base")

"""Build a family's image with BuildKit, from a context that holds just the files its tag is the digest of."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from trainyard.errors import ImageError
from trainyard.families import Family
from trainyard.images.engine import Engine, LocalImage, last_line
from trainyard.images.files import is_program
from trainyard.images.names import local_image
from trainyard.images.recipe import (
    FILES,
    REVISION,
    SOURCE_DIGEST,
    Recipe,
    context_digests,
    context_files,
    short,
)
from trainyard.images.sources import CA_VARIABLES, CONTEXT, of_family, require

# where pip looks for the index of packages
_INDEX_VARIABLES = {"PIP_INDEX_URL": "index-url", "PIP_EXTRA_INDEX_URL": "extra-index-url"}
_CACHE_TAG = "buildcache"
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class BuildOptions:
    """``cache`` is where layers are kept between machines: a registry (``HOST/PREFIX``) or a folder (``./DIR``)."""

    revision: str = "unknown"
    cache: str = ""


def build(
    recipe: Recipe,
    root: Path,
    engine: Engine,
    options: BuildOptions = BuildOptions(),
    log: Path | None = None,
) -> LocalImage:
    """Build the image and tag it as ``recipe.reference`` and as the family's local image.

    BuildKit's output goes to ``log``, whose folder must exist. Raises ImageError, which quotes its error, and
    for files that are not what the recipe was made from any more: the tag would not tell the truth. Raises
    SourceUnavailable before anything is built.
    """
    dockerfile = f"containers/{recipe.family.name}/Dockerfile"
    if dockerfile not in recipe.files:
        raise ImageError(f"family {recipe.family.name} has no image: there is no {dockerfile}")
    if shutil.which("git"):  # the build brings its own; here it would only say sooner what cannot be had
        for source in of_family(recipe.family):
            require(source)
    what = f"the image of {recipe.family.name} could not be built on {recipe.base}"
    try:
        failure = _run(recipe, root, engine, options, dockerfile, log)
    except OSError as error:  # a full disk, a log or a temporary folder that cannot be written
        raise ImageError(f"{what}: {error}") from error
    if failure:
        raise ImageError(f"{what}: {failure}{f' (whole output in {log})' if log else ''}")
    image = engine.image(recipe.reference)
    if image is None:
        raise ImageError(f"docker has built {recipe.reference}, but does not have it: see `docker images`")
    return image


def ensure_built(
    family: Family,
    root: Path,
    engine: Engine,
    say: Callable[[str], None] = lambda text: None,
    log: Path | None = None,
) -> LocalImage:
    """The family's image as its files are now; built if the engine has none with their digest."""
    recipe = Recipe.of(family, root)
    image = engine.image(recipe.reference)
    if image is None:
        say(f"building {recipe.reference}")
        image = build(recipe, root, engine, BuildOptions(revision=revision(root)), log)
        say("")
    return image


def revision(root: Path) -> str:
    """The git revision of the sources, with ``-dirty`` where files differ from it; no git is no failure.

    CodeBuild says it where the sources came as an archive ("Environment variables in build environments").
    """
    described = _git(root, "rev-parse", "HEAD") if (root / ".git").exists() else ""
    if not described:
        return os.environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION") or "unknown"
    return f"{described}-dirty" if _git(root, "status", "--porcelain") else described


def write_context(family: Family, root: Path, to: IO[bytes]) -> None:
    """The build context as a tar file that depends on the files alone: sorted, without times and owners."""
    with tarfile.open(fileobj=to, mode="w|") as archive:
        if family.image.sources:  # a Dockerfile cannot mount what is not there, and a git URL is no file
            folder = tarfile.TarInfo(CONTEXT)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        for path, file in context_files(family, root).items():
            entry = tarfile.TarInfo(path)
            if file.is_symlink():
                entry.type, entry.linkname = tarfile.SYMTYPE, str(file.readlink())
                archive.addfile(entry)
                continue
            with file.open("rb") as content:
                entry.size, entry.mode = file.stat().st_size, 0o755 if is_program(file) else 0o644
                archive.addfile(entry, content)


def arguments(
    recipe: Recipe, engine: Engine, options: BuildOptions, secrets: Mapping[str, Path]
) -> list[str]:
    """``docker``'s arguments for a build, without the Dockerfile and the context."""
    labels = {
        **recipe.labels,
        SOURCE_DIGEST: recipe.digest,
        REVISION: options.revision,
        FILES: json.dumps(short(recipe.files), separators=(",", ":"), sort_keys=True),
    }
    found = ["buildx", "build", "--load"] if engine.builder == "buildx" else ["build"]
    found.append("--progress=plain")
    if engine.builder == "buildx":
        # an attestation makes the image an OCI index, which SageMaker refuses
        found += ["--provenance=false", "--sbom=false"]
    for name, value in recipe.build_arguments.items():
        found += ["--build-arg", f"{name}={value}"]
    for name in _PROXIES:
        if os.environ.get(name):
            found += ["--build-arg", name]  # predefined: in no layer and no history
    for name, value in labels.items():
        found += ["--label", f"{name}={value}"]
    for name, file in secrets.items():
        found += ["--secret", f"id={name},src={file}"]
    found += cache_arguments(recipe.family, engine, options.cache)
    return [*found, "-t", recipe.reference, "-t", local_image(recipe.family)]


def cache_arguments(family: Family, engine: Engine, cache: str) -> list[str]:
    """Where BuildKit finds layers of other builds and leaves its own.

    A registry needs a repository of its own, ``<cache>/cache/<family>``: cache manifests would count as
    releases in lifecycle rules. ECR takes them only as image manifests (aws/containers-roadmap 876). The
    builder inside the engine, with or without buildx before it, can only read what another has pushed.
    """
    if not cache:
        return []
    is_folder = cache.startswith(("./", "/"))
    reference = f"{cache}/cache/{family.name}:{_CACHE_TAG}"
    if not engine.writes_cache:
        return [] if is_folder else ["--cache-from", reference]
    if is_folder:
        place = f"{cache.rstrip('/')}/{family.name}"
        return ["--cache-from", f"type=local,src={place}", "--cache-to", f"type=local,dest={place},mode=max"]
    return [
        "--cache-from", f"type=registry,ref={reference}",
        "--cache-to", f"type=registry,ref={reference},mode=max,image-manifest=true,oci-mediatypes=true,"
        "ignore-error=true",
    ]  # fmt: skip


def _run(
    recipe: Recipe, root: Path, engine: Engine, options: BuildOptions, dockerfile: str, log: Path | None
) -> str:
    """Why the build failed, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        with (scratch / "context.tar").open("wb") as context:
            write_context(recipe.family, root, context)
        if context_digests(recipe.family, root) != recipe.files:
            return "its files have changed since its tag was made from them; build again"
        output = log or scratch / "log"
        output.unlink(missing_ok=True)  # another build may still be writing it
        given = arguments(recipe, engine, options, _secrets(scratch))
        with (scratch / "context.tar").open("rb") as context, output.open("w+b") as lines:
            ended = subprocess.run(
                [engine.program, *given, "-f", dockerfile, "-"],
                stdin=context,
                stdout=lines,
                stderr=lines,
                env={**os.environ, "DOCKER_BUILDKIT": "1"},
            )
            lines.seek(0)
            return _reason(lines.read()) if ended.returncode else ""


def _secrets(scratch: Path) -> dict[str, Path]:
    """Files that the build may read and no layer keeps: certificate authorities and pip's configuration."""
    secrets = {}
    for variable in CA_VARIABLES:
        if Path(os.environ.get(variable, "")).is_file():
            secrets["ca"] = Path(os.environ[variable])
            break
    given = {key: os.environ.get(variable) for variable, key in _INDEX_VARIABLES.items()}
    # several indexes may stand on lines of their own
    lines = [f"{key} = {' '.join(value.split())}\n" for key, value in given.items() if value]
    if lines:
        file = scratch / "pip.conf"
        file.touch(mode=0o600)
        file.write_text(f"[global]\n{''.join(lines)}")
        secrets["pip.conf"] = file
    elif Path(os.environ.get("PIP_CONFIG_FILE", "")).is_file():
        secrets["pip.conf"] = Path(os.environ["PIP_CONFIG_FILE"])
    return secrets


def _reason(output: bytes) -> str:
    """What BuildKit's output says went wrong: the last error that a command printed, or its last line."""
    printed = re.findall(
        r"^#\d+ \d+\.\d+ (.*\b(?:ERROR|error|E): .*)$", output.decode("utf-8", "replace"), re.MULTILINE
    )
    return str(printed[-1]) if printed else last_line(output)


def _git(root: Path, *arguments: str) -> str:
    try:
        ended = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True)
    except OSError:
        return ""
    return ended.stdout.decode("utf-8", "replace").strip() if ended.returncode == 0 else ""

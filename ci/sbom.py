"""The software bill of materials of an image: CycloneDX JSON, made by syft, kept beside the image.

In a registry it is an image of one file, under a tag made of the image's id: ``sbom-<16 hex>``. So builds that find
the image already built find its bill, and not that of a build of the same sources that came to nothing. To read it:

    docker create --name sbom REGISTRY/trainyard/FAMILY:sbom-<16 hex> none
    docker cp sbom:/sbom.cdx.json .
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from trainyard.errors import SetupError
from trainyard.images.engine import Engine, LocalImage
from trainyard.images.recipe import Recipe

DIGEST_LABEL = "trainyard.sbom-digest"
FILE = "sbom.cdx.json"
# nothing but the image need be reached
SETTINGS = {"SYFT_CHECK_FOR_APP_UPDATE": "false"}


def tag(image: str) -> str:
    """The tag for the bill of the image with this id."""
    return f"sbom-{image.removeprefix('sha256:')[:16]}"


def make(recipe: Recipe, image: LocalImage, file: Path) -> str:
    """Write the image's bill to ``file``; the answer is its digest. Raises SetupError where syft fails."""
    program = Path(sys.prefix) / "bin" / "syft"
    command = [
        str(program), "scan", f"docker:{image.id}", "--quiet", "--output", "cyclonedx-json",
        "--source-name", f"trainyard/{recipe.family.name}", "--source-version", recipe.tag,
    ]  # fmt: skip
    try:
        ended = subprocess.run(command, capture_output=True, env={**os.environ, **SETTINGS})
    except FileNotFoundError as error:
        raise SetupError(f"there is no {program}; install it with: python3 -m ci.setup") from error
    if ended.returncode:
        said = ended.stderr.decode("utf-8", "replace").strip() or "no reason given"
        raise SetupError(f"syft cannot read the image {recipe.reference}: {said.splitlines()[-1]}")
    text = canonical(json.loads(ended.stdout))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text)
    return digest(text)


def canonical(document: dict[str, Any]) -> bytes:
    """Without the serial number and the time, which syft invents anew each time: one image has one bill.

    Both may be absent (CycloneDX 1.6: ``serialNumber``, ``metadata.timestamp``).
    """
    metadata = {key: value for key, value in document.get("metadata", {}).items() if key != "timestamp"}
    kept = {key: value for key, value in document.items() if key != "serialNumber"}
    return (json.dumps(kept | {"metadata": metadata}, indent=1, sort_keys=True) + "\n").encode()


def digest(text: bytes) -> str:
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def as_image(engine: Engine, file: Path, reference: str) -> None:
    """Make the local image ``reference`` of the bill alone, with its digest in a label."""
    content = file.read_bytes()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(FILE)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    label = f"LABEL {DIGEST_LABEL}={digest(content)}"
    engine.run("import", "--change", label, "-", reference, stdin=archive.getvalue())

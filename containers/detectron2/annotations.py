"""All annotation files below the input, in either format, as one list of labelled images."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import coco_json
import ground_truth
from findings import Findings, Refused
from image_files import Index
from labels import Labeled, short

FORMATS = ("auto", "coco", "ground-truth")
MANIFESTS = (".manifest", ".jsonl")
ALIASES = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass
class Annotations:
    """``images`` by their file, and those ``missing``; ``parts``: the part that a file's annotations name."""

    classes: tuple[str, ...]
    images: dict[PurePosixPath, Labeled]
    missing: list[Labeled]
    files: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


def read(
    root: Path,
    names: Sequence[PurePosixPath],
    index: Index,
    kind: str,
    rules: ground_truth.Rules,
    findings: Findings,
) -> Annotations:
    """``names``: all files below the root. Raises Refused."""
    documents, ignored = _documents(root, names) if kind != "ground-truth" else ({}, [])
    manifests = [name for name in names if name.suffix.lower() in MANIFESTS] if kind != "coco" else []
    if documents and manifests:
        raise Refused(
            f"there are COCO files ({_list(documents)}) and manifests ({_list(manifests)}) below the input. Choose "
            "with --annotations coco or ground-truth (--set Annotations=coco)"
        )
    if not documents and not manifests:
        raise Refused(_none(kind, names, ignored))
    if documents:
        classes, images = _coco(documents)
    else:
        classes, images = _ground_truth(root, manifests, rules, findings)
    found = [index.find(image.reference, image.source, image.place) for image in images]
    missing = [image for image, name in zip(images, found, strict=True) if name is None]
    present = [(image, name) for image, name in zip(images, found, strict=True) if name is not None]
    named = [name for _, name in present]
    if documents:
        by_file = _once(present)
    else:
        by_file = ground_truth.newest([image for image, _ in present], named, findings)
        _same_reference(present)
    files = [str(name) for name in documents or manifests]
    return Annotations(tuple(classes), by_file, missing, files, [str(name) for name in ignored])


def part_of(source: PurePosixPath) -> str | None:
    """The part of the data that an annotation file is of, by its first folder or its own name: train/, val.json,
    instances_train2017.json."""
    folder = ALIASES.get(source.parts[0].lower()) if len(source.parts) > 1 else None
    if folder:
        return folder
    end = re.search(r"(?:^|[_\-. ])([a-z]+)(?:\d{4})?$", source.stem.lower())
    return ALIASES.get(end.group(1)) if end else None


def _documents(
    root: Path, names: Sequence[PurePosixPath]
) -> tuple[dict[PurePosixPath, Any], list[PurePosixPath]]:
    """(COCO documents, other JSON files). Raises Refused for what is no JSON: it may have been cut off."""
    documents, others = {}, []
    for name in names:
        if name.suffix.lower() != ".json":
            continue
        try:
            document = json.loads((root / name).read_bytes())
        except (ValueError, RecursionError) as error:
            raise Refused(
                f"{name} is no JSON: {error}. Was it cut off? Give it whole, or remove it"
            ) from error
        if coco_json.is_coco(document):
            documents[name] = document
        else:
            others.append(name)
    return documents, others


def _coco(documents: dict[PurePosixPath, Any]) -> tuple[list[str], list[Labeled]]:
    classes: dict[int, str] = {}
    images: list[Labeled] = []
    for name, document in documents.items():
        found, more = coco_json.parse(document, name)
        coco_json.merge(classes, found, name)
        images += more
    return [classes[number] for number in sorted(classes)], images


def _ground_truth(
    root: Path, manifests: Sequence[PurePosixPath], rules: ground_truth.Rules, findings: Findings
) -> tuple[list[str], list[Labeled]]:
    classes: dict[str, int] = {}
    images: list[Labeled] = []
    for name in manifests:
        try:
            with (root / name).open(encoding="utf-8-sig") as lines:
                found, more = ground_truth.parse(lines, name, rules, findings)
        except UnicodeDecodeError as error:
            raise Refused(f"{name} is no text in UTF-8: {error}") from error
        for key, number in found.items():
            classes[key] = min(classes.get(key, number), number)
        images += more
    if not images:
        raise Refused(
            f"no line of {_list(manifests)} has bounding boxes"
            + (f" of {' or '.join(rules.attributes)}" if rules.attributes else "")
            + f": {findings.tell(['failed_line', 'unlabeled_line'])}. "
            + "; ".join(findings.examples["failed_line"][:1] + findings.examples["unlabeled_line"][:1])
        )
    return sorted(classes, key=lambda name: (classes[name], name)), images


def _once(present: Sequence[tuple[Labeled, PurePosixPath]]) -> dict[PurePosixPath, Labeled]:
    """Raises Refused for a file that two entries name."""
    found: dict[PurePosixPath, Labeled] = {}
    for image, name in present:
        if name in found:
            raise Refused(
                f"{image.place}: {short(image.reference)} is the file {name}, as is {found[name].place}. Leave one "
                "entry for each image"
            )
        found[name] = image
    return found


def _same_reference(present: Sequence[tuple[Labeled, PurePosixPath]]) -> None:
    """Raises Refused where two S3 URIs have ended up at one file."""
    references: dict[PurePosixPath, Labeled] = {}
    for image, name in present:
        other = references.setdefault(name, image)
        if other.reference != image.reference:
            raise Refused(
                f"{image.place}: {short(image.reference)} and, in {other.place}, {short(other.reference)} both "
                f"could only be {name}. Keep the folders of the images below the input"
            )


def _none(kind: str, names: Sequence[PurePosixPath], ignored: Sequence[PurePosixPath]) -> str:
    wanted = {
        "auto": "a COCO file (*.json) or a Ground Truth manifest (*.manifest)",
        "coco": "a COCO file (*.json)",
        "ground-truth": "a Ground Truth output manifest (*.manifest)",
    }[kind]
    return f"among {len(names):,} files below the input there is not {wanted}" + (
        f"; these are no COCO documents: {_list(ignored)}" if ignored else ""
    )


def _list(names: Any) -> str:
    listed = [str(name) for name in names]
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")

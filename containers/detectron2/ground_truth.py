"""Output manifests of SageMaker Ground Truth's bounding box jobs: one JSON object per line, one line per image.

The fields are those of "Labeling job output data" and "Label verification and adjustment data in the output
manifest" in the SageMaker developer guide (sms-data-output, sms-data-verify-manifest).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from findings import Findings, Refused
from labels import NOWHERE, Drawn, Labeled, is_number, numbers, short, whole_number

LINE = 100_000  # characters, Ground Truth's own limit
TYPE = "groundtruth/object-detection"
META = "-metadata"
SIDES = ("left", "top", "width", "height")


@dataclass(frozen=True)
class Rules:
    """``attributes``: label attributes to take, the first that a line has; empty: found by their type."""

    attributes: tuple[str, ...] = ()
    min_confidence: float = 0.0


@dataclass(frozen=True)
class Job:
    """What one labelling job left in a line."""

    attribute: str
    label: dict[str, Any]
    metadata: dict[str, Any]

    @property
    def is_adjusted(self) -> bool:
        return "adjustment-status" in self.metadata


def parse(
    lines: Iterable[str], source: PurePosixPath, rules: Rules, findings: Findings
) -> tuple[dict[str, int], list[Labeled]]:
    """(classes with their lowest ids, images with boxes or known to have none). Raises Refused."""
    classes: dict[str, int] = {}
    images = []
    for number, text in enumerate(lines, 1):
        place = f"{source}, line {number}"
        if not text.strip():
            continue
        line = _line(text, place)
        job = _choose(line, rules, place, findings)
        if job is None:
            continue
        for key, name in _class_map(job, place).items():
            classes[name] = min(classes.get(name, key), key)
        boxes = tuple(_boxes(job, rules, place, findings))
        size = _size(job, place)
        images.append(Labeled(line["source-ref"], source, place, size, boxes, _created(job, place)))
    return classes, images


def newest(images: Sequence[Labeled], names: Sequence[Any], findings: Findings) -> dict[Any, Labeled]:
    """One line for each name (of the image's file): of several lines the one labelled last. Raises Refused."""
    found: dict[Any, Labeled] = {}
    for image, name in zip(images, names, strict=True):
        other = found.get(name)
        if other is None:
            found[name] = image
            continue
        findings.add("labeled_again", f"{image.place}: {image.reference} is in {other.place}, too")
        if other.created == image.created and [box[:3] for box in other.boxes] != [
            box[:3] for box in image.boxes
        ]:
            raise Refused(
                f"{image.place}: {image.reference} has other boxes in {other.place}, and both have the same "
                "creation-date. Remove one of the lines"
            )
        if image.created > other.created:
            found[name] = image
    return found


def _line(text: str, place: str) -> dict[str, Any]:
    if len(text) > LINE:
        raise Refused(
            f"{place} has {len(text):,} characters; Ground Truth's manifests have {LINE:,} at most in a line"
        )
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(
            f"{place} is no JSON ({error}): {short(text)}; a manifest has an object per line"
        ) from None
    if not isinstance(line, dict):
        raise Refused(f"{place} is {short(line)}; a manifest has a JSON object per line")
    reference = line.get("source-ref")
    if not isinstance(reference, str) or not reference.strip():
        raise Refused(f"{place}: 'source-ref' is {short(reference)}; it needs the S3 URI of an image")
    return line


def _choose(line: dict[str, Any], rules: Rules, place: str, findings: Findings) -> Job | None:
    """The job whose boxes count. Raises Refused if the line does not say, or has not what was asked for."""
    jobs, failed = _jobs(line, place)
    if rules.attributes:
        for attribute in rules.attributes:
            if attribute in line and attribute not in jobs and attribute not in failed:
                kind = (
                    (line.get(attribute + META) or {}).get("type")
                    if isinstance(line.get(attribute + META), dict)
                    else None
                )
                raise Refused(
                    f"{place}: the label attribute {attribute!r} has the type {short(kind)}, not {TYPE!r}; "
                    f"with that type there are: {', '.join(jobs) or 'none'}"
                )
        jobs = {name: jobs[name] for name in rules.attributes if name in jobs}
        failed = {name: failed[name] for name in rules.attributes if name in failed}
    if failed:
        name, reason = next(iter(failed.items()))
        findings.add(
            "failed_line",
            f"{place}: {name}: {short(reason)}" + (f"; {next(iter(jobs))} is used" if jobs else ""),
        )
    elif not jobs:
        others = [name for name in line if not name.endswith(META) and name != "source-ref"]
        findings.add("unlabeled_line", f"{place}: has {', '.join(others) or 'nothing'} beside source-ref")
    if not jobs:
        return None
    if rules.attributes:
        return next(iter(jobs.values()))
    adjusted = [job for job in jobs.values() if job.is_adjusted]
    last = sorted(adjusted or jobs.values(), key=lambda job: _created(job, place))[-1]
    if not adjusted and len(jobs) > 1:
        raise Refused(
            f"{place} has boxes of {len(jobs)} jobs, none of which adjusts another: {', '.join(jobs)}. "
            "Choose with --label-attribute (--set LabelAttribute=NAME); with commas: the first that a line has"
        )
    return last


def _jobs(line: dict[str, Any], place: str) -> tuple[dict[str, Job], dict[str, Any]]:
    """(bounding box jobs by label attribute, reasons of failed ones). Raises Refused."""
    jobs, failed = {}, {}
    for key, metadata in line.items():
        if not key.endswith(META) or not isinstance(metadata, dict):
            continue
        attribute = key[: -len(META)]
        if "failure-reason" in metadata:
            failed[attribute] = metadata["failure-reason"]
        elif metadata.get("type") == TYPE:
            label = line.get(attribute)
            if not isinstance(label, dict) or not isinstance(label.get("annotations"), list):
                raise Refused(
                    f"{place}: {attribute!r} is {short(label)}; a bounding box job leaves an object with the "
                    "lists annotations and image_size"
                )
            jobs[attribute] = Job(attribute, label, metadata)
    return jobs, failed


def _class_map(job: Job, place: str) -> dict[int, str]:
    classes = job.metadata.get("class-map", {})
    wrong = f"{place}: 'class-map' of {job.attribute + META!r} is {short(classes)}"
    if not isinstance(classes, dict):
        raise Refused(f'{wrong}; it is an object such as {{"0": "dog"}}')
    found = {}
    for key, name in classes.items():
        if not (key.isascii() and key.isdigit()) or not isinstance(name, str) or not name.strip():
            raise Refused(f"{wrong}; keys are numbers in quotes, values are names")
        found[int(key)] = name
    if len(set(found.values())) < len(found):
        raise Refused(f"{wrong}; one name has two numbers")
    return found


def _size(job: Job, place: str) -> tuple[int, int] | None:
    sizes = job.label.get("image_size")
    if sizes is None:
        return None
    first = sizes[0] if isinstance(sizes, list) and len(sizes) == 1 and isinstance(sizes[0], dict) else {}
    width, height = whole_number(first.get("width")), whole_number(first.get("height"))
    if width is None or height is None or min(width, height) < 1:
        raise Refused(
            f"{place}: 'image_size' of {job.attribute!r} is {short(sizes)}; it is a list of one object with width, "
            "height and depth, whole numbers above 0"
        )
    return width, height


def _boxes(job: Job, rules: Rules, place: str, findings: Findings) -> Iterator[Drawn]:
    classes, annotations = _class_map(job, place), job.label["annotations"]
    objects = job.metadata.get("objects", [{}] * len(annotations))
    if not isinstance(objects, list) or len(objects) != len(annotations):
        raise Refused(
            f"{place}: {job.attribute!r} has {len(annotations)} annotations, but 'objects' of its metadata is "
            f"{short(objects)}; it has one for each"
        )
    for number, (annotation, detail) in enumerate(zip(annotations, objects, strict=True), 1):
        if not isinstance(annotation, dict):
            raise Refused(f"{place}: annotation {number} is {short(annotation)}, no object")
        key = whole_number(annotation.get("class_id"))
        if key is None or key not in classes:
            raise Refused(
                f"{place}: annotation {number} has class_id {short(annotation.get('class_id'))}; its class-map has "
                f"{', '.join(f'{known} ({name})' for known, name in classes.items()) or 'none'}"
            )
        confidence = detail.get("confidence", 1.0) if isinstance(detail, dict) else None
        if not is_number(confidence) or not 0 <= confidence <= 1:
            raise Refused(
                f"{place}: the confidence of annotation {number} is {short(confidence)}; it is 0 to 1"
            )
        if confidence < rules.min_confidence:
            findings.add("low_confidence", f"{place}: annotation {number} has confidence {confidence}")
            continue
        drawn = numbers([annotation[side] for side in SIDES]) if annotation.keys() >= set(SIDES) else NOWHERE
        yield Drawn(classes[key], drawn, False, f"annotation {number}")


def _created(job: Job, place: str) -> float:
    """Seconds since 1970. Raises Refused."""
    written = job.metadata.get("creation-date")
    if written is None:
        return 0.0
    try:
        date = datetime.fromisoformat(written)
    except (TypeError, ValueError):
        raise Refused(
            f"{place}: 'creation-date' of {job.attribute + META!r} is {short(written)}; it is a date and time such "
            "as 2018-10-18T22:18:13.527256"
        ) from None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()

"""Turn images with COCO or Ground Truth annotations into checked training, validation and test sets."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import annotations
import choosing
import dataset
import ground_truth
import image_files
import quality
import samples
import splitting
from findings import BAD_BOXES, BAD_IMAGES, Findings, Refused

from trainyard.in_image.arguments import BadArgument, Parser, between
from trainyard.in_image.opt_ml import OptMl

OUTPUTS = ("train", "validation", "test")


def main(argv: list[str] | None = None) -> int:
    opt_ml = OptMl.from_environment()
    try:
        preprocess(parse(argv, opt_ml))
    except (Refused, BadArgument, OSError) as error:
        print(f"preprocessing failed: {error}", file=sys.stderr, flush=True)
        opt_ml.message.parent.mkdir(parents=True, exist_ok=True)
        opt_ml.message.write_text(str(error).encode()[:1024].decode(errors="ignore"), encoding="utf-8")
        return 1
    return 0


def parse(argv: list[str] | None, opt_ml: OptMl) -> argparse.Namespace:
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--annotations", choices=annotations.FORMATS, default="auto", help="auto: whichever files there are")
    add(
        "--label-attribute",
        default="",
        help="Ground Truth: whose boxes; with commas: the first that a line has",
    )
    add(
        "--min-confidence", type=between(0.0, 1.0), default=0.0, help="Ground Truth: boxes below are left out"
    )
    add("--classes", default="", help="which, with commas; NEW=A+B merges A and B; empty: all")
    add("--split", choices=("keep", "new"), default="keep", help="keep: train/, validation/ and test/ stay")
    add("--validation-share", type=between(0.0, 0.5), default=0.1, help="of the images")
    add("--test-share", type=between(0.0, 0.5), default=0.2, help="of the images")
    add("--seed", type=between(0, 2**31 - 2, int), default=0, help="another one splits otherwise")
    add(
        "--on-bad-box",
        choices=("refuse", "clip", "drop"),
        default="refuse",
        help="boxes outside, empty, no boxes",
    )
    add(
        "--on-bad-image",
        choices=("refuse", "drop"),
        default="refuse",
        help="missing, broken, of another size",
    )
    add(
        "--on-duplicate",
        choices=("drop", "keep"),
        default="drop",
        help="files of the same bytes; keep: in one part",
    )
    add(
        "--orientation",
        choices=samples.ORIENTATIONS,
        default="auto",
        help="what boxes of EXIF-turned images mean",
    )
    add(
        "--max-pixels",
        type=between(1, 10**10, int),
        default=100_000_000,
        help="of an image; larger ones are bad",
    )
    add("--processes", type=between(0, 256, int), default=0, help="that decode images; 0: one per processor")
    add("--input", type=Path, default=opt_ml.processing / "input")
    add("--output", type=Path, default=opt_ml.processing, help="the folder for all output folders")
    return parser.parse_args(argv)


def preprocess(arguments: argparse.Namespace) -> None:
    """Read, check, split, write. Raises Refused; then only data_quality.json is there."""
    began = time.perf_counter()
    clear(arguments.output)
    findings = Findings(handling(arguments))
    report: dict[str, Any] = {
        "settings": {key: str(value) for key, value in vars(arguments).items() if not isinstance(value, Path)}
    }
    try:
        classes, parts = divide(arguments, report, findings)
        made = write(classes, parts, arguments.input, arguments.output)
        report |= quality.describe(classes, made)
    finally:
        report["findings"] = findings.as_json()
        quality.write(report, arguments.output / "quality")
    for part, images in made.items():
        dataset.write(classes, images, arguments.output / part)
    print(quality.tell(report, findings))
    print(f"done in {time.perf_counter() - began:.1f} s", flush=True)


def divide(
    arguments: argparse.Namespace, report: dict[str, Any], findings: Findings
) -> tuple[tuple[str, ...], dict[str, list[samples.Sample]]]:
    """(classes, images of each part); ``report`` grows. Raises Refused."""
    names = list(image_files.files(arguments.input))
    images = [name for name in names if name.suffix.lower() in image_files.FORMATS]
    attributes = tuple(name.strip() for name in arguments.label_attribute.split(",") if name.strip())
    rules = ground_truth.Rules(attributes, arguments.min_confidence)
    index = image_files.Index(images)
    read = annotations.read(arguments.input, names, index, arguments.annotations, rules, findings)
    report |= {"files": read.files, "ignored_files": read.ignored}
    for name in sorted(set(images) - set(read.images)):
        findings.add("not_annotated", str(name))
    classes, chosen = choosing.new_names(arguments.classes, read.classes)
    processes = arguments.processes or len(os.sched_getaffinity(0))
    checked = image_files.check_all(arguments.input, list(read.images), arguments.max_pixels, processes)
    keeping = samples.Rules(chosen, arguments.on_bad_box, arguments.orientation, arguments.split == "keep")
    found = samples.make(read, checked, keeping, findings)
    if arguments.on_bad_image == "refuse":
        findings.refuse(BAD_IMAGES, "--on-bad-image drop (--set OnBadImage=drop)")
    if arguments.on_bad_box == "refuse":
        findings.refuse(BAD_BOXES, "--on-bad-box clip or drop (--set OnBadBox=clip)")
    used = Counter(name for sample in found for name, _, _ in sample.boxes)
    for name in classes:
        if not used[name]:
            findings.add("empty_class", name)
    if not used:
        raise Refused(f"none of {len(found):,} images has a box of {', '.join(classes) or 'any class'}")
    return classes, split(samples.without_duplicates(found, arguments.on_duplicate, findings), arguments)


def split(
    groups: Sequence[list[samples.Sample]], arguments: argparse.Namespace
) -> dict[str, list[samples.Sample]]:
    """Parts that the input has stay; those that it lacks are taken from its training images. Raises Refused."""
    shares = {"validation": arguments.validation_share, "test": arguments.test_share}
    given = {group[0].part for group in groups} & set(shares)
    pool = {str(group[0].name): group for group in groups if group[0].part not in given}
    wanted = splitting.sizes(
        sum(map(len, pool.values())), {part: share for part, share in shares.items() if part not in given}
    )
    units = [group[0].unit(len(group)) for group in pool.values()]
    placed = splitting.split(units, wanted, arguments.seed)
    parts: dict[str, list[samples.Sample]] = {part: [] for part in OUTPUTS}
    for group in groups:
        parts[placed.get(str(group[0].name)) or group[0].part or "train"] += group
    if not any(sample.boxes for sample in parts["train"]):
        raise Refused("no training image has a box. Give more images with boxes")
    return {part: sorted(inside, key=lambda sample: sample.name) for part, inside in parts.items()}


def write(
    classes: Sequence[str], parts: dict[str, list[samples.Sample]], source: Path, output: Path
) -> dict[str, list[dataset.Image]]:
    """Put the images into their parts' folders, as links where that is possible."""
    label = {name: index for index, name in enumerate(classes)}
    top = os.path.commonpath([str(sample.name.parent) for inside in parts.values() for sample in inside])
    made: dict[str, list[dataset.Image]] = {}
    for part, inside in parts.items():
        made[part] = []
        (output / part / dataset.IMAGES).mkdir(parents=True, exist_ok=True)
        for number, sample in enumerate(inside, 1):
            file = output / part / dataset.IMAGES / sample.name.relative_to(top or ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            link(source / sample.name, file)
            boxes = tuple(dataset.Box(label[name], *numbers, crowd) for name, numbers, crowd in sample.boxes)
            made[part].append(dataset.Image(file, number, sample.width, sample.height, boxes))
    return made


def link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source.resolve())
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)


def clear(output: Path) -> None:
    """Remove what an earlier run left, so that nothing of it can be taken for this one's."""
    for part in OUTPUTS:
        (output / part / dataset.ANNOTATIONS).unlink(missing_ok=True)
        if (output / part / dataset.IMAGES).exists():
            shutil.rmtree(output / part / dataset.IMAGES)


def handling(arguments: argparse.Namespace) -> dict[str, str]:
    """What is done about each kind of finding, in a word or two."""
    done = {"refuse": "refused", "drop": "dropped", "clip": "dropped", "keep": "kept in one part"}
    dropped = dict.fromkeys(
        ("not_annotated", "failed_line", "unlabeled_line", "labeled_again", "low_confidence", "other_class",
         "duplicate_box"), "dropped"
    )  # fmt: skip
    return {
        **dropped,
        **dict.fromkeys(BAD_IMAGES, done[arguments.on_bad_image]),
        **dict.fromkeys(BAD_BOXES, done[arguments.on_bad_box]),
        **({"box_over_edge": "cut at the edge"} if arguments.on_bad_box == "clip" else {}),
        "rounded_box": "cut at the edge",
        "turned_boxes": "turned",
        "duplicate_image": done[arguments.on_duplicate],
        "different_duplicate": done[arguments.on_duplicate],
    }


if __name__ == "__main__":
    raise SystemExit(main())

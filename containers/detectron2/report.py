"""The report page: one HTML file without anything outside it, to be read by people."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import charts
import numpy as np
from judging import Split

DEFINITIONS = {
    "AP": "Average precision as COCO has it: the area under the precision-recall curve of a class, as a mean over the "
    "classes that have truth and over IoU 0.50 to 0.95. All detections count, at most 100 of an image; no threshold.",
    "AP50": "The same at IoU 0.50 alone: a detection is right where it and its truth share half of what both cover.",
    "AP75": "The same at IoU 0.75 alone: boxes must fit well.",
    "APs": "AP of small truth, below 32 x 32 pixels of the image as it was given.",
    "APm": "AP of medium truth, from 32 x 32 to 96 x 96 pixels.",
    "APl": "AP of large truth, above 96 x 96 pixels.",
    "AR": "The highest recall that any threshold reaches, as a mean over the IoUs and classes of AP.",
    "precision": "The share of detections at or above the threshold that are right at IoU 0.50. Whatever lies in a "
    "crowd of its class does not count.",
    "recall": "The share of truth that has such a detection; crowds do not count.",
    "f1": "The harmonic mean of precision and recall.",
}
UNDEFINED = "What has no truth to be measured by is left undefined: – here, null in evaluation.json."
CONFUSION = (
    "Boxes of truth (rows) by the class of their detection (columns) at the threshold, in the order of the classes; "
    "the last row is detections where no truth is, the last column missed truth. null for more than 100 classes."
)
MOST_CLASSES = 12  # in the confusion matrix
MOST_OF_A_KIND = 3  # pictures
_MOST_CONFUSIONS = 30
_AP = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR")
_RATES = ("precision", "recall", "f1")
_BACKGROUND, _MISSED = "no truth there", "missed"

Numbers = Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture, and what can be seen in it."""

    file: Path
    width: int
    height: int
    image: str  # the name of the image's file
    right: int
    false: int
    missed: int
    f1: float
    worst: bool  # one of the worst, or an example of the rest

    def as_json(self) -> dict[str, Any]:
        return vars(self) | {"file": f"{self.file.parent.name}/{self.file.name}"}


def page(splits: Sequence[Split], shown: Sequence[Shown], model: Mapping[str, str]) -> str:
    """The whole page; ``splits`` begins with the one that the charts are of, ``model`` tells of the model in pairs.

    Of the pictures, few enough for one page are in it. Every name is escaped.
    """
    template = Path(__file__).with_name("report_template.html").read_text(encoding="utf-8")
    first = splits[0]
    parts = {
        "summary": _summary(first),
        "verdict": _verdict(first),
        "cards": "".join(_cards(splits)),
        "split_heads": _heads((*_AP, *_RATES)),
        "splits": "".join(_split_row(split) for split in splits),
        "split": escape(first.name),
        "precision_recall": charts.precision_recall(first),
        "class_bars": charts.class_bars(first),
        "size_bars": charts.size_bars(splits),
        "size_keys": "".join(
            f'<li><span class="key split{number}"></span>{escape(split.name)}</li>'
            for number, split in enumerate(splits)
        ),
        "scores": charts.scores(first),
        "class_heads": _heads(("truth", "AP", "AP50", "AP75", "AR", *_RATES)),
        "classes": "".join(_class_rows(first)),
        "confusion": _confusion(first),
        "worst": _figures([each for each in shown if each.worst]),
        "others": _figures([each for each in shown if not each.worst]),
        "model": "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in model.items()),
        "definitions": "".join(f"<dt>{_title(name)}</dt><dd>{text}</dd>" for name, text in DEFINITIONS.items()),
        "undefined": UNDEFINED,
    }  # fmt: skip
    for name, content in parts.items():
        template = template.replace(f"<!-- {name} -->", content)
    return template


def _summary(split: Split) -> str:
    crowds = sum(int(each.crowd.sum()) for each in split.matched)
    return (
        f"{len(split.dataset.images):,} {escape(split.name)} images with {split.overall()['truth']:,} boxes of "
        f"{_count(len(split.dataset.classes), 'class', 'classes')}"
        f"{f' and {crowds:,} crowds, which do not count' if crowds else ''}."
    )


def _verdict(split: Split) -> str:
    numbers, ap = split.overall(), split.scores.overall
    if ap.ap is None:
        return f"No box of truth is in the {escape(split.name)} images: there is nothing to measure by."
    recall = f"At the score threshold {split.threshold:.2f}, {numbers['recall']:.0%} of the truth is found"
    precision = (
        f"; {numbers['precision']:.0%} of the detections are right."
        if numbers["precision"] is not None
        else "; nothing is detected."
    )
    return f"Average precision is {ap.ap:.3f}; at IoU 0.50 it is {ap.ap50:.3f}. {recall}{precision}"


def _cards(splits: Sequence[Split]) -> Iterator[str]:
    first, numbers = splits[0], splits[0].overall()
    others = "; ".join(f"{split.name} {_amount(split.scores.overall.ap)}" for split in splits[1:])
    deviations = first.deviations()
    took = "–" if first.milliseconds is None else f"{first.milliseconds:.3g} ms"
    for title, value, note in (
        ("AP", _amount(first.scores.overall.ap), others or first.name),
        ("AP50", _amount(first.scores.overall.ap50), f"AP75 {_amount(first.scores.overall.ap75)}"),
        ("Precision", _share(numbers["precision"], deviations["precision"]), f"{numbers['false']:,} false detections"),
        ("Recall", _share(numbers["recall"], deviations["recall"]), f"{numbers['missed']:,} boxes missed"),
        ("Time per image", took, "detection alone, several images at once"),
    ):  # fmt: skip
        yield (
            f'<div class="card"><dt>{title}</dt><dd class="value">{value}</dd>'
            f'<dd class="note">{escape(note)}</dd></div>'
        )


def _split_row(split: Split) -> str:
    numbers = split.scores.overall.as_json() | split.overall()
    cells = "".join(f'<td class="number">{_amount(numbers[name])}</td>' for name in (*_AP, *_RATES))
    return (
        f'<tr><th scope="row">{escape(split.name)} '
        f'<span class="note">{len(split.dataset.images):,} images</span></th>{cells}</tr>'
    )


def _class_rows(split: Split) -> Iterator[str]:
    rows = zip(split.dataset.classes, split.scores.per_class, split.per_class(), strict=True)
    for name, score, rates in rows:
        numbers: Numbers = score.as_json() | rates
        cells = "".join(
            f'<td class="number">{_amount(numbers[each])}</td>'
            for each in ("AP", "AP50", "AP75", "AR", *_RATES)
        )
        yield f'<tr><th scope="row">{escape(name)}</th><td class="number">{rates["truth"]:,}</td>{cells}</tr>'


def _confusion(split: Split) -> str:
    matrix, names = split.confusion(), [*split.dataset.classes]
    if len(names) > MOST_CLASSES:
        return _confusions(matrix, names)
    heads = "".join(f'<th scope="col" class="number">{escape(name)}</th>' for name in (*names, _MISSED))
    rows = []
    for number, (name, counts) in enumerate(zip((*names, _BACKGROUND), matrix.tolist(), strict=True)):
        total = max(sum(counts), 1)
        cells = [
            f'<td class="number{" right" if other == number else ""}">{count:,} '
            f'<span class="note">{count / total:.0%}</span></td>'
            for other, count in enumerate(counts)
        ]
        if number == len(names):  # what is nowhere cannot be missed
            cells[-1] = '<td class="number">–</td>'
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>')
    return _table(f'<th scope="col">Truth</th>{heads}', rows)


def _confusions(matrix: np.ndarray, names: Sequence[str]) -> str:  # type: ignore[type-arg]
    """The most frequent mistakes, where a matrix would be too large to read."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    rows = []
    for place in np.argsort(-wrong, axis=None, kind="stable")[:_MOST_CONFUSIONS].tolist():
        truth, detected = divmod(place, len(names) + 1)
        if wrong[truth, detected]:
            rows.append(
                f"<tr><td>{escape([*names, _BACKGROUND][truth])}</td><td>{escape([*names, _MISSED][detected])}</td>"
                f'<td class="number">{wrong[truth, detected]:,}</td></tr>'
            )
    heads = '<th scope="col">Truth</th><th scope="col">Detected</th><th scope="col" class="number">Times</th>'
    return _table(heads, rows) if rows else "<p>There is no mistake.</p>"


def _figures(shown: Sequence[Shown]) -> str:
    if not shown:
        return "<p>There is none to show.</p>"
    more = len(shown) - MOST_OF_A_KIND
    note = (
        f'<p class="hint">{more:,} more lie in the folder pictures beside this page.</p>' if more > 0 else ""
    )
    return "".join(map(_figure, shown[:MOST_OF_A_KIND])) + note


def _figure(shown: Shown) -> str:
    told = f"{shown.right:,} right, {shown.missed:,} missed, {shown.false:,} false; F1 {shown.f1:.2f}"
    return (
        f'<figure class="panel"><img width="{shown.width}" height="{shown.height}" loading="lazy" '
        f'alt="{escape(shown.image)}: truth and detections; {told}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(shown.file.read_bytes()).decode()}">'
        f'<figcaption>{escape(shown.image)} <span class="note">{told}</span></figcaption></figure>'
    )


def _table(heads: str, rows: Sequence[str]) -> str:
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _heads(names: Sequence[str]) -> str:
    return "".join(f'<th scope="col" class="number">{_title(name)}</th>' for name in names)


def _title(name: str) -> str:
    return name if name.isupper() or name.startswith("AP") else name.capitalize()


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _amount(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _share(value: float | None, deviation: float | None) -> str:
    if value is None:
        return "–"
    around = "" if deviation is None else f' <span class="note">± {deviation:.1%}</span>'
    return f"{value:.0%}{around}"

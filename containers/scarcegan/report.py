"""The report page: one HTML file without anything outside it, to be read by people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import charts
import judging
from comparing import METRICS, Pair
from judging import UNKNOWN, Answers

Results = Mapping[str, Mapping[str, float]]

DEFINITIONS = {
    "recall": "The share of risky rows whose score reaches the threshold.",
    "precision": "The share of rows at or above the threshold that are risky; 0 where none is. It holds for as "
    "many risky rows as the test has, and for its classes: in use it is lower where they are rarer.",
    "f1": "The harmonic mean of recall and precision.",
    "average_precision": "The area under the precision-recall curve, as a sum of steps: the mean precision over all "
    "thresholds. By chance it is the share of risky rows.",
    "auc": "The probability that a risky row scores higher than another one, ties half.",
    "unknown_share": f"The share of rows whose likeliest class is “{UNKNOWN}”: what is left for people to look at.",
    "calibration_error": "How far scores are from shares of risky rows, as a mean over rows in tenths of the "
    "score. The balanced batches of training make scores higher than such shares: choose by the threshold, not by 0.5.",
    "threshold": "Chosen on each model's own fold by the rule it was trained with, never on these test rows. That of "
    "the mean is the mean of the models' thresholds.",
}
_TITLES = {
    "recall": "Recall",
    "precision": "Precision",
    "f1": "F1",
    "average_precision": "Average precision",
    "auc": "AUC",
    "unknown_share": "Unknown",
    "calibration_error": "Calibration error",
    "threshold": "Threshold",
}
_COLUMNS = ("threshold", *METRICS)
_SHARES = frozenset({"recall", "precision", "unknown_share"})


def page(
    models: Sequence[Answers], results: Results, pairs: Sequence[Pair], quality: Mapping[str, Any] | None
) -> str:
    """The whole page; ``models`` ends with their mean. Every name is escaped."""
    template = Path(__file__).with_name("report_template.html").read_text(encoding="utf-8")
    mean = models[-1]
    parts = {
        "summary": _summary(models),
        "verdict": _verdict(mean, results[mean.name]),
        "cards": "".join(_cards(mean, results)),
        "precision_recall": charts.precision_recall(models),
        "roc": charts.receiver_operating(models),
        "calibration": charts.calibration(models),
        "scores": charts.scores(mean),
        "models": "".join(_model_rows(models, results)),
        "model_heads": "".join(f'<th scope="col" class="number">{_TITLES[name]}</th>' for name in _COLUMNS),
        "confusion": "".join(_confusion(answers, answers is mean) for answers in reversed(models)),
        "side_by_side": _side_by_side(pairs),
        "quality": _quality(quality),
        "definitions": "".join(
            f"<dt>{_TITLES[name]}</dt><dd>{text}</dd>" for name, text in DEFINITIONS.items()
        ),
    }
    for name, content in parts.items():
        template = template.replace(f"<!-- {name} -->", content)
    return template


def _summary(models: Sequence[Answers]) -> str:
    mean = models[-1]
    rows, risky = len(mean.actual), int(mean.positive.sum())
    return (
        f"{len(models) - 1:,} models and their mean, on {rows:,} test rows that none of them has seen; "
        f"{risky:,} of these are risky ({risky / rows:.1%})."
    )


def _verdict(mean: Answers, numbers: Mapping[str, float]) -> str:
    chance = numbers["risky_rows"] / numbers["rows"]
    flagged = (
        f"; {numbers['precision']:.0%} of the rows that they flag are"
        if numbers["flagged_share"]
        else "; none is flagged"
    )
    pool = (
        f" Of the unlabelled pool they flag {numbers['unlabeled_flagged_share']:.1%}, and "
        f"{numbers['unlabeled_unknown_share']:.1%} stay unknown."
        if "unlabeled_rows" in numbers
        else ""
    )
    if "unlabeled_precision" in numbers:
        pool += (
            f" Where {numbers['prevalence']:.1%} of the pool are risky, expect {numbers['unlabeled_precision']:.0%} of "
            "what is flagged there to be."
        )
    return (
        f"Together the models find {numbers['recall']:.0%} of the risky rows{flagged}. Average precision is "
        f"{numbers['average_precision']:.3f}, where chance gives {chance:.3f}.{pool}"
    )


def _cards(mean: Answers, results: Results) -> Iterator[str]:
    numbers = results[mean.name]
    single = [results[name]["average_precision"] for name in results if name != mean.name]
    average = sum(single) / len(single)
    hits = int((mean.positive & mean.flagged).sum())
    for title, value, note, good in (
        ("Recall", f"{numbers['recall']:.0%}", f"{hits:,} of {int(mean.positive.sum()):,} risky rows", None),
        (
            "Precision",
            f"{numbers['precision']:.0%}",
            f"{hits:,} of {int(mean.flagged.sum()):,} flagged rows",
            None,
        ),
        (
            "Average precision",
            f"{numbers['average_precision']:.3f}",
            f"single models {average:.3f} on average",
            numbers["average_precision"] >= average,
        ),
        ("Unknown", f"{numbers['unknown_share']:.1%}", "of the test rows", None),
        (
            "Calibration error",
            f"{numbers['calibration_error']:.3f}",
            f"Brier score {numbers['brier']:.3f}",
            None,
        ),
    ):
        mood = "" if good is None else " good" if good else " poor"
        yield (
            f'<div class="card{mood}"><dt>{title}</dt><dd class="value">{value}</dd>'
            f'<dd class="note">{note}</dd></div>'
        )


def _model_rows(models: Sequence[Answers], results: Results) -> Iterator[str]:
    for answers in models:
        cells = "".join(
            f'<td class="number">{_amount(name, results[answers.name][name])}</td>' for name in _COLUMNS
        )
        kind = ' class="mean"' if answers is models[-1] else ""
        yield f'<tr{kind}><th scope="row">{escape(answers.name)}</th>{cells}</tr>'


def _confusion(answers: Answers, is_open: bool) -> str:
    names = [escape(name) for name in (*answers.classes, UNKNOWN)]
    heads = "".join(f'<th scope="col" class="number">{name}</th>' for name in names)
    matrix = judging.confusion(answers)[:-1]
    rows = []
    for number, (name, counts) in enumerate(zip(names, matrix.tolist(), strict=False)):
        total = max(sum(counts), 1)
        cells = "".join(
            f'<td class="number{" right" if other == number else ""}">{count:,} '
            f'<span class="note">{count / total:.0%}</span></td>'
            for other, count in enumerate(counts)
        )
        rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    return (
        f"<details{' open' if is_open else ''}><summary>{escape(answers.name)}</summary>"
        f'<div class="scroll"><table><thead><tr><th scope="col">Actually</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def _side_by_side(pairs: Sequence[Pair]) -> str:
    if all(pair.before is None for pair in pairs):
        return "<p>No version was registered before, or none was given to this evaluation.</p>"
    heads = "".join(f'<th scope="col" class="number">{_TITLES[name]}</th>' for name in METRICS)
    rows = []
    for start in range(0, len(pairs), len(METRICS)):
        some = pairs[start : start + len(METRICS)]
        known = f"version {escape(some[0].version)}, {escape(some[0].status)}" if some[0].version else "new"
        cells = "".join(_change(pair) for pair in some)
        rows.append(
            f'<tr><th scope="row">{escape(some[0].model)} <span class="note">{known}</span></th>{cells}</tr>'
        )
    return (
        '<p class="hint">This run, and in small print the change from the last version.</p>'
        f'<div class="scroll"><table><thead><tr><th scope="col">Model</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _change(pair: Pair) -> str:
    mood = {None: "", True: " better", False: " worse"}[pair.is_better]
    change = "" if pair.change is None else f"{pair.change:+.3f}".replace("-", "−")
    return (
        f'<td class="number">{_amount(pair.metric, pair.now)} <span class="change{mood}">{change}</span></td>'
    )


def _quality(quality: Mapping[str, Any] | None) -> str:
    if quality is None:
        return "<p>Preprocessing's quality.json was not given to this evaluation.</p>"
    rows = "".join(
        f'<tr><td>{escape(found["meaning"])}</td><td class="number">{found["count"]:,}</td>'
        f"<td>{escape(found['handling'])}</td></tr>"
        for found in quality["findings"].values()
        if found["count"]
    )
    table = (
        '<div class="scroll"><table><thead><tr><th scope="col">Found</th><th scope="col" class="number">Count</th>'
        f'<th scope="col">What was done</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )
    shared = sum(pair["users"] for pair in quality.get("leakage", {}).values())
    equal = [
        f"{pair['equal_rows']:,} of {pair['rows']:,} in the second of {escape(names)}"
        for names, pair in quality.get("leakage", {}).items()
        if pair["equal_rows"]
    ]
    read = sum(quality["rows_read"].values())
    return (
        f"<p>{read:,} rows read. Users in two splits: {shared:,}. Rows that equal one of another split: "
        f"{'; '.join(equal) or 'none'}.</p>{table if rows else '<p>There was nothing to mend.</p>'}"
    )


def _amount(name: str, value: float) -> str:
    if value != value:
        return "–"
    return f"{value:.1%}" if name in _SHARES else f"{value:.3f}"

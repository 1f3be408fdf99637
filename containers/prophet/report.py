"""The report page: one HTML file without anything outside it, to be read by people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import charts
from scoring import Score, Unscored

MAX_ROWS = 500
MAX_NAMES = 50
PLOTTED = 6

DEFINITIONS = {
    "mase": (
        "Mean absolute scaled error (Hyndman & Koehler 2006): the forecast's mean absolute error on the held-out "
        "readings, divided by the in-sample mean absolute error of repeating the last season. Below 1 is better. "
        "The season comes from the median step between readings: 24 hourly, 7 daily, 52 weekly, 12 monthly. "
        "Undefined, and left out, where the history repeats itself exactly, as a constant one does."
    ),
    "smape": "Symmetric mean absolute percentage error, 0 to 200 %; two zeros count as no error.",
    "mae": "Mean absolute error, in the unit of the readings.",
    "rmse": "Root mean squared error, in the unit of the readings.",
    "coverage": "The share of held-out readings inside their forecast interval; ideally the interval's width.",
    "better_than_naive": "The share of customers whose forecast errs less, on the same held-out readings, than "
    "repeating the last season.",
}


def selection(scores: Sequence[Score]) -> list[tuple[str, Score]]:
    """Who is plotted, and why: best, median and worst by MASE, then the first ones as examples."""
    ranked = sorted(
        (score for score in scores if score.mase is not None), key=lambda score: score.mase or 0.0
    )
    chosen: dict[str, tuple[str, Score]] = {}
    for label, score in (
        ("Best", ranked[0]),
        ("Median", ranked[len(ranked) // 2]),
        ("Worst", ranked[-1]),
        *(("Example", score) for score in scores[:PLOTTED]),
    ):
        chosen.setdefault(score.stem, (label, score))
    return list(chosen.values())[:PLOTTED]


def page(
    overall: dict[str, Any],
    steps: Sequence[dict[str, Any]],
    scores: Sequence[Score],
    unscored: Sequence[Unscored],
    quality: dict[str, Any] | None,
) -> str:
    """The whole page; every id and reason is escaped."""
    template = Path(__file__).with_name("report_template.html").read_text(encoding="utf-8")
    known = [score.mase for score in scores if score.mase is not None]
    parts = {
        "summary": _summary(overall, steps, scores),
        "verdict": _verdict(overall),
        "cards": "".join(_cards(overall)),
        "histogram": charts.histogram(known, overall["mase"]["median"]),
        "coverage": charts.coverage(steps, overall["interval_width"]),
        "nominal": f"{overall['interval_width']:.0%}",
        "forecasts": "".join(_forecast(label, score) for label, score in selection(scores)),
        "failed": _failed(unscored),
        "quality": _quality(quality),
        "customers": "".join(_rows(scores)),
        "cap": _cap(scores),
        "definitions": "".join(
            f"<dt>{_TITLES[name]}</dt><dd>{text}</dd>" for name, text in DEFINITIONS.items()
        ),
    }
    for name, content in parts.items():
        template = template.replace(f"<!-- {name} -->", content)
    return template


_TOLERANCE = 0.05  # coverage this near to nominal counts as kept
_TITLES = {
    "mase": "MASE",
    "smape": "sMAPE",
    "mae": "MAE",
    "rmse": "RMSE",
    "coverage": "Coverage",
    "better_than_naive": "Beats seasonal naive",
}


def _summary(overall: dict[str, Any], steps: Sequence[dict[str, Any]], scores: Sequence[Score]) -> str:
    first = min(score.forecast.ds[0] for score in scores)
    last = max(score.forecast.ds[-1] for score in scores)
    return (
        f"{overall['customers']:,} customers, {len(steps):,} steps ahead each, held out from "
        f"{str(first)[:10]} to {str(last)[:10]}: {overall['points']:,} readings that no model has seen."
    )


def _verdict(overall: dict[str, Any]) -> str:
    gap = overall["coverage"] - overall["interval_width"]
    width = (
        "too narrow" if gap < -_TOLERANCE else "too wide" if gap > _TOLERANCE else "about as wide as promised"
    )
    return (
        f"The forecast beats repeating the last season for {overall['better_than_naive']:.0%} of the customers. "
        f"Its {overall['interval_width']:.0%} intervals held {overall['coverage']:.0%} of the readings: {width}."
    )


def _cards(overall: dict[str, Any]) -> Iterator[str]:
    median = overall["mase"]["median"]
    share = overall["better_than_naive"]
    gap = (overall["coverage"] - overall["interval_width"]) * 100
    undefined = f", undefined for {overall['mase_undefined']:,}" if overall["mase_undefined"] else ""
    failed = f"{overall['failed']:,} not judged" if overall["failed"] else "all of them judged"
    for title, value, note, good in (
        ("Median MASE", f"{median:.3f}", f"mean {overall['mase']['mean']:.3f}{undefined}", median < 1),
        ("Beat seasonal naive", f"{share:.0%}", "of customers, same readings", share > 0.5),
        (
            "Median sMAPE",
            f"{overall['smape']['median']:.1f} %",
            f"mean {overall['smape']['mean']:.1f} %",
            None,
        ),
        (
            "Interval coverage",
            f"{overall['coverage']:.0%}",
            f"{f'{gap:+.0f}'.replace('-', '−')} points from the nominal {overall['interval_width']:.0%}",
            abs(gap) <= 100 * _TOLERANCE,
        ),
        ("Customers", f"{overall['customers']:,}", failed, not overall["failed"]),
    ):
        mood = "" if good is None else " good" if good else " poor"
        yield (
            f'<div class="card{mood}"><dt>{title}</dt><dd class="value">{value}</dd>'
            f'<dd class="note">{note}</dd></div>'
        )


def _forecast(label: str, score: Score) -> str:
    mase = "undefined" if score.mase is None else f"{score.mase:.2f}"
    return (
        f'<figure><figcaption><span class="tag">{label}</span> <b>{_name(score.customer)}</b>'
        f'<span class="note">MASE {mase}, coverage {score.coverage:.0%}</span></figcaption>'
        f"{charts.forecast(score)}</figure>"
    )


def _failed(unscored: Sequence[Unscored]) -> str:
    if not unscored:
        return "<p>None: every customer with held-out readings has a model and a forecast.</p>"
    rows = "".join(
        f'<tr><th scope="row">{_name(entry.customer)}</th><td>{escape(entry.reason)}</td></tr>'
        for entry in unscored[:MAX_ROWS]
    )
    more = f"<p>The first {MAX_ROWS:,} of {len(unscored):,}.</p>" if len(unscored) > MAX_ROWS else ""
    return (
        f'<div class="scroll"><table><thead><tr><th scope="col">Customer</th><th scope="col">Why</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{more}"
    )


def _quality(quality: dict[str, Any] | None) -> str:
    if quality is None:
        return "<p>Preprocessing's data_quality.json was not given to this evaluation.</p>"
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
    lists = (
        ("excluded: too few usable readings", [entry["customer"] for entry in quality["excluded"]]),
        (
            "trained but not judged: too short to hold anything out",
            [entry["customer"] for entry in quality["not_evaluated"]],
        ),
        ("whose readings never change", quality["constant"]),
    )
    return (
        f"<p>{quality['rows_read']:,} rows read; the median step between readings is "
        f"{_step(quality['step_seconds'])}.</p>"
        f"{table if rows else '<p>There was nothing to mend.</p>'}"
        f"{''.join(_names(title, names) for title, names in lists if names)}"
    )


def _step(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:g} {unit.removesuffix('s') if seconds == size else unit}"
    return f"{seconds:g} seconds"


def _names(title: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
    listed = ", ".join(_name(name) for name in names[:MAX_NAMES])
    who = "1 customer" if len(names) == 1 else f"{len(names):,} customers"
    return f"<details><summary>{who} {title}</summary><p>{listed}{more}</p></details>"


def _rows(scores: Sequence[Score]) -> Iterator[str]:
    """Worst first; undefined MASE last."""
    for score in sorted(scores, key=lambda score: -1.0 if score.mase is None else score.mase, reverse=True)[
        :MAX_ROWS
    ]:
        cells = "".join(
            f'<td class="number" data-value="{"" if value is None else value}">{text}</td>'
            for value, text in (
                (score.mase, "–" if score.mase is None else f"{score.mase:.3f}"),
                (score.smape, f"{score.smape:.1f}"),
                (score.mae, _amount(score.mae)),
                (score.rmse, _amount(score.rmse)),
                (score.naive_mae, _amount(score.naive_mae)),
                (score.coverage, f"{score.coverage:.0%}"),
            )
        )
        yield f'<tr><th scope="row" data-value="{escape(score.customer)}">{_name(score.customer)}</th>{cells}</tr>'


def _cap(scores: Sequence[Score]) -> str:
    if len(scores) <= MAX_ROWS:
        return f"All {len(scores):,} customers."
    return f"The worst {MAX_ROWS:,} of {len(scores):,} customers by MASE; per_customer.csv has all."


def _amount(value: float) -> str:
    """A quantity in the unit of the readings, with four digits or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _name(customer: str) -> str:
    """An id as text: escaped, and shortened where it would break the layout."""
    return escape(customer if len(customer) <= 60 else f"{customer[:57]}…")

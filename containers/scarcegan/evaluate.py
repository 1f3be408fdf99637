"""Judge every model and their mean on the test rows; write numbers, curves, plots and a report page."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import comparing
import judging
import model_archives
import model_quality
import numpy as np
import plots
import report
from judging import Answers
from model_archives import MEAN
from model_files import BadModel, Model

from trainyard.in_image.arguments import BadArgument, Parser, between
from trainyard.in_image.metrics import emit
from trainyard.in_image.opt_ml import OptMl

Array = np.ndarray[Any, Any]

RISKY = "risky"


class EvaluationFailed(Exception):
    """There is nothing to judge, or not by these models; the message says what is missing."""


def main(argv: list[str] | None = None) -> int:
    opt_ml = OptMl.from_environment()
    try:
        evaluate(parse(argv, opt_ml))
    except (EvaluationFailed, BadModel, comparing.BadRegistered, BadArgument, OSError) as error:
        print(f"evaluation failed: {error}", file=sys.stderr, flush=True)
        opt_ml.message.parent.mkdir(parents=True, exist_ok=True)
        opt_ml.message.write_text(str(error).encode()[:1024].decode(errors="ignore"), encoding="utf-8")
        return 1
    return 0


def parse(argv: list[str] | None, opt_ml: OptMl) -> argparse.Namespace:
    parser = Parser(__doc__)
    # the last three need not be there: what preprocessing found, the pool, the versions in the registry
    for name, folder in (
        ("models", "models"),
        ("test", "test_output"),
        ("evaluation", "evaluation"),
        ("quality", "quality_output"),
        ("unlabeled", "unlabeled_output_data"),
        ("registered", "registered"),
    ):
        parser.add_argument(f"--{name}", type=Path, default=opt_ml.processing / folder)
    parser.add_argument(
        "--prevalence",
        type=between(0.0, 1.0),
        default=0.0,
        help="the share of risky users in the pool, if it is known: gives the precision to expect there",
    )
    return parser.parse_args(argv)


def evaluate(arguments: argparse.Namespace) -> None:
    """Raises EvaluationFailed, BadModel, BadRegistered; nothing is written then."""
    began = time.perf_counter()
    registered = comparing.read(arguments.registered)
    models = model_archives.load(models_folder(arguments.models))
    rows, actual = test_rows(arguments.test, models[0])
    answers = judge(models, rows, actual)
    pool = read_rows(arguments.unlabeled, models[0]) if (arguments.unlabeled / "data.npy").exists() else None
    results = {each.name: judging.binary(each) | judging.custom(each) for each in answers}
    for each in judge(models, pool, None) if pool is not None else ():
        results[each.name] |= on_pool(each, results[each.name]["recall"], arguments.prevalence)
    lines = [line for each in answers for line in model_quality.measured(each, results[each.name])]
    pairs = comparing.side_by_side(results, registered)
    write(arguments, answers, results, lines, pairs)
    overall = results[answers[-1].name]
    shown = ("recall", "precision", "f1", "average_precision", "auc", "unknown_share")
    emit({f"evaluation:{name}": overall[name] for name in shown}, f"mean of {len(models)} models")
    emit(
        {"evaluation:models": len(models)}, f"on {len(actual):,} rows in {time.perf_counter() - began:.1f} s"
    )


def models_folder(folder: Path) -> Path:
    """Where training's archives are, in ``folder`` or below it. Raises EvaluationFailed."""
    for found in sorted(folder.rglob(f"{MEAN}.tar.gz")):
        return found.parent
    raise EvaluationFailed(f"no models in {folder}: there is no {MEAN}.tar.gz, which training leaves")


def test_rows(folder: Path, model: Model) -> tuple[Array, Array]:
    """Scaled rows and their labels. Raises EvaluationFailed."""
    rows = read_rows(folder, model)
    actual = _array(folder / "label.npy")
    classes = model.class_names
    if actual.shape != (len(rows),) or actual.dtype.kind not in "iu":
        raise EvaluationFailed(
            f"{folder}/label.npy is {actual.dtype} {actual.shape}, needs one whole number for each of {len(rows)} rows"
        )
    strange = sorted(set(actual.tolist()) - set(range(len(classes))))
    if strange:
        raise EvaluationFailed(f"{folder}/label.npy holds {strange[:5]}; classes are 0 to {len(classes) - 1}")
    risky = int((actual == model.details["risky"]).sum())
    if not 0 < risky < len(actual):
        raise EvaluationFailed(
            f"{risky} of {len(actual)} test rows are {RISKY}: recall and precision need risky rows and others. "
            "Preprocess with a larger --test-share"
        )
    return rows, actual


def read_rows(folder: Path, model: Model) -> Array:
    """data.npy of a folder, whose meta.json must name the model's columns and classes. Raises EvaluationFailed."""
    rows = _array(folder / "data.npy")
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        columns, classes = list(meta["columns"]), list(meta["classes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationFailed(
            f"{folder}/meta.json cannot be read: {type(error).__name__}: {error}"
        ) from error
    for what, there, needed in (
        ("columns", columns, model.columns),
        ("classes", classes, model.class_names),
    ):
        if there != needed:
            differ = [name for name in (*there, *needed) if name not in there or name not in needed]
            raise EvaluationFailed(
                f"{folder}: its {what} are not those that {model.name} was trained on: "
                f"{', '.join(map(repr, differ[:5])) or 'another order'}. Use data and models of one run"
            )
    if rows.ndim != 2 or rows.shape[1] != len(columns) or not len(rows):
        raise EvaluationFailed(f"{folder}/data.npy has shape {rows.shape}, needs [rows, {len(columns)}]")
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0].tolist()
        raise EvaluationFailed(
            f"{folder}/data.npy: row {row}, column {columns[column]!r} is {rows[row, column]}"
        )
    return rows


def judge(models: Sequence[Model], rows: Array, actual: Array | None) -> list[Answers]:
    """Each model's answers and, last, those of their mean; without ``actual`` nobody counts as risky."""
    total, answers = 0.0, []
    for model in models:
        probabilities = model.probabilities(rows)
        total = total + probabilities.astype(np.float64)
        risky = int(model.details["risky"])
        predicted = probabilities.argmax(axis=1).astype(np.int32)
        known = np.full(len(rows), (risky + 1) % len(model.class_names)) if actual is None else actual
        classes = tuple(model.class_names)
        scores = probabilities[:, risky]
        answers.append(Answers(model.name, classes, risky, model.threshold, scores, predicted, known))
    return [*answers, judging.mean_of(MEAN, answers, total)]


def on_pool(answers: Answers, recall: float, prevalence: float) -> dict[str, float]:
    """How much of the unlabelled pool is flagged, how much is left unknown, and what precision to expect there.

    Of ``prevalence`` risky rows the models find ``recall``, and whatever else they flag is not risky: kinds that
    no label names count too, unlike in the precision on test rows.
    """
    flagged = float(answers.flagged.mean())
    found = {
        "unlabeled_flagged_share": flagged,
        "unlabeled_unknown_share": float((answers.predicted == len(answers.classes)).mean()),
        "unlabeled_rows": float(len(answers.score)),
    }
    if prevalence:
        found["unlabeled_precision"] = min(recall * prevalence / flagged, 1.0) if flagged else 0.0
        found["prevalence"] = prevalence
    return found


def write(
    arguments: argparse.Namespace,
    answers: Sequence[Answers],
    results: dict[str, dict[str, float]],
    lines: list[dict[str, Any]],
    pairs: Sequence[comparing.Pair],
) -> None:
    folder = arguments.evaluation
    folder.mkdir(parents=True, exist_ok=True)
    points = [line for each in answers for line in model_quality.curve_points(each)]
    model_quality.write_csv(folder / "metrics.csv", model_quality.METRICS, lines)
    model_quality.write_csv(folder / "curves.csv", model_quality.CURVES, points)
    stored = model_quality.read_csv(folder / "metrics.csv", model_quality.METRICS)
    curves = model_quality.read_csv(folder / "curves.csv", model_quality.CURVES)
    for each in answers:
        model_quality.write_json(
            folder / "models" / each.name, model_quality.convert(stored, curves, each.name)
        )
    evaluation = {
        "overall": results[answers[-1].name],
        "models": results,
        "confusion": {each.name: judging.confusion(each).tolist() for each in answers},
        "calibration": {each.name: judging.calibration(each.positive, each.score) for each in answers},
        "classes": [*answers[0].classes, judging.UNKNOWN],
        "side_by_side": comparing.as_json(pairs),
        "definitions": report.DEFINITIONS,
    }
    text = json.dumps(evaluation, indent=1, allow_nan=False)
    (folder / "evaluation.json").write_text(text, encoding="utf-8")
    plots.write(folder / "plots", answers)
    quality_file = arguments.quality / "quality.json"
    quality = json.loads(quality_file.read_text(encoding="utf-8")) if quality_file.exists() else None
    page = report.page(answers, results, pairs, quality)
    (folder / "report.html").write_text(page, encoding="utf-8")


def _array(file: Path) -> Array:
    try:
        return np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise EvaluationFailed(f"{file} cannot be read: {error}") from error


if __name__ == "__main__":
    raise SystemExit(main())

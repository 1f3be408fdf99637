"""A model that is being trained: its recipe, what its held-out rows say of a state, and its files at the end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from architecture import Architecture, log_probabilities
from encoding import Encoding
from hyperparameters import ModelSpec
from losses import Weighting, supervised_targets
from measures import Rule, average_precision, choose, recall_and_precision
from model_files import FORMAT, Model
from state import State, weights_of
from steps import Recipe
from tensor import tf
from training_data import Part, TrainingData
from variants import VARIANTS


@dataclass(frozen=True)
class Candidate:
    """Everything about one model that training does not change."""

    spec: ModelSpec
    data: TrainingData
    digest: str  # of the data
    part: Part
    encoding: Encoding | None
    recipe: Recipe

    @classmethod
    def of(cls, spec: ModelSpec, data: TrainingData, digest: str, jit: bool) -> Candidate:
        """Its rows and, fitted to those it learns from, its encoding."""
        part, bins = data.part(spec.fold), spec.options.encoding_bins
        encoding = Encoding.fit(part.features, part.labels, bins) if bins else None
        return cls(spec, data, digest, part, encoding, recipe_of(spec, data, encoding, jit))

    @property
    def architecture(self) -> Architecture:
        return self.recipe.architecture

    @property
    def seeds(self) -> tuple[int, int]:
        """Folds start from different weights; models of one fold, which are there to be compared, from the same."""
        return self.spec.options.seed, 0 if self.spec.fold is None else self.spec.fold + 1

    @property
    def graph_seed(self) -> int:
        return int(np.random.SeedSequence(self.seeds).generate_state(1)[0] & 0x7FFFFFFF)

    def measure(self, state: State) -> dict[str, float]:
        """On the held-out rows: the supervised loss with each class counting alike, and how risky rows are found.

        Nothing for a state whose answers are not finite.
        """
        logs, labels, risky = self._answers(state), self.part.held_out_labels, self.recipe.risky
        if not np.isfinite(logs[:, :-1]).all():
            return {}
        targets = supervised_targets(
            self.recipe.variant, self.recipe.weighting, len(self.data.classes), risky
        )
        losses = -np.sum(targets[labels] * np.where(targets[labels] > 0, logs, 0.0), axis=1)
        by_class = [losses[labels == number].mean() for number in range(len(targets))]
        positive, likeliest = labels == risky, logs.argmax(axis=1)
        recall, precision = recall_and_precision(positive, likeliest == risky)
        return {
            "Validation_Supervised_Loss": float(np.mean(by_class)),
            "Validation_Accuracy": float((likeliest == labels).mean()),
            "Validation_Recall_Risky": recall,
            "Validation_Precision_Risky": precision,
            "Validation_Average_Precision": average_precision(positive, logs[:, risky]),
            "Validation_Unknown": float((likeliest == len(targets)).mean()),
        }

    def better(self, entry: dict[str, Any], best: dict[str, Any] | None) -> bool:
        """Whether the state that was just measured is to be kept instead of the best one so far."""
        selection = self.spec.options.selection
        if "Validation_Supervised_Loss" not in entry:
            return False
        if best is None or selection == "last":
            return True
        loss, before = entry["Validation_Supervised_Loss"], best["Validation_Supervised_Loss"]
        if selection == "loss":
            return bool(loss <= before)
        precision, earlier = entry["Validation_Average_Precision"], best["Validation_Average_Precision"]
        return bool((precision, -loss) >= (earlier, -before))

    def model(self, state: State, entry: dict[str, Any]) -> Model:
        """With the threshold that its rule asks for on the held-out rows."""
        spec, data, recipe, labels = self.spec, self.data, self.recipe, self.part.labels
        positive = self.part.held_out_labels == recipe.risky
        scores = np.exp(self._answers(state)[:, recipe.risky])
        threshold = choose(Rule.parse(spec.options.threshold_rule), positive, scores, spec.options.prevalence)
        details = {
            "format": FORMAT,
            "name": spec.name,
            "fold": spec.fold,
            "classes": data.classes,
            "risky": recipe.risky,
            "columns": data.columns,
            "leeway": recipe.variant.leeway,
            "layers": len(recipe.architecture.body),
            "architecture": asdict(recipe.architecture),
            "options": asdict(spec.options),
            "threshold": {**asdict(threshold), "rule": spec.options.threshold_rule},
            "metrics": {name: value for name, value in entry.items() if name != "gradients"},
            "trained_on": {
                "labelled": {name: int((labels == number).sum()) for number, name in enumerate(data.classes)},
                "unlabelled": len(self.part.unlabelled),
            },
            "scaler": data.scaler,
            "data_digest": self.digest,
            "tensorflow": tf.__version__,
        }
        bins = self.encoding.arrays() if self.encoding else {}
        return Model({**weights_of(state, self.architecture), **bins}, details)

    def _answers(self, state: State) -> np.ndarray:
        rows = self.part.held_out
        seen = self.encoding(rows) if self.encoding else rows
        weights = weights_of(state, self.architecture)
        return log_probabilities(weights, len(self.architecture.body), seen, self.recipe.variant.leeway)


def recipe_of(spec: ModelSpec, data: TrainingData, encoding: Encoding | None, jit: bool) -> Recipe:
    """The graph's part of a model's options."""
    options, columns = spec.options, len(data.columns)
    return Recipe(
        Architecture(
            encoding.low.size if encoding else columns,
            len(data.classes),
            options.body,
            options.noise,
            generator_output=options.generator_output,
        ),
        VARIANTS[options.variant],
        data.risky,
        Weighting(
            options.alpha,
            options.risky_weight,
            low_density_weight=options.low_density_weight,
            low_density_epsilon=options.low_density_epsilon,
        ),
        options.batch_size,
        options.learning_rate,
        jit=jit,
        columns=columns if encoding else 0,
    )

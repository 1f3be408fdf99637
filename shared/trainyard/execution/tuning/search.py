"""Who proposes the values of the next trial: Optuna's samplers behind SageMaker's strategies and ranges."""

from __future__ import annotations

import itertools
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainyard.execution.tuning.ranges import Categorical, Range

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

_STARTUP = 10
"""So many trials at random before the Bayesian search has something to learn from."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Values as the training job gets them; ``trial`` is what Optuna knows it by."""

    values: Mapping[str, str]
    trial: Trial


class Search:
    """The search of one training job definition; its methods may be called from several threads.

    ``resource`` is Hyperband's smallest and largest number of epochs. The same seed gives the same
    proposals where trials run one after the other.
    """

    def __init__(
        self,
        ranges: tuple[Range, ...],
        strategy: str,
        *,
        maximize: bool,
        seed: int | None = None,
        resource: tuple[int, int] = (1, 1),
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._ranges = {each.name: each for each in ranges}
        self._distributions = {each.name: each.distribution() for each in ranges}
        self._grid = _grid(ranges) if strategy == "Grid" else None
        self._most = resource[1]
        self._hyperband = strategy == "Hyperband"
        self._lock = threading.Lock()
        self._study = optuna.create_study(
            study_name="tuning",  # Hyperband chooses brackets by it
            direction="maximize" if maximize else "minimize",
            sampler=_sampler(strategy, seed),
            pruner=optuna.pruners.HyperbandPruner(min_resource=resource[0], max_resource=resource[1])
            if self._hyperband
            else optuna.pruners.NopPruner(),
        )

    def propose(self) -> Proposal | None:
        """The values of the next trial; None when the grid has no more."""
        with self._lock:
            if self._grid is not None:
                point = next(self._grid, None)
                if point is None:
                    return None
                self._study.enqueue_trial(point)
            trial = self._study.ask(self._distributions)
            values = {name: each.text(trial.params[name]) for name, each in self._ranges.items()}
            return Proposal(values=values, trial=trial)

    def report(self, proposal: Proposal, epoch: int, value: float) -> bool:
        """Take in a trial's value after an epoch, counted from 1; the answer is whether Hyperband stops it.

        A trial that goes past MaxResource is stopped; one that ends there completes, and keeps its model.
        """
        with self._lock:
            if not self._hyperband:
                return False
            if epoch > self._most:
                return True
            proposal.trial.report(value, epoch)
            return epoch < self._most and proposal.trial.should_prune()

    def learn(self, proposal: Proposal, value: float | None) -> None:
        """Take in the objective of an ended trial; None where it has none."""
        from optuna.trial import TrialState

        with self._lock:
            state = TrialState.FAIL if value is None else TrialState.COMPLETE
            self._study.tell(proposal.trial, value, state=state)

    def remember(self, hyperparameters: Mapping[str, str], value: float) -> bool:
        """Learn from a trial of an earlier tuning job; False where its values lie outside of the ranges."""
        import optuna

        drawn = self._drawn(hyperparameters)
        if drawn is None:
            return False
        with self._lock:
            self._study.add_trial(
                optuna.trial.create_trial(params=drawn, distributions=self._distributions, value=value)
            )
        return True

    def try_first(self, hyperparameters: Mapping[str, str]) -> bool:
        """Propose these values before all others; False where they lie outside of the ranges."""
        drawn = self._drawn(hyperparameters)
        if drawn is None or self._grid is not None:
            return False
        with self._lock:
            self._study.enqueue_trial(drawn)
        return True

    def _drawn(self, hyperparameters: Mapping[str, str]) -> dict[str, Any] | None:
        try:
            return {name: each.drawn(hyperparameters[name]) for name, each in self._ranges.items()}
        except (KeyError, ValueError):
            return None


def _sampler(strategy: str, seed: int | None) -> BaseSampler:
    from optuna.samplers import RandomSampler, TPESampler

    if strategy != "Bayesian":
        return RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an argument is experimental
        return TPESampler(seed=seed, n_startup_trials=_STARTUP, multivariate=True, constant_liar=True)


def _grid(ranges: tuple[Range, ...]) -> Iterator[dict[str, str]]:
    values = [each.values for each in ranges if isinstance(each, Categorical)]
    names = [each.name for each in ranges]
    return (dict(zip(names, point, strict=True)) for point in itertools.product(*values))

"""A CreateHyperParameterTuningJob request, read and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.errors import DefinitionError
from trainyard.execution.tuning.completion import Criteria
from trainyard.execution.tuning.ranges import Categorical, Range, read_ranges

STRATEGIES = ("Bayesian", "Random", "Hyperband", "Grid")
OBJECTIVE = "_tuning_objective_metric"
"""The hyperparameter in which SageMaker tells a script the name of the objective metric."""
_EPOCHS = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
_MOST_EPOCHS = 20_000
_OWN = ("DefinitionName", "TuningObjective", "HyperParameterRanges", "StaticHyperParameters",
        "HyperParameterTuningResourceConfig")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One kind of training job with its own search; ``arguments`` are CreateTrainingJob's without hyperparameters."""

    name: str
    metric: str
    ranges: tuple[Range, ...]
    static: Mapping[str, str]
    arguments: Mapping[str, Any]

    def training(self, values: Mapping[str, str]) -> dict[str, Any]:
        """The CreateTrainingJob request for these tuned values."""
        return {**self.arguments, "HyperParameters": {**self.static, OBJECTIVE: self.metric, **values}}


@dataclass(frozen=True, kw_only=True)
class TuningRequest:
    """``most`` is the number of training jobs at most, None without a limit; times are in seconds."""

    strategy: str
    maximize: bool
    definitions: tuple[Definition, ...]
    most: int | None
    parallel: int
    max_runtime: float | None
    early_stopping: bool
    resource: tuple[int, int]
    criteria: Criteria
    seed: int | None
    parents: tuple[str, ...]
    transfer: bool


def read_request(step: str, arguments: Mapping[str, Any]) -> TuningRequest:
    """Read the arguments of a tuning step or the API's request; raises DefinitionError, naming step and field."""
    try:
        return _read(f"step {step!r}", arguments)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # a list for an object and the like: the request is somebody else's JSON
        raise DefinitionError(
            f"step {step!r}: its Arguments do not have the shape of a CreateHyperParameterTuningJob request ({error!r})"
        ) from error


def _read(where: str, arguments: Mapping[str, Any]) -> TuningRequest:
    config = arguments["HyperParameterTuningJobConfig"]
    place = f"{where}: HyperParameterTuningJobConfig"
    strategy = config.get("Strategy")
    if strategy not in STRATEGIES:
        raise DefinitionError(f"{place}.Strategy is {strategy!r}; possible: {', '.join(STRATEGIES)}")
    definitions, types = _definitions(where, arguments, config)
    early = (config.get("TrainingJobEarlyStoppingType") or "Off") == "Auto"
    if early and strategy == "Hyperband":
        raise DefinitionError(
            f"{place}.TrainingJobEarlyStoppingType is Auto; Hyperband stops jobs by itself, so it must be Off"
        )
    limits = config["ResourceLimits"]
    runtime = limits.get("MaxRuntimeInSeconds")
    warm = arguments.get("WarmStartConfig") or {}
    return TuningRequest(
        strategy=strategy,
        maximize=types.pop() == "Maximize",
        definitions=definitions,
        most=_most(place, strategy, definitions, limits),
        parallel=_count(f"{place}.ResourceLimits.MaxParallelTrainingJobs", limits["MaxParallelTrainingJobs"]),
        max_runtime=None if runtime is None else float(runtime),
        early_stopping=early,
        resource=_resource(place, config, definitions) if strategy == "Hyperband" else (1, 1),
        criteria=_criteria(config.get("TuningJobCompletionCriteria") or {}),
        seed=None if config.get("RandomSeed") is None else int(config["RandomSeed"]),
        parents=tuple(
            str(each["HyperParameterTuningJobName"])
            for each in warm.get("ParentHyperParameterTuningJobs") or []
        ),
        transfer=warm.get("WarmStartType") == "TransferLearning",
    )


def _definitions(
    where: str, arguments: Mapping[str, Any], config: Mapping[str, Any]
) -> tuple[tuple[Definition, ...], set[str]]:
    """One definition, whose objective and ranges stand in ``config``, or several that have their own."""
    one, several = arguments.get("TrainingJobDefinition"), arguments.get("TrainingJobDefinitions")
    if bool(one) == bool(several):
        raise DefinitionError(f"{where}: give either TrainingJobDefinition or TrainingJobDefinitions")
    found, types = [], set()
    for index, entry in enumerate(several or [one]):
        place = f"{where}: TrainingJobDefinition{f's[{index}]' if several else ''}"
        objective = entry.get("TuningObjective") or config.get("HyperParameterTuningJobObjective")
        ranges = entry.get("HyperParameterRanges") or config.get("ParameterRanges")
        if not objective or ranges is None:
            missing = "TuningObjective" if not objective else "HyperParameterRanges"
            raise DefinitionError(f"{place}.{missing} is missing")
        if objective["Type"] not in ("Maximize", "Minimize"):
            raise DefinitionError(
                f"{place}: the objective's Type is {objective['Type']!r}; possible: Maximize, Minimize"
            )
        types.add(objective["Type"])
        found.append(_definition(place, entry, str(objective["MetricName"]), ranges))
    if len(types) > 1:
        raise DefinitionError(
            f"{where}: some definitions are to be maximized and some minimized; use one Type"
        )
    if (several and len({each.name for each in found}) != len(found)) or (several and not found[0].name):
        raise DefinitionError(f"{where}: each of TrainingJobDefinitions needs a DefinitionName of its own")
    return tuple(found), types


def _definition(place: str, entry: Mapping[str, Any], metric: str, given: Mapping[str, Any]) -> Definition:
    names = [each["Name"] for each in entry["AlgorithmSpecification"].get("MetricDefinitions") or []]
    if metric not in names:
        raise DefinitionError(
            f"{place}: a metric is required for the objective {metric!r}; AlgorithmSpecification.MetricDefinitions "
            f"has {', '.join(map(repr, names)) or 'none'}"
        )
    ranges = read_ranges(f"{place}: ParameterRanges", given)
    static = {str(name): str(value) for name, value in (entry.get("StaticHyperParameters") or {}).items()}
    for each in ranges:
        if each.name in static:
            raise DefinitionError(
                f"{place}: {each.name!r} is static and has a range; it can be only one of them"
            )
    training = {name: value for name, value in entry.items() if name not in _OWN}
    if resources := entry.get("HyperParameterTuningResourceConfig"):
        configs = resources.get("InstanceConfigs") or [{}]
        training["ResourceConfig"] = {
            name: value
            for name, value in {**resources, **configs[0]}.items()
            if name not in ("InstanceConfigs", "AllocationStrategy")
        }
    return Definition(
        name=str(entry.get("DefinitionName") or ""),
        metric=metric,
        ranges=ranges,
        static=static,
        arguments=training,
    )


def _most(
    place: str, strategy: str, definitions: tuple[Definition, ...], limits: Mapping[str, Any]
) -> int | None:
    given = limits.get("MaxNumberOfTrainingJobs")
    if given is not None:
        given = _count(f"{place}.ResourceLimits.MaxNumberOfTrainingJobs", given)
    if strategy != "Grid":
        if given is None and limits.get("MaxRuntimeInSeconds") is None:
            raise DefinitionError(
                f"{place}.ResourceLimits needs MaxNumberOfTrainingJobs or MaxRuntimeInSeconds"
            )
        return given
    total = 0
    for definition in definitions:
        sizes = [len(each.values) for each in definition.ranges if isinstance(each, Categorical)]
        if len(sizes) < len(definition.ranges):
            raise DefinitionError(f"{place}: the Grid strategy takes only CategoricalParameterRanges")
        total += math.prod(sizes)
    if given not in (None, total):
        raise DefinitionError(
            f"{place}.ResourceLimits.MaxNumberOfTrainingJobs is {given}, but the grid has {total} points; "
            "leave it out, or give that number"
        )
    return total


def _count(place: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise DefinitionError(f"{place} is {value!r}; a whole number from 1 on is needed")
    return value


def _resource(place: str, config: Mapping[str, Any], definitions: tuple[Definition, ...]) -> tuple[int, int]:
    """Hyperband's MinResource and MaxResource, in values of the objective metric (epochs)."""
    given = (config.get("StrategyConfig") or {}).get("HyperbandStrategyConfig") or {}
    least, most = given.get("MinResource") or 1, given.get("MaxResource")
    static = definitions[0].static
    if most is None:
        most = next((int(static[name]) for name in _EPOCHS if static.get(name, "").isdecimal()), None)
    if most is None:
        raise DefinitionError(
            f"{place}.StrategyConfig.HyperbandStrategyConfig.MaxResource is missing, and no static hyperparameter "
            f"of {', '.join(_EPOCHS)} tells it"
        )
    if not 1 <= least <= most <= _MOST_EPOCHS:
        raise DefinitionError(
            f"{place}.StrategyConfig.HyperbandStrategyConfig: MinResource {least} and MaxResource {most}; "
            f"1 <= MinResource <= MaxResource <= {_MOST_EPOCHS} is possible"
        )
    return least, most


def _criteria(given: Mapping[str, Any]) -> Criteria:
    target = given.get("TargetObjectiveMetricValue")
    return Criteria(
        target=None if target is None else float(target),
        not_improving=(given.get("BestObjectiveNotImproving") or {}).get(
            "MaxNumberOfTrainingJobsNotImproving"
        ),
        on_convergence=(given.get("ConvergenceDetected") or {}).get("CompleteOnConvergence") == "Enabled",
    )

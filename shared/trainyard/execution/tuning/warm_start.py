"""What earlier tuning jobs tell a new one (AWS: "Run a Warm Start Hyperparameter Tuning Job")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trainyard.errors import DefinitionError
from trainyard.execution.request import ARN
from trainyard.execution.resources import UNDER_WAY, Document, Resources
from trainyard.execution.tuning.request import OBJECTIVE, Definition, TuningRequest, read_request
from trainyard.execution.tuning.search import Search
from trainyard.execution.tuning.trial import objective, ranked

_FIRST = 5
"""How many of the parents' best points TransferLearning tries before others."""


def check_parents(step: str, request: TuningRequest, resources: Resources) -> None:
    """Refuse parents that AWS refuses; raises DefinitionError, or NotFound."""
    for name in request.parents:
        parent = resources.get("hyper-parameter-tuning-job", name)
        where = f"step {step!r}: WarmStartConfig: the parent {name!r}"
        status = parent["HyperParameterTuningJobStatus"]
        if status in UNDER_WAY:
            raise DefinitionError(f"{where} is {status}; wait for its end, or stop it")
        earlier = read_request(name, parent)
        theirs, ours = earlier.definitions[0], request.definitions[0]
        if (earlier.maximize, theirs.metric) != (request.maximize, ours.metric):
            raise DefinitionError(f"{where} has another objective, {theirs.metric!r}; it must be the same")
        if _size(theirs) != _size(ours):
            raise DefinitionError(
                f"{where} has {_size(theirs)} static and tuned hyperparameters, this job {_size(ours)}; "
                "the number must be the same"
            )
        image = ours.arguments["AlgorithmSpecification"].get("TrainingImage")
        if not request.transfer and theirs.arguments["AlgorithmSpecification"].get("TrainingImage") != image:
            raise DefinitionError(
                f"{where} has another training image; with IdenticalDataAndAlgorithm it must be the same, "
                "TransferLearning takes another"
            )


def parents_trials(request: TuningRequest, resources: Resources) -> list[Document]:
    """The training jobs of all parents, the best first; grandparents' do not count, as on AWS."""
    arns = {f"{ARN}:hyper-parameter-tuning-job/{name}" for name in request.parents}
    trials = [each for each in resources.all("training-job") if each.get("TuningJobArn") in arns]
    return ranked(trials, request.maximize)


def teach(
    request: TuningRequest, searches: Iterable[tuple[Definition, Search]], trials: Iterable[Document]
) -> int:
    """Tell the searches what the parents' trials found; the answer is how many trials were of use.

    Of the same data and algorithm, every objective counts as if it were found now. For TransferLearning
    objectives do not compare, so the best points are tried first instead.
    """
    taught = 0
    known = [each for each in trials if objective(each) is not None]
    for definition, search in searches:
        mine = [each for each in known if each.get("TrainingJobDefinitionName", "") == definition.name]
        if request.transfer:
            taught += sum(search.try_first(_hyperparameters(each)) for each in mine[:_FIRST])
        else:
            taught += sum(search.remember(_hyperparameters(each), objective(each) or 0.0) for each in mine)
    return taught


def _hyperparameters(document: Mapping[str, object]) -> Mapping[str, str]:
    found = document.get("HyperParameters")
    return found if isinstance(found, Mapping) else {}


def _size(definition: Definition) -> int:
    return len(definition.ranges) + len(set(definition.static) - {OBJECTIVE})

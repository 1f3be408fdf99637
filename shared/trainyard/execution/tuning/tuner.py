"""A tuning job: its search proposes, training jobs run side by side, and its document says how far it is."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from trainyard.execution import events
from trainyard.execution.machine import Machine
from trainyard.execution.recording import Recording
from trainyard.execution.resources import Document
from trainyard.execution.tuning.completion import converged, not_improving
from trainyard.execution.tuning.early_stopping import MedianRule
from trainyard.execution.tuning.request import Definition, TuningRequest
from trainyard.execution.tuning.search import Search
from trainyard.execution.tuning.trial import Training, Trial, objective, ranked, summary
from trainyard.execution.tuning.warm_start import parents_trials, teach

KIND = "hyper-parameter-tuning-job"
_ATTEMPTS = 5
_COUNTERS = ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped")


class Tuner:
    """One tuning job while it runs; ``recording`` is its own."""

    def __init__(
        self,
        *,
        machine: Machine,
        training: Training,
        request: TuningRequest,
        recording: Recording,
        step: str,
        watch: events.Watcher,
    ) -> None:
        self.request, self.trials = request, list[Trial]()
        self._machine, self._training, self._recording = machine, training, recording
        self._step, self._watch = step, watch
        self._began = time.time()
        self._searches = {
            each.name: Search(
                each.ranges,
                request.strategy,
                maximize=request.maximize,
                seed=request.seed,
                resource=request.resource,
            )
            for each in request.definitions
        }
        self._rules = {each.name: MedianRule(request.maximize) for each in request.definitions}
        self._parents: list[Document] = []
        self._over = False
        self._converged_at: float | None = None
        self._ended_values: list[float] = []

    def run(self) -> Document:
        """Run all trials; the answer is the members that the tuning job's document gets at the end."""
        self._begin_warm()
        running: dict[Future[None], Trial] = {}
        turns = itertools.cycle(self.request.definitions)
        with ThreadPoolExecutor(self.request.parallel, thread_name_prefix="trial") as pool:
            try:
                while True:
                    for trial in self._launch(turns, self.request.parallel - len(running)):
                        running[pool.submit(trial.run, self._step, self._judge, self._watch)] = trial
                        self._publish()
                    if not running:
                        return self._finished()
                    done, _ = wait(running, timeout=self._time_left(), return_when=FIRST_COMPLETED)
                    for future in done:
                        self._take(running.pop(future), future)
                    self._judge_all(running.values(), timed_out=not done)
                    self._publish()
            finally:
                for trial in running.values():  # none, unless this has failed
                    trial.halt()

    def summaries(self) -> list[Document]:
        """``TrainingJobSummaries``: the best first."""
        return [
            summary(each) for each in ranked([trial.document for trial in self.trials], self.request.maximize)
        ]

    def stored(self) -> dict[str, list[int]]:
        """What all trials have stored."""
        return {uri: mark for trial in self.trials for uri, mark in trial.stored.items()}

    def _begin_warm(self) -> None:
        if not self.request.parents:
            return
        self._parents = parents_trials(self.request, self._machine.store.resources)
        pairs = [(each, self._searches[each.name]) for each in self.request.definitions]
        taught = teach(self.request, pairs, self._parents)
        self._note(f"warm start: {taught} of {len(self._parents)} earlier training jobs are of use")

    def _launch(self, turns: Iterator[Definition], room: int) -> Iterator[Trial]:
        """Start as many trials as there is room for; definitions take turns."""
        left = len(self.request.definitions)  # those whose grid may have points
        while room and left and not self._over and not self._recording.stop.requested:
            if len(self.trials) == self.request.most or self._time_left() == 0:
                return
            definition = next(turns)
            proposal = self._searches[definition.name].propose()
            if proposal is None:
                left -= 1
                continue
            trial = Trial(
                machine=self._machine,
                training=self._training,
                tuning=self._recording.name,
                number=len(self.trials) + 1,
                definition=definition,
                proposal=proposal,
                maximize=self.request.maximize,
                stop=self._recording.stop,
            )
            self.trials.append(trial)
            room -= 1
            yield trial

    def _judge(self, trial: Trial) -> bool:
        """Whether to stop a trial that has just reported a value."""
        if self._searches[trial.definition.name].report(trial.proposal, len(trial.values), trial.values[-1]):
            return True
        return self.request.early_stopping and self._rules[trial.definition.name].stops(trial.values)

    def _take(self, trial: Trial, future: Future[None]) -> None:
        """Learn from a trial that has ended."""
        future.result()
        value = trial.objective
        self._searches[trial.definition.name].learn(trial.proposal, value)
        if value is not None:
            self._rules[trial.definition.name].add(trial.values)
            self._ended_values.append(value)
        said = f"{trial.definition.metric} = {value:g}" if value is not None else "no objective"
        values = ", ".join(f"{name}={text}" for name, text in trial.proposal.values.items())
        status = trial.document["TrainingJobStatus"]
        self._note(f"training job {trial.name}: {status}, {said} ({values})")

    def _judge_all(self, running: Any, *, timed_out: bool) -> None:
        """End the tuning job where its limit or criteria say so, or nothing has succeeded."""
        if self._converged_at is None and converged(self._ended_values, self.request.maximize):
            self._converged_at = time.time()
        over = timed_out or self.request.criteria.met(self._ended_values, self.request.maximize)
        if over or self._hopeless():
            if not self._over:
                for trial in running:
                    trial.halt()
            self._over = True

    def _hopeless(self) -> bool:
        ended = [trial for trial in self.trials if trial.ended]
        return len(ended) >= _ATTEMPTS and not self._ended_values

    def _time_left(self) -> float | None:
        if self.request.max_runtime is None or self._over:
            return None
        return max(0.0, self._began + self.request.max_runtime - time.time())

    def _publish(self) -> None:
        self._recording.update(**self._members())

    def _members(self) -> Document:
        """What Describe says of the state of the trials."""
        statuses = Counter(trial.counter for trial in self.trials)
        objectives = Counter(trial.document["ObjectiveStatus"] for trial in self.trials)
        members: Document = {
            "TrainingJobStatusCounters": {name: statuses[name] for name in _COUNTERS},
            "ObjectiveStatusCounters": {
                name: objectives[name] for name in ("Succeeded", "Pending", "Failed")
            },
            "TuningJobCompletionDetails": {
                "NumberOfTrainingJobsObjectiveNotImproving": not_improving(
                    self._ended_values, self.request.maximize
                ),
                **({"ConvergenceDetectedTime": self._converged_at} if self._converged_at else {}),
            },
            "ConsumedResources": {"RuntimeInSeconds": round(time.time() - self._began)},
        }
        mine = [trial.document for trial in self.trials]
        if best := self._best(mine):
            members["BestTrainingJob"] = best
        if self.request.parents and not self.request.transfer and (best := self._best(mine + self._parents)):
            members["OverallBestTrainingJob"] = best
        return members

    def _best(self, documents: list[Document]) -> Document | None:
        first = ranked(documents, self.request.maximize)[:1]
        return summary(first[0]) if first and objective(first[0]) is not None else None

    def _finished(self) -> Document:
        now = time.time()
        ended: Document = {
            **self._members(),
            "HyperParameterTuningJobStatus": "Completed",
            "HyperParameterTuningEndTime": now,
            "LastModifiedTime": now,
        }
        if self._recording.stop.requested:
            ended["HyperParameterTuningJobStatus"] = "Stopped"
        elif not self._ended_values:
            ended |= {"HyperParameterTuningJobStatus": "Failed", "FailureReason": self._failure()[:1024]}
        return ended

    def _failure(self) -> str:
        """AWS's words for a tuning job without an objective, and the first training job's own."""
        failed = [trial for trial in self.trials if trial.document["TrainingJobStatus"] == "Failed"]
        number = len(self.trials)
        if len(failed) < number or not failed:
            return (
                f"No objective metrics found after running {number} training jobs. Please ensure that the custom "
                "algorithm is emitting the objective metric as defined by the regular expression provided."
            )
        first: Mapping[str, Any] = failed[0].document
        said = (
            "All training jobs failed."
            if number < _ATTEMPTS
            else f"No training job succeeded after {number} attempts."
        )
        return (
            f"{said} Please take a look at the training job failures to get more details. "
            f"{first['TrainingJobName']}: {first.get('FailureReason', '')}"
        )

    def _note(self, text: str) -> None:
        self._watch(events.Note(step=self._step, text=text))

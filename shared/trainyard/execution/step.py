"""Run one step of an execution and record what came of it."""

from __future__ import annotations

import time

from trainyard.definition.steps import Step
from trainyard.execution import events
from trainyard.execution.retries import attempts
from trainyard.execution.run import Run, StepEnd
from trainyard.execution.steps import KINDS


def run_step(run: Run, step: Step) -> StepEnd:
    """Run a step; an expected failure of it is its end, not an exception."""
    began = time.monotonic()
    turn = run.iteration
    run.store.state.start_step(
        run.execution_id, step.name, step.type, iteration=turn.context if turn else None
    )
    run.watch(events.StepStarted(step=step.name, kind=step.type))
    end = attempts(run, step, lambda: KINDS[step.type].run(run, step))
    run.store.state.update_step(
        run.execution_id,
        step.name,
        status=end.status,
        failure=end.failure or None,
        result=end.result,
        metadata=end.metadata,
        outputs=end.outputs,
        cache_source=end.cache_source,
        ended=time.time(),
    )
    run.watch(
        events.StepEnded(
            step=step.name,
            kind=step.type,
            status=end.status,
            seconds=time.monotonic() - began,
            reason=end.failure,
            cached_from=end.cache_source or "",
            detail=end.detail,
        )
    )
    return end

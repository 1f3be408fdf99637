from __future__ import annotations

import pytest

from trainyard.errors import Unsupported
from trainyard.execution.launchers.by_target import ByTarget
from trainyard.execution.request import Ended, JobRequest, StopSignal
from trainyard.execution.targets import Target


@pytest.mark.parametrize(("kind", "code"), [("venv", 3), ("docker", 4)])
def test_each_job_goes_to_the_launcher_of_its_kind(kind, code: int) -> None:
    seen = []

    def launcher_that_answers(code: int):
        def launch(request, hosts, stop, tick) -> Ended:
            seen.append((request, hosts, stop, tick))
            return Ended(exit_codes=(code,))

        return launch

    request = JobRequest(name="job", kind="Training", image="i", target=Target(kind, "x"))
    stop, tick = StopSignal(), lambda: None
    launch = ByTarget({"venv": launcher_that_answers(3), "docker": launcher_that_answers(4)})
    assert launch(request, [], stop, tick).exit_code == code
    assert seen == [(request, [], stop, tick)]


def test_what_serves_comes_from_the_same_launcher(tmp_path) -> None:
    class Serves:
        def serving(self, target, folder, environment):
            return target, folder, environment

    launch = ByTarget({"venv": Serves(), "docker": lambda *_: Ended(exit_codes=(0,))})
    target = Target("venv", "v")
    assert launch.serving(target, tmp_path, {"A": "1"}) == (target, tmp_path, {"A": "1"})
    with pytest.raises(Unsupported, match="docker:d cannot serve models here"):
        launch.serving(Target("docker", "d"), tmp_path, {})

from __future__ import annotations

import os

from trainyard.cli.local import Local
from trainyard.local_aws.record import Record, Running


def test_the_stores_endpoint_is_found_while_it_is_up(home):
    assert Local(lambda event: None).executor.endpoint_url == ""
    record = Record(home)
    with record.held():
        record.write(Running(pid=os.getpid(), url="http://127.0.0.1:1", started=0.0))
        assert Local(lambda event: None).executor.endpoint_url == "http://127.0.0.1:1"
    assert Local(lambda event: None).executor.endpoint_url == ""


def test_each_machine_has_targets_of_its_own(home, plain_venv):
    here = Local(lambda event: None, [f"image=venv:{plain_venv}"], launcher="docker")
    first, second = here.machine("http://a"), here.machine("http://b")
    assert (first.endpoint_url, second.endpoint_url) == ("http://a", "http://b")
    assert first.targets.mapped == here.targets.mapped != {}
    assert first.targets is not second.targets and first.targets.as_images

from __future__ import annotations

import http.client
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from trainyard.errors import DockerError
from trainyard.execution.launchers.docker_serving import ServingContainer
from trainyard.execution.targets import Target
from trainyard.images.engine import Engine


@pytest.fixture
def make(engine: Engine, tiny_image: str, tmp_path: Path):
    made = []

    def serving(image: str = tiny_image, **environment: str) -> ServingContainer:
        container = ServingContainer(
            engine, tmp_path, Target("docker", image), tmp_path / "endpoint", environment
        )
        container.ml.model.mkdir(parents=True)
        made.append(container)
        return container

    yield serving
    for container in made:
        container.stop()


def get(url: str) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    connection.request("GET", "/ping")
    return connection.getresponse().read()


def wait_for_an_end(container: ServingContainer) -> str:
    for _ in range(100):
        if end := container.ended():
            return end
        time.sleep(0.05)
    return ""


def test_serves_what_lies_in_its_model_folder_until_it_is_stopped(make, tmp_path: Path, left_behind) -> None:
    container = make()
    (container.ml.model / "name").write_text("seven")
    container.start()
    for _ in range(100):
        try:
            assert get(container.url) == b"seven"
            break
        except (ConnectionError, http.client.HTTPException):
            assert container.ended() == ""
            time.sleep(0.05)
    else:
        pytest.fail(container.ended())
    container.stop()
    assert container.ended().startswith("exit code 0: ")
    container.stop()
    with pytest.raises(ConnectionRefusedError):
        get(container.url)
    assert left_behind(tmp_path) == []


def test_a_failed_start_says_why(make) -> None:
    container = make(BROKEN="1")
    container.start()
    assert wait_for_an_end(container) == "exit code 1: no model here"
    assert "no model here" in container.log.read_text()


def test_what_ends_before_it_has_an_address_says_why(make, monkeypatch: pytest.MonkeyPatch) -> None:
    reached_at = ServingContainer._reached_at
    monkeypatch.setattr(
        ServingContainer, "_reached_at", lambda self, running: running.wait(10) and reached_at(self, running)
    )
    container = make(BROKEN="1")
    container.start()
    assert container.ended() == "exit code 1: no model here"
    with pytest.raises(OSError):
        get(container.url)


def test_an_image_that_is_gone_leaves_nothing(make, tmp_path: Path, left_behind) -> None:
    container = make("no-such-image:0")
    with pytest.raises(DockerError, match="No such image"):
        container.start()
    container.stop()
    assert left_behind(tmp_path) == []

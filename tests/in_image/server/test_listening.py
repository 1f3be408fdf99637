from __future__ import annotations

import pytest

from trainyard.in_image.server.listening import free_port, listen, listens


def test_a_free_port_can_be_listened_on_once():
    port = free_port(20_000)
    assert 10_000 <= port <= 20_000
    assert not listens("127.0.0.1", port)
    with listen("0.0.0.0", port) as listener:
        assert listener.getsockname() == ("0.0.0.0", port)
        assert listens("127.0.0.1", port)
        assert listens("0.0.0.0", port)
        with pytest.raises(
            OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use; SAGEMAKER_"
        ):
            listen("127.0.0.1", port)


def test_a_port_that_is_taken_is_not_free(monkeypatch):
    taken, free = free_port(32_766), free_port(32_766)
    ports = iter([taken, free])
    monkeypatch.setattr("random.randint", lambda low, high: next(ports))
    with listen("127.0.0.1", taken):
        assert free_port(32_766) == free

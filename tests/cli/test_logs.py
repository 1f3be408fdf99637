from __future__ import annotations

import json
import threading
import time


def test_shows_the_log_of_a_step_also_of_a_cached_one(cli, definition) -> None:
    for _ in range(2):
        cli("run", *definition)
        assert cli("logs", "last", "Make").out == "counting; items:done=1; items:total=2;\n"
    assert json.loads(cli("logs", "last", "Make", "--json").out)["host"] == "algo-1"
    missing = cli("logs", "last", "Nothing")
    assert missing.code == 23 and "it has: Make" in missing.err


def test_follows_until_the_step_ends(cli, home, tmp_path, monkeypatch) -> None:
    from trainyard.execution.store import Store

    store = Store(home)
    log = store.job_folder("job") / "algo-1.log"

    def work() -> None:
        time.sleep(0.6)
        log.parent.mkdir()  # a host starts when its environment is there
        log.write_text("first\n")
        time.sleep(0.3)
        with log.open("a") as file:
            file.write("second\n")
        time.sleep(0.3)
        store.state.update_step("e", "S", status="Succeeded")

    with store.living("e"):
        store.state.add_execution("e", "p", {}, {}, {})
        store.state.start_step("e", "S", "Training", job="job")
        worker = threading.Thread(target=work)
        worker.start()
        began = time.monotonic()
        result = cli("logs", "e", "S", "--follow")
        worker.join()
    assert result.out == "first\nsecond\n"
    assert time.monotonic() - began > 0.8

from __future__ import annotations

from trainyard.images.engine import Engine
from trainyard.preflight.subject import read_still


def test_history_volumes_and_path_as_the_engine_has_them(engine: Engine, toy_image, family):
    image = toy_image("settings")
    still = read_still(engine, family, image)
    assert still.volumes == ["/opt/ml/model"]
    steps = [line for line in still.history if line.startswith(("COPY", "VOLUME", "ENTRYPOINT"))]
    assert [step.split()[0] for step in steps] == ["COPY", "VOLUME", "ENTRYPOINT"], "oldest first"
    assert "/usr/bin" in still.search_path.split(":")
    assert still.tree.entries == {}, "no layers were asked for"

"""Data capture of transform jobs: manifests of what was read and written.

Source: AWS, "Capture data from batch transform job".
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence

from trainyard.execution.s3 import ObjectStore, parse_uri


def write_manifests(
    store: ObjectStore, destination: str, output: str, names: Sequence[tuple[str, str]], started: float
) -> None:
    """Write ``input`` and ``output`` manifests below ``destination``, in folders by the hour that the job started.

    ``names`` are the URIs of the inputs and their names below their prefix; ``started`` is in seconds since 1970.
    """
    uri, relative = names[0]
    contents = {
        "input": [{"prefix": uri.removesuffix(relative)}, *(name for _, name in names)],
        "output": [{"prefix": f"{output.rstrip('/')}/"}, *(f"{name}.out" for _, name in names)],
    }
    hour, identifier = time.strftime("%Y/%m/%d/%H", time.gmtime(started)), uuid.uuid4()
    for side, content in contents.items():
        place = parse_uri(destination).join(f"{side}/{hour}/{identifier}.jsonl")
        store.put_bytes(json.dumps(content).encode(), place)

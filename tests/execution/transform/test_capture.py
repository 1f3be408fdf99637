from __future__ import annotations

import json

from trainyard.execution.s3 import parse_uri
from trainyard.execution.transform.capture import write_manifests


def test_manifests_lie_in_the_folder_of_the_hour(store) -> None:
    names = [("s3://b/in/a/x.csv", "a/x.csv"), ("s3://b/in/y.csv", "y.csv")]
    write_manifests(store.objects, "s3://b/captured", "s3://b/out", names, 1661518800.0)
    found = {
        item.relative: json.loads(item.path.read_text())
        for item in store.objects.list(parse_uri("s3://b/captured/"))
    }
    assert {key.rpartition("/")[0] for key in found} == {"input/2022/08/26/13", "output/2022/08/26/13"}
    assert sorted(found.values(), key=str) == [
        [{"prefix": "s3://b/in/"}, "a/x.csv", "y.csv"],
        [{"prefix": "s3://b/out/"}, "a/x.csv.out", "y.csv.out"],
    ]

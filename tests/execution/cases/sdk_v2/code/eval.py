import json
import tarfile
from pathlib import Path

with tarfile.open("/opt/ml/processing/model/model.tar.gz") as archive:
    model = json.load(archive.extractfile("model.json"))
report = {"acc": {"value": min(1, model["depth"] / 3)}, "rows": model["rows"]}
Path("/opt/ml/processing/eval/evaluation.json").write_text(json.dumps(report))

"""A ModelTrainer's SourceCode: the drivers of the SDK start it and tell it where things are."""

import argparse
import json
import os
import pathlib

parser = argparse.ArgumentParser()
parser.add_argument("--scale", type=float, default=1.0)
args = parser.parse_args()
rows = []
for file in sorted(pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]).glob("*.csv")):
    rows += [tuple(map(float, line.split(","))) for line in file.read_text().split()]
slope = args.scale * sum(x * y for x, y in rows) / sum(x * x for x, _ in rows)
print(f"loss: {sum((slope * x - y) ** 2 for x, y in rows) / len(rows):.6f}", flush=True)
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").write_text(json.dumps({"slope": slope}))

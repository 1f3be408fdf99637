"""What it was called with, as a property file."""

import argparse
import json
from pathlib import Path

parser = argparse.ArgumentParser()
for name in ("word", "number", "share", "strict", "pipeline"):
    parser.add_argument(f"--{name}")
given = parser.parse_args()
facts = {
    "words": [given.word],
    "number": int(given.number or 0),
    "all": {"share of it": float(given.share or 0), "strict": given.strict},
    "pipeline": given.pipeline,
}
Path("/opt/ml/processing/facts/facts.json").write_text(json.dumps(facts))

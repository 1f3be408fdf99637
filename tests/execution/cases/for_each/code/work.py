"""Ends as its first argument says; leaves the second one as a report."""

import json
import sys
from pathlib import Path

if sys.argv[1] == "bad":
    sys.exit("it is bad")
if len(sys.argv) > 2:
    Path("/opt/ml/processing/out/report.json").write_text(json.dumps({"score": float(sys.argv[2])}))

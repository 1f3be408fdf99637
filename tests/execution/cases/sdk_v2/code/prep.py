import shutil
from pathlib import Path

for file in Path("/opt/ml/processing/raw").iterdir():
    shutil.copy(file, "/opt/ml/processing/train/")

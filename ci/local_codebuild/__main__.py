"""``python -m ci.local_codebuild``."""

from __future__ import annotations

from ci.local_codebuild.main import main

if __name__ == "__main__":
    raise SystemExit(main())

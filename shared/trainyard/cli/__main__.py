"""``python -m trainyard.cli``: the command line in the Python that runs it, which is not set up first."""

from __future__ import annotations

from trainyard.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())

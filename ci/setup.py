"""Bring .venv to the state that the other parts of ci need; the one part that runs before there is any.

PYTHONPATH=shared python3 -m ci.setup
"""

from __future__ import annotations

import sys

from trainyard.cli.setup import install
from trainyard.errors import UserError
from trainyard.families import repository_root


def main() -> int:
    try:
        install(repository_root(), "ci")
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

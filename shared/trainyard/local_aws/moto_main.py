"""The process that answers for moto's services: ``python -m trainyard.local_aws.moto_main PORT PARENT``."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys


def main() -> None:
    """Serve on a loopback port until the parent process ends, however it does."""
    port, parent = int(sys.argv[1]), int(sys.argv[2])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the local endpoint has gone")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # or its log would grow with every request
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    run_simple("127.0.0.1", port, DomainDispatcherApplication(create_backend_app), threaded=True)


if __name__ == "__main__":
    main()

"""Ports: to listen on one, to find a free one, to see whether somebody listens."""

from __future__ import annotations

import random
import socket

_BACKLOG = 2048  # connections that may wait to be accepted


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; raises OSError, saying where and what to do."""
    # asyncio sets TCP_NODELAY only where the protocol is named; without it an answer on a connection that stays
    # waits 40 ms for the client's acknowledgement
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise OSError(
            f"cannot listen on {host}:{port}: {error.strerror}; "
            "SAGEMAKER_BIND_ADDRESS and SAGEMAKER_BIND_TO_PORT choose where"
        ) from error
    return listener


def free_port(highest: int) -> int:
    """A port of loopback that nobody listens on, from 10000 to ``highest``."""
    while True:
        port = random.randint(10_000, highest)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def listens(host: str, port: int) -> bool:
    """Whether somebody listens there; 0.0.0.0 is looked for on loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1" if host == "0.0.0.0" else host, port)) == 0

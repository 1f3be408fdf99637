"""The hosts of a training job, from SageMaker's resourceconfig.json: sorted, and the first leads.

Source: AWS SageMaker Developer Guide, "Distributed Training Configuration".
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

_PORTS = range(20_000, 30_000)  # below those that systems hand out by themselves


class BadHosts(Exception):
    """A resourceconfig.json that does not tell the hosts; the message says what is wrong with it."""


@dataclass(frozen=True)
class Cluster:
    """The hosts, in order; ``interface`` is the network interface between them, or ""."""

    hosts: tuple[str, ...]
    current: str
    interface: str = ""

    @property
    def rank(self) -> int:
        return self.hosts.index(self.current)

    @property
    def master(self) -> str:
        return self.hosts[0]

    def url(self, job: str) -> str:
        """Where the processes meet. The port follows from the job's name: local jobs may share a machine."""
        return f"tcp://{self.master}:{_PORTS[zlib.crc32(job.encode()) % len(_PORTS)]}"


def read(file: Path) -> Cluster:
    """Without the file it is one host. Raises BadHosts."""
    if not file.exists():
        return Cluster(("algo-1",), "algo-1")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        hosts, current = content["hosts"], content["current_host"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadHosts(
            f"{file.name} cannot be read ({error!r}): hosts and current_host are needed"
        ) from error
    if not isinstance(hosts, list) or not all(isinstance(host, str) and host for host in hosts):
        raise BadHosts(f"{file.name}: hosts is {hosts!r}, not a list of names")
    if len(set(hosts)) < len(hosts) or current not in hosts:
        raise BadHosts(
            f"{file.name}: current_host {current!r} must be one of hosts, each named once: {hosts}"
        )
    return Cluster(
        tuple(sorted(hosts, key=_natural)), current, str(content.get("network_interface_name") or "")
    )


def _natural(host: str) -> tuple[str, int]:
    """algo-2 comes before algo-10."""
    stem, _, number = host.rpartition("-")
    return (stem, int(number)) if number.isdigit() else (host, 0)

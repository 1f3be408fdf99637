"""Run one host of a job in namespaces of its own; a script that launchers start, never imported by them.

``python -I -S sandbox.py SPEC STATUS_FD``: SPEC is a JSON file (see ``venv.py``). On Linux the job gets
private mount, process and host-name namespaces (with a user namespace for anybody but root): its
folder is the literal ``/opt/ml``, inputs are read-only, no process of it outlives it, and all of it
dies with whoever started it, even by SIGKILL. What happened is written to STATUS_FD before the job
starts: ``ok``, or why there can be no namespaces; STATUS_FD stays open until the job has ended.

With ``"isolate": false`` there are no namespaces: the job's descendants are found and killed instead.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NEWNS, _NEWUTS, _NEWUSER, _NEWPID = 0x20000, 0x4000000, 0x10000000, 0x20000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_NOATIME, _NODIRATIME, _RELATIME = 1024, 2048, 1 << 21
Spec = dict[str, Any]
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_CAPBSET_DROP, _CAP_SYS_ADMIN = 1, 36, 24, 21
# statvfs flags are not the mount flags of the same name
_KEPT = {os.ST_NOSUID: _NOSUID, os.ST_NODEV: _NODEV, os.ST_NOEXEC: _NOEXEC, os.ST_NOATIME: _NOATIME,
         os.ST_NODIRATIME: _NODIRATIME, os.ST_RELATIME: _RELATIME} if sys.platform == "linux" else {}  # fmt: skip


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: object, target: object, kind: str | None, flags: int) -> None:
    arguments = [os.fsencode(str(part)) if part else None for part in (source, target, kind)]
    _check(_libc().mount(*arguments, ctypes.c_ulong(flags), None), f"mount {target}")


def _bind(source: object, target: object, read_only: bool = False) -> None:
    _mount(source, target, None, _BIND | _REC)
    if read_only:
        # a remount may not drop flags that the mount below has, where a user namespace locks them
        kept = os.statvfs(str(target)).f_flag
        flags = sum(value for flag, value in _KEPT.items() if kept & flag)
        _mount(None, target, None, _REMOUNT | _BIND | _RDONLY | flags)


def _enter_namespaces() -> None:
    flags = _NEWNS | _NEWUTS | _NEWPID
    uid, gid = os.getuid(), os.getgid()
    if uid != 0:
        flags |= _NEWUSER
    _check(_libc().unshare(flags), "unshare")
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _lay_out(spec: Spec) -> None:
    """Make ``/opt/ml`` and the rest true for this mount namespace."""
    _mount(None, "/", None, _REC | _PRIVATE)
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    if not Path("/opt/ml").is_dir():
        _replace_opt(Path(spec["scratch"]) / "opt")
    _bind(spec["ml"], "/opt/ml")
    for mount in spec["mounts"]:
        _bind(mount["source"], mount["target"], mount["read_only"])
    if spec.get("hosts_file"):
        _bind(spec["hosts_file"], "/etc/hosts", read_only=True)
    name = spec["host"].encode()
    _check(_libc().sethostname(name, len(name)), "sethostname")


def _replace_opt(stand_in: Path) -> None:
    """A copy of ``/opt`` made of binds, with an ``ml`` in it; the machine's own ``/opt`` is not touched."""
    (stand_in / "ml").mkdir(parents=True, exist_ok=True)
    for entry in os.scandir("/opt"):
        place = stand_in / entry.name
        if entry.is_symlink():
            place.symlink_to(Path(entry.path).readlink())
        elif entry.is_dir():
            place.mkdir(exist_ok=True)
            _bind(entry.path, place)
        else:
            place.touch()
            _bind(entry.path, place)
    _bind(str(stand_in), "/opt")


def _start_job(spec: Spec) -> int:
    pid = os.fork()
    if pid == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if spec["isolate"]:  # or a job of root could mount its inputs anew, writable
            _libc().prctl(_PR_CAPBSET_DROP, _CAP_SYS_ADMIN)
        try:
            os.chdir(spec["cwd"] if Path(spec["cwd"]).is_dir() else "/")
            os.execvpe(spec["command"][0], spec["command"], os.environ)
        except OSError as error:
            sys.stderr.write(f"cannot start {spec['command'][0]!r}: {error.strerror}\n")
            sys.stderr.flush()
            os._exit(127 if error.errno == 2 else 126)
    return pid


def _wait_for(pid: int) -> int:
    """Reap everything until ``pid`` ends, passing SIGTERM on to it; its exit code as a shell gives it."""
    signal.signal(signal.SIGTERM, lambda number, frame: _signal(pid, number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    while True:
        ended, status = os.wait()
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _die_with_parent(libc: ctypes.CDLL, number: int) -> None:
    """Be sent a signal when the parent dies, even if that is happening just now."""
    parent = os.getppid()
    libc.prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(137)


def _isolated(spec: Spec, status: int) -> int:
    """Supervisor and first process of the namespaces; returns the job's exit code."""
    libc = _libc()
    _die_with_parent(libc, signal.SIGKILL)
    try:
        _enter_namespaces()
    except OSError as error:
        os.write(status, f"no namespaces: {error}".encode())
        return 125
    pid = os.fork()
    if pid != 0:
        return _wait_for(pid)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        _lay_out(spec)
    except OSError as error:
        os.write(status, f"no private mounts: {error}".encode())
        os._exit(125)
    os.write(status, b"ok")
    os.set_inheritable(status, False)
    # the first process of a namespace must not end before the job, and takes all others with it when it does
    os._exit(_wait_for(_start_job(spec)))


def _children_of_self() -> Iterator[int]:
    own = os.getpid()
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == own and fields[0] != "Z":
                yield int(entry)


def _kill_descendants() -> None:
    """Orphans come to a subreaper, so killing children until there are none reaches every descendant."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        children = list(_children_of_self())
        if not children:
            return
        for child in children:
            _signal(child, signal.SIGKILL)
        for _ in children:
            try:
                os.wait()
            except ChildProcessError:
                return


def _plain(spec: Spec, status: int) -> int:
    pid = 0

    def kill_all() -> None:
        if linux:
            _kill_descendants()
        elif pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def abandon(number: int, frame: object) -> None:
        kill_all()
        os._exit(137)

    # what SIGKILL is to a job in namespaces: only this process can end all that a job without them has started
    signal.signal(signal.SIGUSR1, abandon)
    linux = sys.platform == "linux"
    if linux:
        libc = _libc()
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
        _die_with_parent(libc, signal.SIGUSR1)
    os.write(status, b"ok")
    os.set_inheritable(status, False)
    pid = _start_job(spec)
    code = _wait_for(pid)
    kill_all()
    return code


def main() -> int:
    # a SIGTERM that comes before there is a job to pass it on to must wait, not get lost
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    spec, status = json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])
    return _isolated(spec, status) if spec["isolate"] else _plain(spec, status)


if __name__ == "__main__":
    raise SystemExit(main())

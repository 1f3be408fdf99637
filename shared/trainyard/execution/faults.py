"""Failures that are not the user's code: which of them the RetryPolicies of a step cover.

Source: AWS, "Retry policy for pipeline steps". A job whose program ends with another exit code than 0 is no fault.
"""

from __future__ import annotations

import errno

from trainyard.errors import DiskFull, DockerError, SetupError, SourceUnavailable, StoreBusy, UserError

SERVICE_FAULT = "Step.SERVICE_FAULT"
THROTTLING = "Step.THROTTLING"
JOB_INTERNAL_ERROR = "SageMaker.JOB_INTERNAL_ERROR"
CAPACITY_ERROR = "SageMaker.CAPACITY_ERROR"
RESOURCE_LIMIT = "SageMaker.RESOURCE_LIMIT"


class Fault(UserError):
    """Something that runs jobs here failed, and may do better the next time."""

    exception_type = JOB_INTERNAL_ERROR


class CapacityError(Fault):
    """What a job needs of this machine is taken: a port, for example."""

    exception_type = CAPACITY_ERROR


class ResourceLimit(Fault):
    """This machine has no more of what a job needs: memory, processes, open files, disk."""

    exception_type = RESOURCE_LIMIT


_OTHERS: tuple[tuple[type[UserError], str], ...] = (
    (SourceUnavailable, ""),  # for somebody to say where it is
    (SetupError, JOB_INTERNAL_ERROR),
    (DockerError, JOB_INTERNAL_ERROR),
    (DiskFull, RESOURCE_LIMIT),
    (StoreBusy, THROTTLING),
)
_LIMITS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT)


def exception_type(error: UserError) -> str:
    """The ExceptionType that a retry policy names it by, or nothing for what another attempt cannot mend."""
    if isinstance(error, Fault):
        return error.exception_type
    return next((name for kind, name in _OTHERS if isinstance(error, kind)), "")


def of_system(error: OSError) -> Fault | None:
    """The fault that an error of the operating system is; None for one that no job can cause."""
    if error.errno == errno.EADDRINUSE:
        return CapacityError(f"an address is in use: {error}")
    return ResourceLimit(f"this machine has no more to give: {error}") if error.errno in _LIMITS else None

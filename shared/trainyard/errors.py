"""Every failure that a user can cause or meet, each with the exit code it ends the process with.

    UserError                      1  base: printed as one line, never as a traceback
    ├── UsageError                 2  the command line itself is wrong
    ├── ManifestError             10  family.toml: a key or value is wrong
    ├── UnknownFamily             11  no such family under containers/
    ├── DefinitionError           12  the pipeline definition is malformed or inconsistent
    ├── Unsupported               13  the definition asks for what cannot run here
    ├── ParameterError            14  a pipeline parameter: unknown, missing, wrong type or not in its enum
    ├── ExpressionError           15  a reference has no value at run time
    ├── BuildspecError            16  buildspec.yml is malformed
    ├── SetupError                20  an environment could not be prepared
    ├── SourceUnavailable         35  (a SetupError) the source of a package that is on no index
    ├── StoreError                21  the store: a bad URI or key, a missing object
    ├── DiskFull                  22  no space left where the store lives
    ├── NotFound                  23  no such execution, step, group or package
    ├── DataError                 24  input data given on the command line
    ├── RegistryError             25  a model package cannot be changed as asked
    ├── EndpointError             26  serving: port in use, start-up failed, request refused
    ├── DockerError               27  Docker Engine is absent, or refuses what it was asked
    ├── ImageError                28  an image could not be built
    ├── ImageRegistryError        29  an image registry: not reached, no access, a manifest that SageMaker refuses
    ├── AlreadyExists             32  a name that is taken
    ├── Conflict                  33  not possible in the state that a job, endpoint or execution is in
    ├── ExecutionFailed           30  the execution ended as Failed
    ├── CheckFailed               31  an image breaks the container contract
    ├── StoreBusy                 34  (a StoreError) another process keeps the store to itself
    └── ExecutionStopped         130  the execution was stopped (Ctrl-C)

A message says the bad value, where it was, what was possible and what to do.
"""

from __future__ import annotations


class UserError(Exception):
    """An expected failure; ``str(error)`` is what the user reads."""

    exit_code = 1


class UsageError(UserError):
    exit_code = 2


class ManifestError(UserError):
    exit_code = 10


class UnknownFamily(UserError):
    exit_code = 11


class DefinitionError(UserError):
    exit_code = 12


class Unsupported(UserError):
    exit_code = 13


class ParameterError(UserError):
    exit_code = 14


class ExpressionError(UserError):
    exit_code = 15


class BuildspecError(UserError):
    exit_code = 16


class SetupError(UserError):
    exit_code = 20


class SourceUnavailable(SetupError):
    exit_code = 35


class StoreError(UserError):
    exit_code = 21


class StoreBusy(StoreError):
    exit_code = 34


class DiskFull(UserError):
    exit_code = 22


class NotFound(UserError):
    exit_code = 23


class DataError(UserError):
    exit_code = 24


class RegistryError(UserError):
    exit_code = 25


class EndpointError(UserError):
    exit_code = 26


class DockerError(UserError):
    exit_code = 27


class ImageError(UserError):
    exit_code = 28


class ImageRegistryError(UserError):
    exit_code = 29


class AlreadyExists(UserError):
    exit_code = 32


class Conflict(UserError):
    exit_code = 33


class ExecutionFailed(UserError):
    exit_code = 30


class CheckFailed(UserError):
    exit_code = 31


class ExecutionStopped(UserError):
    exit_code = 130

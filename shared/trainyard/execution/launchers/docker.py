"""The launcher with Docker: a job's hosts as containers of an image, on a private network of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from trainyard.errors import DockerError
from trainyard.execution.images import Images
from trainyard.execution.launchers import containers
from trainyard.execution.launchers.containers import RunningContainer
from trainyard.execution.launchers.docker_serving import ServingContainer
from trainyard.execution.launchers.forwarding import reachable
from trainyard.execution.launchers.supervise import supervise
from trainyard.execution.request import Ended, JobRequest, Mount, StagedHost, StopSignal
from trainyard.execution.targets import Target
from trainyard.images.engine import Engine
from trainyard.in_image.opt_ml import DEFAULT_BASE, OptMl


class DockerLauncher:
    """Launcher for ``docker:IMAGE`` targets; ``home`` is the folder of the store that the jobs are of."""

    def __init__(self, images: Images, home: Path) -> None:
        self._images = images
        self._home = home

    def __call__(
        self, request: JobRequest, hosts: Sequence[StagedHost], stop: StopSignal, tick: Callable[[], None]
    ) -> Ended:
        engine = self._images.engine
        with ExitStack() as owned:
            labels = owned.enter_context(containers.owning(engine, self._home, hosts[0].folder.parent))
            network = self._network(engine, request, labels)
            environment = owned.enter_context(reachable(engine, network, request.platform_environment))
            made = [
                _create(
                    engine, request, host, environment,
                    [*labels, "--hostname", host.name, *self._connect(host, network)],
                )
                for host in hosts
            ]  # fmt: skip
            running = [
                RunningContainer(engine, container, host.log)
                for container, host in zip(made, hosts, strict=True)
            ]
            return supervise(request, running, stop, tick)

    def sweep(self) -> None:
        """Remove what jobs left running whose process died. Raises DockerError."""
        if any(self._home.glob("jobs/*/docker.lock")):
            containers.sweep(self._images.engine, self._home)

    def serving(self, target: Target, folder: Path, environment: Mapping[str, str]) -> ServingContainer:
        """What will serve a model. Raises DockerError or ImageError where its image cannot be had."""
        self._images.ensure(target.name)
        return ServingContainer(self._images.engine, self._home, target, folder, environment)

    def _network(self, engine: Engine, request: JobRequest, labels: Sequence[str]) -> str:
        """The network that a job's hosts share."""
        try:
            return engine.run("network", "create", *labels, request.name).strip()
        except DockerError as error:
            if "address pool" not in str(error):
                raise
            raise DockerError(
                f"{error}; Docker Engine has room for about 30 networks: `docker network prune` removes those "
                "that nobody uses, default-address-pools in its daemon.json makes room for more"
            ) from error

    def _connect(self, host: StagedHost, network: str) -> Sequence[str]:
        """Options by which a host joins it, and anything else that its container is to have."""
        return ("--network", network, "--network-alias", host.name)


def _create(
    engine: Engine,
    request: JobRequest,
    host: StagedHost,
    platform_environment: Mapping[str, str],
    options: Sequence[str],
) -> str:
    entrypoint, command = _command(request)
    return containers.create(
        engine,
        request.target.name,
        command,
        options=["--name", f"{request.name}-{host.name}", *options, *entrypoint],
        mounts=[*_folders(host), *host.mounts],
        environment={**platform_environment, **request.environment},
        scratch=host.folder,
    )


def _command(request: JobRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Options and arguments (AWS: "How Amazon SageMaker runs your training image", AppSpecification).

    ContainerEntrypoint takes the place of the image's own; without it the image's gets ``train`` in
    training jobs, and in processing jobs the image's own command, unless there are ContainerArguments.
    """
    if request.command and not request.arguments_only:
        return ("--entrypoint", request.command[0]), request.command[1:]
    return (), request.command or (("train",) if request.kind == "Training" else ())


def _folders(host: StagedHost) -> list[Mount]:
    """What stands for ``/opt/ml``, child by child: the image's own ``/opt/ml/code`` stays visible."""
    own = OptMl(host.ml)
    return [
        Mount(source=folder, container_path=f"{DEFAULT_BASE}/{folder.name}", read_only=False)
        for folder in sorted(host.ml.iterdir())
        if folder != own.code or any(folder.iterdir())
    ]

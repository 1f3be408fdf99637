"""What the image's configuration says: entry point, labels, port, user, volumes, architecture, size.

Sources: AWS SageMaker Developer Guide, "How Amazon SageMaker runs your training image", "Custom inference
code with hosting services", "Build your own container for SageMaker multi-model endpoints", "Serverless
inference: container size"; Amazon ECR service quotas. CMD is always overridden and HEALTHCHECK never looked
at there, so neither matters.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from trainyard.images.recipe import REVISION, SOURCE_DIGEST
from trainyard.in_image.opt_ml import DEFAULT_BASE
from trainyard.preflight.checks import Finding
from trainyard.preflight.subject import Still

SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh")
INITS = ("tini", "tini-static", "dumb-init", "docker-init", "catatonit", "s6-svscan", "init")
_EXEC_FORM = 'write it in exec form, for example ENTRYPOINT ["/usr/bin/env"]'
_CAPABILITY = "com.amazonaws.sagemaker.capabilities"
_GIB = 2**30
_SERVERLESS_LIMIT = 10 * _GIB


def shell_form(entrypoint: tuple[str, ...]) -> bool:
    """``ENTRYPOINT a b`` is stored as ``/bin/sh -c "a b"``, which takes no arguments and passes no signals on."""
    return len(entrypoint) == 3 and posixpath.basename(entrypoint[0]) in SHELLS and entrypoint[1] == "-c"


def entry_point(still: Still) -> Iterator[Finding]:
    entrypoint = still.image.entrypoint
    if shell_form(entrypoint):
        yield Finding(
            rule="shell-form",
            message=f"ENTRYPOINT is in shell form, {list(entrypoint)}: the shell drops the argument `train` or `serve` "
            f"and does not pass SIGTERM on; {_EXEC_FORM}",
        )
    elif entrypoint and posixpath.basename(entrypoint[0]) in INITS:
        yield Finding(
            rule="init",
            severity="warning",
            message=f"ENTRYPOINT {list(entrypoint)} is an init process, which SageMaker does not support there because "
            f"it mistakes `train` and `serve` for its own; {_EXEC_FORM}",
        )


def labels(still: Still) -> Iterator[Finding]:
    found, family = still.image.labels, still.family

    def lacks(name: str, why: str, *, error: bool = False) -> Iterator[Finding]:
        if not found.get(name):
            severity = "error" if error else "warning"
            yield Finding(rule="label", severity=severity, message=f"label {name} is missing: {why}")  # type: ignore[arg-type]
        elif name.startswith(_CAPABILITY) and found[name] != "true":
            yield Finding(rule="label", message=f'label {name} is "{found[name]}"; it must be "true"')

    if family.serving.multi_model:
        why = "family.toml says serving.multi_model = true, and SageMaker starts no multi-model endpoint without it"
        yield from lacks(
            f"{_CAPABILITY}.multi-models", f'{why}; add LABEL {_CAPABILITY}.multi-models="true"', error=True
        )
    elif found.get(f"{_CAPABILITY}.multi-models") == "true":
        yield Finding(
            rule="label",
            message=f"label {_CAPABILITY}.multi-models is there, but family.toml says serving.multi_model = false",
        )
    yield from lacks(
        f"{_CAPABILITY}.accept-bind-to-port",
        f"the image cannot share an instance with others; if serve obeys SAGEMAKER_BIND_TO_PORT, add LABEL "
        f'{_CAPABILITY}.accept-bind-to-port="true"',
        error=family.serving.multi_model,
    )
    source = "nobody can tell what the image was made from; `trainyard build` sets it"
    yield from lacks(SOURCE_DIGEST, source)
    yield from lacks(REVISION, source)
    title = found.get("org.opencontainers.image.title")
    if title and title != family.name and found.get(SOURCE_DIGEST):
        yield Finding(rule="label", message=f"this is an image of {title}, not of {family.name}")


def settings(still: Still) -> Iterator[Finding]:
    """Port, user, volumes."""
    image = still.image
    others = [port for port in image.ports if port != "8080/tcp"]
    if others and "8080/tcp" not in image.ports:
        yield Finding(
            rule="port",
            severity="warning",
            message=f"EXPOSE {', '.join(others)}: SageMaker asks port 8080, whatever is exposed; "
            "serve must listen there",
        )
    user = image.user.partition(":")[0]
    if user not in ("", "0", "root"):
        yield Finding(
            rule="user",
            message=f"USER {image.user}: SageMaker runs containers as root and mounts folders that only root "
            "may write; remove the USER line",
        )
    for volume in still.volumes:
        if f"{posixpath.normpath(volume)}/".startswith(f"{DEFAULT_BASE}/") or DEFAULT_BASE.startswith(
            f"{volume}/"
        ):
            yield Finding(
                rule="volume",
                message=f"VOLUME {volume}: Docker puts an empty anonymous volume in the way of what SageMaker mounts "
                f"below {DEFAULT_BASE}; remove the VOLUME line",
            )


def machine(still: Still) -> Iterator[Finding]:
    """Architecture and size."""
    image, possible = still.image, still.family.image.architectures
    if image.architecture not in possible:
        yield Finding(
            rule="architecture",
            message=f"the image is for {image.architecture}; family.toml says image.architectures = {list(possible)}; "
            f"build it with --platform linux/{possible[0]}",
        )
    if image.size > _SERVERLESS_LIMIT:
        yield Finding(
            rule="size",
            severity="warning",
            message=f"the image has {image.size / _GIB:.1f} GiB: above 10 serverless endpoints refuse it, and "
            "every job waits for its download; leave out what training and serving do not need",
        )

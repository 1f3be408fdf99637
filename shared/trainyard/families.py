"""Find the families under containers/ and read their family.toml; nothing of a family is ever imported."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainyard import manifest
from trainyard.errors import ManifestError, UnknownFamily
from trainyard.readers import closest


def repository_root() -> Path:
    return Path(__file__).resolve().parents[2]


def find_families(root: Path) -> dict[str, Family]:
    """All families by name, in order of name.

    Raises ManifestError with every problem of every family.toml, one per line.
    """
    families, problems = {}, []
    for folder in _folders(root):
        try:
            families[folder.name] = load(folder)
        except ManifestError as error:
            problems.append(str(error))
    if problems:
        raise ManifestError("\n".join(problems))
    return families


def find_family(root: Path, name: str) -> Family:
    """One family, whatever may be wrong with the others; raises UnknownFamily or ManifestError."""
    names = [folder.name for folder in _folders(root)]
    if name not in names:
        raise UnknownFamily(
            f"no family {name!r} under containers/{closest(name, names)}; "
            f"there are: {', '.join(names) or 'none yet (trainyard new NAME makes one)'}"
        )
    return load(root / "containers" / name)


def load(folder: Path) -> Family:
    """Read and check ``folder/family.toml``.

    Raises ManifestError: a line ``containers/<name>/family.toml: <key> = <value>: <what was possible>``
    for each problem.
    """
    file = folder / "family.toml"
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ManifestError(f"{_place(file)}: there is no such file") from error
    except ValueError as error:
        raise ManifestError(f"{_place(file)}: not TOML: {error}") from error
    return parse(document, folder)


def parse(document: Mapping[str, Any], folder: Path) -> Family:
    """The family that the text of a family.toml in ``folder`` describes; raises ManifestError."""
    problems: list[str] = []
    read = manifest.read(document, problems)
    if not problems:
        _check_folder(read, folder, problems)
    if problems:
        place = _place(folder / "family.toml")
        raise ManifestError("\n".join(f"{place}: {problem}" for problem in problems))
    training = read["training"]
    return Family(
        name=read["name"],
        owner=read["owner"],
        description=read["description"],
        folder=folder,
        image=Image(**{**read["image"], "sources": tuple(Source(**one) for one in read["image"]["sources"])}),
        training=Training(
            instance=training["instance"],
            spot=training["spot"],
            checkpoint=training["checkpoint"],
            metrics=tuple(Metric(**metric) for metric in training["metrics"]),
            hyperparameters=tuple(
                Hyperparameter(name=name, **one) for name, one in training["hyperparameters"].items()
            ),
        ),
        serving=Serving(**read["serving"]),
        example=Example(**read["example"]),
    )


def _folders(root: Path) -> list[Path]:
    return sorted(file.parent for file in root.glob("containers/*/family.toml"))


def _place(file: Path) -> str:
    return "/".join(file.parts[-3:])


def _check_folder(read: Mapping[str, Any], folder: Path, problems: list[str]) -> None:
    if read["name"] != folder.name:
        problems.append(f'name = "{read["name"]}": must be the name of its folder, {folder.name}')
    for key in ("generate", "request", "answer", "bad_requests"):
        if not (folder / read["example"][key]).is_file():
            problems.append(f'example.{key} = "{read["example"][key]}": there is no such file in the folder')


@dataclass(frozen=True, kw_only=True)
class Source:
    """A package that is on no index: ``variable`` of the environment says where it comes from, else ``default``.

    ``compiled``: building it takes a C++ compiler.
    """

    package: str
    variable: str
    default: str
    compiled: bool


@dataclass(frozen=True, kw_only=True)
class Image:
    """``base`` is pinned: ``name:tag@sha256:<digest>``; ``sources`` are installed after the lock."""

    base: str
    architectures: tuple[str, ...]
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One of SageMaker's MetricDefinitions; the regular expression's one group holds the number."""

    name: str
    regex: str


@dataclass(frozen=True, kw_only=True)
class Hyperparameter:
    """SageMaker's ParameterRange: ``values`` of a categorical one, ``range`` (min, max) of a number.

    ``type`` is categorical, integer, continuous or text.
    """

    name: str
    type: str
    default: str | int | float
    meaning: str
    values: tuple[str, ...]
    range: tuple[float, float] | None
    scale: str | None


@dataclass(frozen=True, kw_only=True)
class Training:
    """``checkpoint`` is the folder that is kept across interruptions, as the container spells it."""

    instance: str
    spot: bool
    checkpoint: str | None
    metrics: tuple[Metric, ...]
    hyperparameters: tuple[Hyperparameter, ...]


@dataclass(frozen=True, kw_only=True)
class Serving:
    server: str
    content_types: tuple[str, ...]
    accept: tuple[str, ...]
    instance: str
    multi_model: bool


@dataclass(frozen=True, kw_only=True)
class Example:
    """Files relative to the family's folder; ``parameters`` are pipeline parameters of the example run."""

    generate: str
    request: str
    answer: str
    bad_requests: str
    target_model: str | None
    parameters: Mapping[str, str | int | float | bool]


@dataclass(frozen=True, kw_only=True)
class Family:
    name: str
    owner: str
    description: str
    folder: Path
    image: Image
    training: Training
    serving: Serving
    example: Example

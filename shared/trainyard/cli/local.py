"""What commands that run things share: the store, the families, an executor, and how a run is told about."""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainyard.errors import ExecutionFailed, ExecutionStopped, UsageError, UserError
from trainyard.execution.events import Note, Watcher
from trainyard.execution.s3 import parse_uri
from trainyard.execution.state import Row
from trainyard.execution.store import Store, describe_execution
from trainyard.execution.targets import Targets, parse_mapping
from trainyard.families import Family, find_families, repository_root

if TYPE_CHECKING:
    from trainyard.execution.begun import Finished
    from trainyard.execution.machine import Machine

_MOST_NUMBERS = 20


class Local:
    """One command's view of this machine."""

    def __init__(self, watch: Watcher, mappings: Sequence[str] = (), launcher: str | None = None) -> None:
        # here, or `run --help` would wait for them
        from trainyard.execution.environments import Environments
        from trainyard.execution.executor import Executor
        from trainyard.execution.images import Images
        from trainyard.execution.launchers.by_target import ByTarget
        from trainyard.execution.launchers.docker import DockerLauncher
        from trainyard.execution.launchers.venv import VenvLauncher
        from trainyard.local_aws.record import Record

        self.root = repository_root()
        self.families = find_families(self.root)
        self.store = Store()

        def say(text: str) -> None:
            watch(Note(step="", text=text))

        self.environments = Environments(self.store.home / "venvs", say)
        mapped = dict(parse_mapping(text, self.families) for text in mappings)
        images = Images(self.root, say)
        self.targets = Targets(mapped, self.families, self.root, images, as_images=launcher == "docker")
        in_venvs = VenvLauncher(self.environments, self.families)
        self._in_images = DockerLauncher(images, self.store.home)
        self.launcher = ByTarget({"family": in_venvs, "venv": in_venvs, "docker": self._in_images})
        running = Record(self.store.home).read()  # whose jobs may ask it, those of this command as well
        endpoint_url = running.url if running else ""
        self.executor = Executor(self.store, self.launcher, self.targets, watch, endpoint_url=endpoint_url)

    def sweep(self) -> None:
        """Remove the containers of jobs whose process died, where there is an engine."""
        with suppress(UserError):
            self._in_images.sweep()

    def machine(self, endpoint_url: str) -> Machine:
        """A machine of its own whose jobs find the local AWS endpoint at that address."""
        from trainyard.execution.machine import Machine

        targets = Targets(
            self.targets.mapped,
            self.families,
            self.root,
            self.targets.images,
            as_images=self.targets.as_images,
        )
        return Machine(store=self.store, launcher=self.launcher, targets=targets, endpoint_url=endpoint_url)

    def definition(self, family: Family, watch: Watcher) -> dict[str, Any]:
        from pipelines import compile as compiler

        note = Note(step="", text="compiling the pipeline with the SageMaker SDK (once)")
        patience = threading.Timer(0.5, watch, [note])
        patience.start()
        try:
            return compiler.cached_definition(family, self.store.home / "compiled")
        finally:
            patience.cancel()
            watch(Note(step="", text=""))


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="PATH", help="raw data: a file, a folder or an s3:// URI")
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a pipeline parameter; may be repeated",
    )
    parser.add_argument(
        "--map",
        metavar="IMAGE=TARGET",
        action="append",
        default=[],
        help="what stands for an image: a family, venv:PATH or docker:IMAGE; may be repeated",
    )
    add_with_argument(parser)
    parser.add_argument("--json", action="store_true", help="print JSON at the end, and progress to stderr")


def add_with_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--with",
        choices=("venv", "docker"),
        help="what families run in: virtual environments (default), or their images in Docker",
    )


def settings(texts: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` texts as parameters; raises UsageError."""
    values = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise UsageError(f"--set {text!r}: write NAME=VALUE, for example --set Horizon=14")
        values[name] = value
    return values


def result(store: Store, execution: str) -> dict[str, Any]:
    """An execution as JSON: its steps, the packages it registered, the reports it wrote."""
    row = store.execution(execution)
    steps = store.state.steps(row["id"])
    document = describe_execution(row, steps)
    document["ModelPackages"] = [
        {
            "ModelPackageArn": step["result"]["ModelPackageArn"],
            "ModelApprovalStatus": step["result"].get("ModelApprovalStatus"),
            "Metrics": store.registry.metrics(step["result"]["ModelPackageArn"]),
        }
        for step in steps
        if step["kind"] == "RegisterModel" and step["status"] == "Succeeded"
    ]
    document["FinalMetrics"] = {
        step["name"]: {item["MetricName"]: item["Value"] for item in step["result"]["FinalMetricDataList"]}
        for step in steps
        if step["kind"] == "Training" and step["result"]
    }
    document["ManagedSpot"] = {
        step["name"]: _spot(step["result"])
        for step in steps
        if step["result"] and step["result"].get("EnableManagedSpotTraining")
        if not step["cache_source"] and not step["selected_from"]
    }
    document["PropertyFiles"] = _property_files(store, row, steps)
    uris = [uri for step in steps for uri in step["outputs"] or {} if uri.endswith("/report.html")]
    document["Reports"] = [str(store.objects.path(parse_uri(uri))) for uri in uris]
    return document


def _spot(job: Mapping[str, Any]) -> dict[str, int]:
    """What managed spot training took, is billed and was interrupted, as DescribeTrainingJob says it."""
    transitions = [transition["Status"] for transition in job["SecondaryStatusTransitions"]]
    times = {name: job[name] for name in ("TrainingTimeInSeconds", "BillableTimeInSeconds")}
    return {**times, "Interruptions": transitions.count("Interrupted")}


def _property_files(store: Store, row: Row, steps: Sequence[Row]) -> dict[str, dict[str, float]]:
    """The numbers in the property files of processing steps: what conditions judge by."""
    from trainyard.definition import document as documents
    from trainyard.execution.scope import ExecutionScope

    document = documents.parse(row["definition"])
    scope = ExecutionScope(
        store=store,
        document=document,
        parameters=row["parameters"],
        execution_id=row["id"],
        pipeline=row["pipeline"],
        started=row["started"],
    )
    found = {}
    for step in steps:
        known = document.by_name.get(step["name"]) if step["status"] == "Succeeded" else None
        for file in known.property_files if known else ():
            with suppress(UserError):  # one that the job did not write troubles only who asks for it
                numbers = dict(_numbers(scope.property_file(step["name"], file.name)))
                found[file.name] = dict(list(numbers.items())[:_MOST_NUMBERS])
    return found


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number in a JSON object with its path; lists are left out."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{path}.{key}" if path else str(key))


def finish(store: Store, finished: Finished, *, as_json: bool) -> int:
    """Print what came of a run. Raises ExecutionFailed or ExecutionStopped, which say how to go on."""
    document = result(store, finished.execution)
    if as_json:
        print(json.dumps(document, indent=2), flush=True)
    else:
        from trainyard.cli.summary import summary

        print(summary(document), flush=True)
    resume = f"go on with: trainyard run --resume {finished.execution}"
    if finished.status == "CompletedWithFailures":
        raise ExecutionFailed(
            f"execution {finished.execution} is over, and what was to run after a failure has run; {finished.reason}"
        )
    if finished.status == "Stopped":
        raise ExecutionStopped(f"execution {finished.execution} was stopped; {resume}")
    if finished.status == "Failed":
        jobs = [
            step
            for step in store.state.steps(finished.execution)
            if step["status"] == "Failed" and step["job"]
        ]
        hint = (
            f"; see: trainyard logs {finished.execution} {jobs[0]['name']}; with other data or --set, run it anew "
            f"(what succeeded comes from the cache); otherwise, when mended, {resume}"
            if jobs
            else ""
        )
        raise ExecutionFailed(f"{finished.reason}{hint}")
    return 0


def read_definition(file: str) -> dict[str, Any]:
    """The JSON of a definition file; raises UsageError."""
    from trainyard.definition import document as documents

    try:
        text = Path(file).read_text(encoding="utf-8-sig")
        document = json.loads(text, object_pairs_hook=documents.unique_keys)
    except RecursionError:
        raise UsageError(f"--definition {file!r} is nested too deeply to be read") from None
    except OSError as error:
        raise UsageError(f"--definition {file!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"--definition {file!r} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"--definition {file!r} is not a pipeline definition: it holds no JSON object")
    return document

"""The contract of ``serve``, tried in containers: starting, answering, refusing, stopping.

Sources: AWS SageMaker Developer Guide, "Custom inference code with hosting services", "Custom inference
code with batch transform", "Container contract for multi-model endpoints".
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from trainyard.errors import CheckFailed, EndpointError, UserError
from trainyard.execution.hosting import ModelServer
from trainyard.families import Family
from trainyard.preflight import hosted, multi_model
from trainyard.preflight.bench import Bench
from trainyard.preflight.checks import Check, Finding
from trainyard.preflight.isolation import IsolatedServing
from trainyard.preflight.requests import difference, refusal_fault
from trainyard.preflight.training import EXAMPLE

START = "serve: starts, /ping, the model"
ANSWER = "serve: the example's request"
_AT_ONCE = 8
_PORT, _OTHER_PORT = 8080, 8231
_BINDS = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"
_LONGEST_WAIT = 60.0


def starts(bench: Bench) -> Iterator[Finding]:
    """/ping is answered with 200 within the 8 minutes that SageMaker waits, each time within 2 seconds."""
    bench.endpoint = hosted.make(bench)
    try:
        bench.client = hosted.start(bench, bench.endpoint)
    except UserError:
        bench.close()
        raise
    yield from ()


def answers(bench: Bench) -> Iterator[Finding]:
    reply = bench.asking.invoke(bench.asking.example)
    if reply.status != 200:
        yield Finding(
            rule="invocation",
            message=f"the example's request was answered with {reply.status}: {reply.body[:200]!r}",
        )
    elif fault := difference(reply.body, bench.asking.expected()):
        yield Finding(rule="answer", message=f"the example's request was answered with 200, but {fault}")


def refuses(bench: Bench) -> Iterator[Finding]:
    """The example's bad requests, and a content type that nobody knows."""
    cases = [*bench.asking.bad_requests]
    cases.append(
        {"name": "unknown content type", "content_type": "application/x-unknown", "body": "x", "status": 415}
    )
    for case in cases:
        if "target_model" in case and not bench.asking.many:
            continue
        model = case.get("target_model", "")
        reply = bench.asking.invoke(case["body"].encode(), case["content_type"], model)
        if fault := refusal_fault(reply, (case["status"],)):
            yield Finding(
                rule="bad-request", message=f"bad request {case['name']!r} was answered with {fault}"
            )


def does_not_unpickle(bench: Bench) -> Iterator[Finding]:
    """An array whose pickle would leave a file and a line in the log, if anybody executed it."""
    mark = f"unpickled-{secrets.token_hex(6)}"
    reply = bench.asking.invoke(pickled_array(f"touch /tmp/{mark}; echo {mark} >&2"), "application/x-npy")
    time.sleep(0.2)  # a line needs a moment from there to the log
    container = hosted.container_id(bench, bench.endpoint_running)
    changed = bench.engine.run("diff", container) if container else ""
    if mark in changed or mark in bench.endpoint_running.log.read_text(errors="replace"):
        yield Finding(
            rule="unpickles",
            message="application/x-npy with a pickle in it: the code in it was executed, so everybody who may send "
            "requests can run programs there; read arrays with numpy.load(..., allow_pickle=False)",
        )
    if not 400 <= reply.status < 500:
        yield Finding(
            rule="npy",
            message=f"application/x-npy with a pickle in it was answered with {reply.status} instead of 4xx",
        )


def pickled_array(command: str) -> bytes:
    """An npy file of one object, whose pickle runs a shell command when it is read."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return (
        b"\x93NUMPY\x01\x00"
        + len(header).to_bytes(2, "little")
        + header
        + f"cposix\nsystem\n(V{command}\ntR.".encode()
    )


def offers(bench: Bench) -> Iterator[Finding]:
    """/execution-parameters, which batch transform asks for and which may be absent; 404 for what there is not."""
    reply = bench.asking.ask("GET", "/execution-parameters")
    try:
        content = json.loads(reply.body) if reply.status == 200 else {}
        complete = {"MaxConcurrentTransforms", "BatchStrategy", "MaxPayloadInMB"} <= content.keys()
    except (ValueError, AttributeError):
        complete = False
    if reply.status != 200 or not complete:
        absent = reply.status == 404
        yield Finding(
            rule="execution-parameters",
            severity="warning" if absent else "error",
            message=f"GET /execution-parameters was answered with {reply.status}, {reply.body[:100]!r}; batch "
            "transform takes 200 and JSON with MaxConcurrentTransforms, BatchStrategy and MaxPayloadInMB, or "
            "does without",
        )
    reply = bench.asking.ask("GET", "/no/such/path")
    if reply.status != 404:
        yield Finding(
            rule="unknown-path", message=f"GET /no/such/path was answered with {reply.status} instead of 404"
        )


def answers_many_at_once(bench: Bench) -> Iterator[Finding]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        replies = list(pool.map(lambda _: bench.asking.invoke(bench.asking.example), range(_AT_ONCE)))
    bad = [reply for reply in replies if reply.status != 200]
    if bad:
        yield Finding(
            rule="at-once",
            message=f"{len(bad)} of {_AT_ONCE} requests at once were refused, the first with {bad[0].status}: "
            f"{bad[0].body[:200]!r}",
        )


def starts_again(bench: Bench) -> Iterator[Finding]:
    """Killed and started again, it answers as before."""
    container = bench.endpoint_running
    bench.engine.run("kill", "--signal", "KILL", hosted.container_id(bench, container))
    container.stop()
    bench.client = hosted.start(bench, container)
    yield from answers(bench)


def stops(bench: Bench) -> Iterator[Finding]:
    container = bench.endpoint_running
    container.stop()
    ended, bench.endpoint, bench.client = container.ended(), None, None
    if not ended.startswith("exit code 0:"):
        slow = ended.startswith("exit code 137:")
        yield Finding(
            rule="sigterm",
            message=f"after SIGTERM serve {'had to be killed after 30 s' if slow else 'ended with ' + ended}; it "
            "must end by itself with exit code 0: let it be process 1 (exec) and handle SIGTERM",
        )


def isolated(bench: Bench) -> Iterator[Finding]:
    """As SageMaker's network isolation has it, and less: a read-only root file system, no capabilities, any user."""
    yield from _elsewhere(
        bench, _PORT, {}, "isolated", "without a way out, read-only and as an arbitrary user"
    )


def binds_to_port(bench: Bench) -> Iterator[Finding]:
    if bench.image.labels.get(_BINDS) == "true":
        variable = {"SAGEMAKER_BIND_TO_PORT": str(_OTHER_PORT)}
        why = f"with SAGEMAKER_BIND_TO_PORT={_OTHER_PORT}, which label {_BINDS} promises to obey,"
        yield from _elsewhere(bench, _OTHER_PORT, variable, "bind-to-port", why)


def _elsewhere(
    bench: Bench, port: int, environment: Mapping[str, str], rule: str, why: str
) -> Iterator[Finding]:
    variables = {**hosted.mode(bench), **environment}
    container = IsolatedServing(
        bench.engine, bench.store.home, bench.target, bench.scratch(), variables, port
    )
    hosted.place(bench, container)
    try:
        with hosted.running(bench, container) as client:
            reply = client.invoke(client.example)
    except (EndpointError, CheckFailed) as error:
        yield Finding(rule=rule, message=f"{why} serve does not work: {error}")
        return
    if reply.status != 200:
        yield Finding(
            rule=rule,
            message=f"{why} the example's request was answered with {reply.status}: {reply.body[:200]!r}",
        )


def fails_to_start(bench: Bench) -> Iterator[Finding]:
    """What cannot be served ends with an exit code and a line that says why, not with a /ping for nothing."""
    if not bench.family.serving.multi_model:
        empty = bench.serving_container(hosted.mode(bench))
        yield from _must_end(bench, empty, "with an empty /opt/ml/model", error=True)
    program = hosted.make(bench, {"SAGEMAKER_PROGRAM": "no_such_program.py"})
    yield from _must_end(bench, program, "with SAGEMAKER_PROGRAM=no_such_program.py", error=bench.is_ours)


def _must_end(bench: Bench, container: hosted.LaidOut, why: str, *, error: bool) -> Iterator[Finding]:
    message = ""
    try:
        ModelServer(container).start(min(bench.patience, _LONGEST_WAIT))
        message = f"{why} serve started and answered /ping; it must end, or requests come for which there is no model"
    except EndpointError:
        ended = container.ended()
        if ended.startswith("exit code 0:"):
            message = f"{why} serve ended with exit code 0; it must be another one"
        elif ended.startswith("exit code 137:"):
            message = f"{why} serve neither answered /ping nor ended; it must end with a line that says why"
        elif ended.endswith(": no output"):
            message = f"{why} serve ended without a word ({ended}); it must say why"
    finally:
        container.stop()
    if message:
        yield Finding(rule="start-failure", severity="error" if error else "warning", message=message)


def checks(family: Family) -> tuple[Check[Bench], ...]:
    """The checks that a family's server must pass, in their order."""
    many = (Check(name="serve: loading and unloading models", run=multi_model.manages, needs=(ANSWER,)),)
    return (
        Check(name=START, run=starts, needs=("serve", EXAMPLE)),
        Check(name=ANSWER, run=answers, needs=(START,)),
        Check(name="serve: bad requests", run=refuses, needs=(START,)),
        Check(name="serve: pickles in npy", run=does_not_unpickle, needs=(START,)),
        Check(name="serve: /execution-parameters, unknown paths", run=offers, needs=(START,)),
        Check(name="serve: several requests at once", run=answers_many_at_once, needs=(ANSWER,)),
        *(many if family.serving.multi_model else ()),
        Check(name="serve: killed and started again", run=starts_again, needs=(ANSWER,)),
        Check(name="serve: SIGTERM", run=stops, needs=(START,)),
        Check(name="serve: isolated, read-only, any user", run=isolated, needs=(ANSWER,)),
        Check(name="serve: another port", run=binds_to_port, needs=(ANSWER,)),
        Check(name="serve: what cannot be served", run=fails_to_start, needs=(START,)),
    )

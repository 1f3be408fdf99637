"""Transform jobs through a real container."""

from __future__ import annotations

import gzip
import json
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import wait_until
from trainyard.errors import NotFound, StoreError
from trainyard.execution import events
from trainyard.execution.s3 import parse_uri
from trainyard.execution.transform.engine import in_order
from trainyard.execution.work import WORK


def test_whole_objects_keep_their_names_below_the_prefix(submit, arguments, put, outputs, store) -> None:
    put(**{"a.txt": b"one\ntwo", "deep/b.txt": b"three", "empty": b""})
    lines = []
    document = submit(arguments(ContentType="text/plain", Accept="text/html"), watch=lines.append)
    assert document["TransformJobStatus"] == "Completed"
    assert document["TransformJobArn"].endswith(":transform-job/job")
    assert document["TransformStartTime"] <= document["TransformEndTime"]
    assert outputs() == {"a.txt.out": b"ONE\nTWO", "deep/b.txt.out": b"THREE", "empty.out": b""}
    [log] = store.logs("job")
    assert sorted(log.read_text().splitlines()) == [
        "request 5 text/plain text/html",
        "request 7 text/plain text/html",
    ]
    assert events.LogLine(step="job", host="algo-1", line="request 5 text/plain text/html") in lines
    assert [path.name for path in log.parent.iterdir() if "instance" in path.name] == []


def test_objects_of_any_size_are_sent_in_chunks_and_never_in_memory(
    submit, arguments, put, outputs, store
) -> None:
    content = bytes(range(256)) * 2**18  # 64 MB
    put(big=content, empty=b"")
    request = arguments(MaxPayloadInMB=0, ContentType="text/csv", Accept="text/html")
    tracemalloc.start()
    try:
        document = submit(request)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert document["TransformJobStatus"] == "Completed", document
    assert peak < 16 * 2**20
    assert outputs() == {"big.out": content, "empty.out": b""}
    [log] = store.logs("job")
    assert f"chunked {len(content)} text/csv text/html" in log.read_text()


@pytest.mark.parametrize(
    ("options", "requests", "output"),
    [
        ({"SplitType": "Line"}, [7], b"A\nB\nCC\n"),
        ({"SplitType": "Line", "AssembleWith": "Line"}, [7], b"A\nB\nCC\n"),
        ({"SplitType": "Line", "BatchStrategy": "SingleRecord"}, [1, 1, 2], b"ABCC"),
        ({"SplitType": "Line", "BatchStrategy": "SingleRecord", "AssembleWith": "Line"}, [1, 1, 2], b"A\nB\nCC\n"),
    ],
)  # fmt: skip
def test_lines_are_sent_and_put_together(
    submit, arguments, put, outputs, store, options, requests, output
) -> None:
    put(x=b"a\n\nb\ncc")
    submit(arguments(**options))
    assert outputs() == {"x.out": output}
    sizes = [int(line.split()[1]) for line in store.logs("job")[0].read_text().splitlines()]
    assert sorted(sizes) == sorted(requests)


def test_answers_keep_their_order_whatever_comes_first(submit, arguments, put, outputs) -> None:
    records = [b"later-%d" % n if n % 3 == 0 else b"soon-%d" % n for n in range(12)]
    put(x=b"\n".join(records))
    options = {"SplitType": "Line", "BatchStrategy": "SingleRecord", "AssembleWith": "Line"}
    submit(arguments(**options, MaxConcurrentTransforms=6))
    assert outputs()["x.out"].splitlines() == [record.upper() for record in records]


def test_a_bad_object_fails_the_job_and_only_its_own_output_is_missing(
    submit, arguments, put, outputs
) -> None:
    put(a=b"fine", b=b"good\nbad\n", c=b"fine too")
    document = submit(arguments(SplitType="Line"))
    assert document["TransformJobStatus"] == "Failed"
    assert document["FailureReason"] == (
        "ClientError: s3://bucket/in/b: the container answered 400: a bad record"
    )
    assert sorted(outputs()) == ["a.out", "c.out"]


def test_a_record_that_is_too_long_is_named(submit, arguments, put, outputs) -> None:
    put(x=b"ok\n" + b"x" * (1 << 20))
    reason = submit(arguments(SplitType="Line", MaxPayloadInMB=1))["FailureReason"]
    assert "s3://bucket/in/x: record 2 has 1048577 bytes, more than MaxPayloadInMB (1 MB)" in reason
    assert outputs() == {}


def test_failing_requests_are_tried_again_as_often_as_the_client_is_told(
    submit, arguments, put, outputs
) -> None:
    put(x=b"flaky")
    once = submit(arguments(ModelClientConfig={"InvocationsMaxRetries": 0}), "once")
    assert once["FailureReason"].endswith("the container answered 500: try again")
    assert submit(arguments(), "often")["TransformJobStatus"] == "Completed"
    assert outputs() == {"x.out": b"FLAKY"}


def test_an_answer_that_takes_too_long_is_a_failure(submit, arguments, put) -> None:
    put(x=b"slow")
    client = {"InvocationsMaxRetries": 0, "InvocationsTimeoutInSeconds": 1}
    reason = submit(arguments(ModelClientConfig=client))["FailureReason"]
    assert reason == "AlgorithmError: s3://bucket/in/x: the container did not answer within 1 s"


def test_gzip_is_unpacked_and_what_is_not_gzip_is_said(submit, arguments, put, outputs) -> None:
    put(**{"x.gz": gzip.compress(b"abc"), "y.gz": b"abc"})
    reason = submit(arguments(CompressionType="Gzip"))["FailureReason"]
    assert reason.startswith("ClientError: s3://bucket/in/y.gz: it is not gzip")
    assert outputs() == {"x.gz.out": b"ABC"}


def test_a_manifest_names_the_objects(submit, arguments, put, outputs, store) -> None:
    put(**{"a/x": b"x", "a/y": b"y", "a/z": b"z"})
    manifest = [{"prefix": "s3://bucket/in/"}, "a/x", "a/z"]
    store.objects.put_bytes(json.dumps(manifest).encode(), parse_uri("s3://bucket/list"))
    submit(arguments(S3DataType="ManifestFile", S3Uri="s3://bucket/list"))
    assert outputs() == {"a/x.out": b"X", "a/z.out": b"Z"}


def test_instances_share_the_keys_and_each_has_its_log(submit, arguments, put, outputs, store) -> None:
    put(a=b"1", b=b"22", c=b"333")
    assert submit(arguments(count=2))["TransformJobStatus"] == "Completed"
    assert outputs() == {"a.out": b"1", "b.out": b"22", "c.out": b"333"}
    logs = {path.stem: sorted(path.read_text().split()[1::4]) for path in store.logs("job")}
    assert logs == {"algo-1": ["1", "3"], "algo-2": ["2"]}


def test_joined_json_has_identifiers_and_manifests_where_they_are_captured(
    submit, arguments, put, outputs, store
) -> None:
    put(x=b'{"id": 1, "features": [1, 2]}\n{"id": 2, "features": [3]}\n')
    options = dict.fromkeys(("ContentType", "Accept"), "application/jsonlines")
    processing = {
        "InputFilter": "$.features",
        "JoinSource": "Input",
        "OutputFilter": "$['id','SageMakerOutput']",
    }
    capture = {"DestinationS3Uri": "s3://bucket/captured", "GenerateInferenceId": True}
    document = submit(
        arguments(
            **options,
            SplitType="Line",
            AssembleWith="Line",
            DataProcessing=processing,
            DataCaptureConfig=capture,
        ),
        Environment={"LABEL": "1"},
    )
    assert document["TransformJobStatus"] == "Completed", document
    first, second = map(json.loads, outputs()["x.out"].splitlines())
    assert (first["id"], first["SageMakerOutput"]) == (1, {"LABEL": [1, 2]})
    assert (second["id"], second["SageMakerOutput"]) == (2, {"LABEL": [3]})
    assert first["SageMakerInferenceId"] != second["SageMakerInferenceId"]
    captured = store.objects.list(parse_uri("s3://bucket/captured/"))
    assert [json.loads(item.path.read_text()) for item in captured] == [
        [{"prefix": "s3://bucket/in/"}, "x"], [{"prefix": "s3://bucket/out/"}, "x.out"],
    ]  # fmt: skip


def test_csv_rows_are_joined_by_position(submit, arguments, put, outputs) -> None:
    put(x=b'7,"a,b",c\r\n8,d,e\r\n')
    options = {"ContentType": "text/csv", "Accept": "text/csv", "SplitType": "Line", "AssembleWith": "Line"}
    processing = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    submit(arguments(**options, DataProcessing=processing), Environment={"COUNT": "1"})
    assert outputs() == {"x.out": b"7,7\n8,3\n"}


def test_a_stopped_job_stores_nothing(submit, arguments, put, outputs, store) -> None:
    put(a=b"quick", b=b"slow")
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(submit, arguments(MaxConcurrentTransforms=2))
        wait_until(lambda: any("request 4" in log.read_text() for log in store.logs("job")))
        store.recorder.stop("transform-job", "job")
        document = running.result(20)
    assert document["TransformJobStatus"] == "Stopped"
    assert outputs() == {}


def test_what_cannot_begin_says_so(submit, arguments, store, put) -> None:
    with pytest.raises(NotFound, match=r'Could not find model "arn.*model/other"'):
        submit({**arguments(), "ModelName": "other"})
    with pytest.raises(StoreError, match="no objects below s3://bucket/in/"):
        submit(arguments())
    assert store.resources.get("transform-job", "job")["TransformJobStatus"] == "Failed"
    assert WORK["Transform"].kind == "transform-job"


def test_results_come_in_the_order_of_the_items_and_no_more_wait_than_may() -> None:
    taken, release = [], threading.Event()

    def items():
        for number in range(20):
            taken.append(number)
            yield number

    with ThreadPoolExecutor(8) as pool:
        results = in_order(pool, lambda number: (release.wait(0.01 * (20 - number)), number)[1], items(), 4)
        assert next(results) == 0
        assert len(taken) == 4
        release.set()
        assert list(results) == list(range(1, 20))

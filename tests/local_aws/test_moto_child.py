from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.conftest import ROOT, wait_until
from trainyard.local_aws.moto_child import Moto


@pytest.fixture
def moto(tmp_path: Path) -> Iterator[Moto]:
    made = Moto(tmp_path / "db", tmp_path / "log")
    made.start()
    yield made
    made.close()


def test_its_services_answer_and_remember_after_a_kill(moto: Moto, serve, client, tmp_path: Path) -> None:
    url = serve(moto)
    assert client("sts", url).get_caller_identity()["Account"] == "000000000000"
    iam, sqs, ecr = client("iam", url), client("sqs", url), client("ecr", url)
    iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    full_access = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    iam.attach_role_policy(RoleName="r", PolicyArn=full_access)
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="m")
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "m"
    ecr.create_repository(repositoryName="trainyard/prophet", imageTagMutability="IMMUTABLE")
    topic = client("sns", url).create_topic(Name="t")["TopicArn"]
    before = moto._process
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    wait_until(lambda: moto._process is not before and moto._ready.is_set())
    assert iam.get_role(RoleName="r")["Role"]["Arn"] == "arn:aws:iam::000000000000:role/r"
    attached = iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [full_access]
    assert sqs.get_queue_url(QueueName="q")["QueueUrl"] == queue
    assert ecr.describe_repositories()["repositories"][0]["imageTagMutability"] == "IMMUTABLE"
    assert client("sns", url).list_topics()["Topics"] == [{"TopicArn": topic}]


def test_refusals_are_not_remembered_and_what_moto_lacks_is_said(
    moto: Moto, serve, client, tmp_path: Path
) -> None:
    url = serve(moto)
    with pytest.raises(ClientError, match="NoSuchEntity"):
        client("iam", url).delete_role(RoleName="none")
    assert list(moto._journal.requests()) == []
    with pytest.raises(ClientError, match=r"UnsupportedOperation.*not supported by the local endpoint"):
        client("ecr", url).describe_pull_through_cache_rules()
    with pytest.raises(ClientError, match=r"UnsupportedOperation.*not supported by the local endpoint"):
        client("iam", url).simulate_principal_policy(
            PolicySourceArn="arn:aws:iam::000000000000:role/r", ActionNames=["s3:GetObject"]
        )


def test_a_start_that_fails_is_tried_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log"
    log.mkdir()
    moto = Moto(tmp_path / "db", log)
    moto.start()
    try:
        said: list[str] = []
        wait_until(lambda: said.append(capfd.readouterr().err) or "cannot be started" in "".join(said))
        log.rmdir()
        assert moto.call_json("events", "AWSEvents.ListRules", {})["Rules"] == []
    finally:
        moto.close()


def test_it_does_not_outlive_the_endpoint(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from trainyard.local_aws.moto_child import Moto\n"
        "moto = Moto(Path(sys.argv[1]) / 'db', Path(sys.argv[1]) / 'log'); moto.start(); moto._ready.wait()\n"
        "print(moto._process.pid, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "shared")}
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    wait_until(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text())

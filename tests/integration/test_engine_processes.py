"""The processes that tests/engines.py starts: they end, and the proxy does what it is told."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import pytest


@pytest.mark.full
def test_engine_processes_do_not_outlive_a_killed_test_run(dynamodb_local: str):
    """The guard ends what it started as soon as its starter is gone, however that happened."""
    tests = str(Path(__file__).parents[1])
    script = f"""
        import sys, time
        sys.path.insert(0, {tests!r})
        import engines
        with engines.dynamodb_local() as endpoint:
            print(endpoint, flush=True)
            time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        process.send_signal(signal.SIGKILL)

    for _ in range(100):
        connection = HTTPConnection(url.removeprefix("http://"), timeout=5)
        try:
            connection.connect()
        except OSError:
            return
        finally:
            connection.close()
        time.sleep(0.1)
    pytest.fail(f"{url} still answers")


def test_faults_reach_the_client(faults: Any, client_arguments: dict[str, Any]):
    faults.throttle("ListTables", times=1)
    client = boto3.client("dynamodb", **(client_arguments | {"endpoint_url": faults.endpoint}))

    with pytest.raises(client.exceptions.ProvisionedThroughputExceededException):
        client.list_tables()

    client.list_tables()
    assert [event["operation"] for event in faults.fired] == ["ListTables"]
    client.close()


def test_s3_and_kms_answer_in_an_account_of_the_tests_own(aws: str, aws_arguments: dict[str, str]):
    """An object and a data key of one account, which another one does not see."""
    s3 = boto3.client("s3", **aws_arguments)
    s3.create_bucket(Bucket="things")
    s3.put_object(Bucket="things", Key="a", Body=b"1")
    other = boto3.client("s3", **(aws_arguments | {"aws_access_key_id": "999999999999"}))
    kms = boto3.client("kms", **aws_arguments)

    assert s3.get_object(Bucket="things", Key="a")["Body"].read() == b"1"
    assert other.list_buckets()["Buckets"] == []
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    made = kms.generate_data_key(KeyId=key, NumberOfBytes=64)
    assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
    for client in (s3, other, kms):
        client.close()

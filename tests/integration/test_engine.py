"""The embedded engine by itself, without a session."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from dynattrs.wire import local_engine

if TYPE_CHECKING:
    from pathlib import Path

TABLE = {
    "TableName": "things",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}

pytestmark = pytest.mark.usefixtures("embedded")  # skips where ministack is missing


def client_for(lease: local_engine.Lease, **arguments: Any) -> Any:
    once = Config(retries={"total_max_attempts": 1})
    return boto3.client("dynamodb", config=once, **(lease.client_arguments | arguments))


def put(client: Any, id_: str) -> None:
    client.put_item(TableName="things", Item={"id": {"S": id_}})


def run(script: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh interpreter, where no other test has started the engine."""
    return subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def test_an_item_comes_back():
    with local_engine.start() as lease:
        client = client_for(lease)
        client.create_table(**TABLE)
        put(client, "a")

        assert client.get_item(TableName="things", Key={"id": {"S": "a"}})["Item"] == {
            "id": {"S": "a"}
        }


def test_leases_do_not_see_each_others_tables():
    with local_engine.start() as one, local_engine.start() as other:
        client_for(one).create_table(**TABLE)

        assert one.endpoint_url == other.endpoint_url
        assert client_for(one).list_tables()["TableNames"] == ["things"]
        assert client_for(other).list_tables()["TableNames"] == []


def test_regions_do_not_see_each_others_tables():
    with local_engine.start() as lease:
        client_for(lease).create_table(**TABLE)

        assert client_for(lease, region_name="eu-west-1").list_tables()["TableNames"] == []


def test_a_key_without_a_lease_is_refused():
    with local_engine.start() as lease:
        stranger = client_for(lease, aws_access_key_id="AKIAIOSFODNN7EXAMPLE")

        with pytest.raises(botocore.exceptions.ClientError, match="UnrecognizedClientException"):
            stranger.list_tables()


def test_a_stopped_lease_is_refused_and_its_data_gone():
    with local_engine.start():  # keeps the server running
        lease = local_engine.start()
        client = client_for(lease)
        client.create_table(**TABLE)
        put(client, "a")

        lease.stop()
        lease.stop()

        with pytest.raises(botocore.exceptions.ClientError, match="UnrecognizedClientException"):
            client.list_tables()
        from ministack.services import dynamodb

        for store in vars(dynamodb).values():
            if isinstance(store, dynamodb.AccountRegionScopedDict):
                assert lease.access_key not in {owner for (owner, *_), _ in store.all_items()}


def test_a_response_arrives_in_one_go():
    """Between a head and a body sent apart, Nagle's algorithm would put 40 ms."""
    with local_engine.start() as lease:
        client = client_for(lease)
        client.create_table(**TABLE)
        seconds: list[float] = []
        for _ in range(25):
            start = time.perf_counter()
            client.get_item(TableName="things", Key={"id": {"S": "a"}})
            seconds.append(time.perf_counter() - start)

        assert min(seconds) < 0.03  # it is put there each time


def test_an_unknown_operation_is_an_error_of_the_service():
    with local_engine.start() as lease:
        sqs = boto3.client("sqs", **lease.client_arguments)

        with pytest.raises(botocore.exceptions.ClientError, match="not an operation: 'AmazonSQS"):
            sqs.list_queues()


def test_a_stream_reports_the_writes():
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    with local_engine.start() as lease:
        client = client_for(lease)
        arn = client.create_table(**TABLE, StreamSpecification=stream)["TableDescription"][
            "LatestStreamArn"
        ]
        put(client, "a")
        streams = boto3.client("dynamodbstreams", **lease.client_arguments)
        [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        start = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )

        [record] = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]

        assert record["dynamodb"]["NewImage"] == {"id": {"S": "a"}}


def test_threads_can_start_write_and_stop_at_the_same_time():
    def work(number: int) -> int:
        with local_engine.start() as lease:
            client = client_for(lease)
            client.create_table(**TABLE)
            for item in range(20):
                put(client, f"{number}-{item}")
            return client.scan(TableName="things")["Count"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(24))) == [20] * 24


def test_the_last_lease_ends_the_server_and_a_new_one_starts_it_again():
    result = run("""
        import boto3, botocore.exceptions, socket, threading
        from urllib.parse import urlsplit
        from dynattrs.wire import local_engine

        def threads():
            return [t for t in threading.enumerate() if t.name.startswith("dynattrs")]

        for _ in range(3):
            one, other = local_engine.start(), local_engine.start()
            client = boto3.client("dynamodb", **one.client_arguments)
            assert client.list_tables()["TableNames"] == []
            client.create_table(
                TableName="things", BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            )
            one.stop()
            assert threads()
            other.stop()
            assert not threads(), threads()
            probe = socket.socket()
            assert probe.connect_ex(("127.0.0.1", urlsplit(one.endpoint_url).port)) != 0
            probe.close()
            client.close()
    """)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_starting_leaves_the_process_as_it_was(tmp_path: Path):
    """No logging set up, no signal handler, environment variable, file, child or second port."""
    result = run(
        """
        import logging, os, signal, sys, tempfile
        from pathlib import Path

        def ports():
            "Listening sockets of this process: state 0A in the kernel's table, by inode."
            own = set()
            for fd in Path("/proc/self/fd").iterdir():
                try:
                    own.add(os.readlink(fd))
                except FileNotFoundError:
                    pass
            rows = [
                line.split()
                for table in ("tcp", "tcp6", "udp", "udp6")
                for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]
            ]
            rows = [row for row in rows if f"socket:[{row[9]}]" in own]
            return [row[1] for row in rows if row[3] in ("0A", "07")]

        def state():
            return {
                "environment": dict(os.environ),
                "handlers": [str(signal.getsignal(s)) for s in signal.valid_signals()],
                "logging": (logging.getLogger().level, list(logging.getLogger().handlers)),
                "files": sorted(os.listdir(tempfile.gettempdir())),
                "children": Path(f"/proc/self/task/{os.getpid()}/children").read_text(),
            }

        from dynattrs.wire import local_engine
        before = state()
        assert ports() == []
        lease = local_engine.start()
        after = state()
        assert after == before, (before, after)
        port = int(lease.endpoint_url.rpartition(":")[2])
        assert ports() == [f"0100007F:{port:04X}"], ports()
        loaded = {name for name in sys.modules if name.startswith("ministack.services.")}
        assert loaded <= {f"ministack.services.{name}"
                          for name in ("_dynamodb_keywords", "dynamodb", "dynamodb_streams")}
        assert "ministack.app" not in sys.modules
    """
        if sys.platform == "linux"
        else "",
        env=os.environ | {"TMPDIR": str(tmp_path)},  # where nobody else leaves files
    )

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_lease_that_nobody_stops_does_not_keep_the_interpreter():
    result = run("""
        import boto3
        from dynattrs.wire import local_engine
        lease = local_engine.start()
        boto3.client("dynamodb", **lease.client_arguments).list_tables()
    """)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.full
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_a_client_of_its_parents_engine_and_can_start_its_own():
    result = run("""
        import faulthandler, os, signal, socket, sys, threading, time, warnings
        from urllib.parse import urlsplit

        # Should it stand still, it says where.
        faulthandler.register(signal.SIGALRM, all_threads=True, chain=True)
        signal.alarm(55)
        late = 0
        os.register_at_fork(after_in_child=lambda: time.sleep(late))  # before all that others do there

        import boto3
        from dynattrs.wire import local_engine

        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 on forks with threads
        table = dict(
            TableName="things", BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        lease = local_engine.start()
        client = boto3.client("dynamodb", **lease.client_arguments)
        client.create_table(**table)
        first, busy = threading.Event(), threading.Event()
        def load():
            other = boto3.client("dynamodb", **lease.client_arguments)
            while not busy.is_set():
                other.put_item(TableName="things", Item={"id": {"S": "x"}})
                first.set()
        thread = threading.Thread(target=load)
        thread.start()
        first.wait()  # boto3 and OpenSSL have locks of their own while a client is made
        for _ in range(10):
            child = os.fork()
            if child == 0:
                signal.alarm(30)
                try:
                    ours = boto3.client("dynamodb", **lease.client_arguments)
                    assert ours.list_tables()["TableNames"] == ["things"]
                    with local_engine.start() as own:
                        assert own.endpoint_url != lease.endpoint_url
                        fresh = boto3.client("dynamodb", **own.client_arguments)
                        assert fresh.list_tables()["TableNames"] == []
                        fresh.create_table(**table)
                    lease.stop()  # not the child's: nothing happens
                except BaseException as error:
                    print(repr(error), flush=True)
                    os._exit(1)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        busy.set()
        thread.join()
        assert client.list_tables()["TableNames"] == ["things"]

        (read, write), (started, ready) = os.pipe(), os.pipe()
        late = 1 if sys.platform == "linux" else 0
        child = os.fork()
        if child == 0:
            os.close(write)
            os.write(ready, b"1")
            os.read(read, 1)
            os._exit(0)
        if not late:
            os.read(started, 1)
        lease.stop()
        address = ("127.0.0.1", urlsplit(lease.endpoint_url).port)
        with socket.socket() as probe:
            assert probe.connect_ex(address) != 0, "a child that lives on keeps the port open"
        os.close(write)
        os.waitpid(child, 0)
    """)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.full
def test_requests_under_way_are_answered_when_the_server_ends():
    result = run("""
        import threading, boto3, botocore.exceptions
        from botocore.config import Config
        from dynattrs.wire import local_engine

        for _ in range(30):
            lease = local_engine.start()
            outcomes, started = [], threading.Barrier(5)
            def load():
                config = Config(retries={"total_max_attempts": 1})
                client = boto3.client("dynamodb", config=config, **lease.client_arguments)
                started.wait()
                while True:
                    try:
                        client.list_tables()
                    except Exception as error:
                        outcomes.append(type(error).__name__)
                        return
            threads = [threading.Thread(target=load) for _ in range(4)]
            for thread in threads: thread.start()
            started.wait()
            lease.stop()
            for thread in threads: thread.join()
            # Refused, not connected, or closed between two requests; never half an answer.
            assert set(outcomes) <= {
                "ClientError", "EndpointConnectionError", "ConnectionClosedError"}, outcomes
    """)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_client_in_the_middle_of_a_request_does_not_hold_up_the_end():
    """The server's thread may have to wait for that client; whoever stops the lease need not."""
    result = run("""
        import socket, threading, time
        from urllib.parse import urlsplit
        from dynattrs.wire import local_engine

        local_engine._STOP_SECONDS = 0.1
        lease = local_engine.start()
        [thread] = [t for t in threading.enumerate() if t.name.startswith("dynattrs")]
        address = ("127.0.0.1", urlsplit(lease.endpoint_url).port)
        with socket.create_connection(address) as connection:
            connection.sendall(b"POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 9\\r\\n\\r\\n{")
            time.sleep(0.2)
            lease.stop()
            with socket.socket() as probe:
                assert probe.connect_ex(address) != 0
            with local_engine.start() as other:
                assert other.endpoint_url != lease.endpoint_url
        thread.join(10)
        assert not thread.is_alive()
    """)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.full
def test_a_lease_can_be_stopped_in_the_middle_of_anything():
    """The garbage collector stops the lease of a forgotten session, in whatever thread it runs."""
    result = run("""
        import gc, threading
        import boto3
        from dynattrs.wire import local_engine

        lease = local_engine.start()
        server = local_engine._engine._server
        server._loop.call_soon_threadsafe(lease.stop)
        server._thread.join(10)
        assert not server._thread.is_alive()

        class Forgotten:
            def __init__(self):
                self.lease, self.cycle = local_engine.start(), self
            def __del__(self):
                self.lease.stop()

        gc.set_threshold(5)
        for _ in range(50):
            Forgotten()
            with local_engine.start() as lease:
                client = boto3.client("sts", **lease.client_arguments)
        gc.collect()
        assert not [t for t in threading.enumerate() if t.name.startswith("dynattrs")]
    """)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_without_ministack_the_error_names_the_extra():
    result = run(
        """
        import sys
        sys.modules["ministack"] = None
        from dynattrs.wire import local_engine
        from dynattrs.errors import MissingExtra
        try:
            local_engine.start()
        except MissingExtra as error:
            print(error.extra, error.module)
        """
    )

    assert (result.returncode, result.stdout, result.stderr) == (0, "local ministack\n", "")


def test_an_error_of_the_emulator_is_a_server_error(caplog: pytest.LogCaptureFixture):
    with local_engine.start() as lease:
        client = client_for(lease)
        client.create_table(**TABLE)
        from ministack.services import dynamodb

        def broken(data: object) -> None:
            raise ZeroDivisionError("broken")

        original = dynamodb._get_item
        dynamodb._get_item = broken
        try:
            with pytest.raises(botocore.exceptions.ClientError, match="ZeroDivisionError: broken"):
                client.get_item(TableName="things", Key={"id": {"S": "a"}})
        finally:
            dynamodb._get_item = original

        assert client.list_tables()["TableNames"] == ["things"]
        assert [record.name for record in caplog.records if record.exc_info] == [
            "dynattrs.wire.local_engine"
        ]

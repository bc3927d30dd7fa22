"""Sessions under moto: `mock_aws` for those of threads, and moto's server for both.

moto puts a handler on all clients that are made after its import. So these run in processes of their own.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("moto") is None,
    reason="uv run --group plugins: moto is too large for everybody",
)

BEGIN = """
import asyncio

from moto import mock_aws

from dynattrs import ConfigurationError, ConditionFailed, Session, add, field, model, partition_key
from dynattrs.testing import faults, recorded, throttled


@model("songs")
class Song:
    id: str = partition_key()
    plays: int = 0
    version: int = field(version=True, default=0)
"""

WORK = """
    session.tables.create(Song)
    session.save(Song("1"))
    session.save_all([Song("2"), Song("3")])
    assert session.update(Song, "1", add(Song.plays, 1)).plays == 1
    with session.edit(session.get(Song, "2")) as song:
        song.plays = 7
    with session.transaction() as transaction:
        transaction.save(Song("4"))
    old = session.get(Song, "2")
    session.update(Song, "2", add(Song.plays, 1))
    try:
        session.save(old)
    except ConditionFailed:
        pass
    else:
        raise AssertionError
    assert sorted(song.id for song in session.scan(Song)) == ["1", "2", "3", "4"]
    assert session.query(Song).where(Song.id == "2").one().plays == 8
    session.delete(Song, "1")
    assert len(list(session.get_many(Song, ["1", "2"]))) == 1
"""


def run(code: str) -> None:
    env = os.environ | {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", BEGIN + textwrap.dedent(code)],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def indented(code: str) -> str:
    return textwrap.indent(code, "    ")


def test_a_session_that_is_made_under_mock_aws():
    run(f"with mock_aws(), Session() as session:{WORK}")


def test_a_session_that_was_made_before():
    run(f"session = Session()\nwith mock_aws():{WORK}")


def test_a_session_over_a_client_of_boto3():
    run(
        f"import boto3\nwith mock_aws(), Session(client=boto3.client('dynamodb')) as session:{WORK}"
    )


def test_two_blocks_share_nothing():
    run("""
        with Session() as session:
            for _ in range(2):
                with mock_aws():
                    session.tables.create(Song)
                    assert session.scan(Song).count() == 0
                    session.save(Song("1"))
    """)


def test_calls_are_recorded_and_faults_are_refused():
    run("""
        with mock_aws(), Session() as session:
            session.tables.create(Song)
            with recorded(session) as calls:
                session.save(Song("1"))
            assert calls.operations == ["PutItem"]
            try:
                with faults(session, throttled()):
                    session.get(Song, "1")
            except ConfigurationError as error:
                assert "moto" in str(error)
            else:
                raise AssertionError
    """)


def test_an_async_session_under_mock_aws_says_what_to_do():
    pytest.importorskip("aiobotocore")
    run("""
        from dynattrs.aio import AsyncSession


        async def main():
            async with AsyncSession() as session:
                try:
                    await session.get(Song, "1")
                except ConfigurationError as error:
                    assert "moto.server.ThreadedMotoServer(port=0)" in str(error)
                else:
                    raise AssertionError


        with mock_aws():
            asyncio.run(main())
    """)


def test_both_kinds_of_sessions_with_motos_server():
    pytest.importorskip("aiobotocore")
    run(f"""
from moto.server import ThreadedMotoServer

from dynattrs.aio import AsyncSession

server = ThreadedMotoServer(port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
url = f"http://{{host}}:{{port}}"


async def main():
    async with AsyncSession(endpoint_url=url) as session:
        assert await session.get(Song, "2") is not None
        await session.save(Song("5"))
        with faults(session, throttled("GetItem", times=1)) as injected:
            assert await session.get(Song, "5") is not None
        assert injected.count == 1


with Session(endpoint_url=url) as session:{WORK}
    asyncio.run(main())
    assert session.get(Song, "5") is not None
server.stop()
""")

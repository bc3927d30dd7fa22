"""The pytest plugin, in projects of its users: written to a folder, and run by pytest as they would."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import engines

if TYPE_CHECKING:
    from collections.abc import Callable

    from integration.conftest import Endpoint

full = functools.partial(pytest.param, marks=pytest.mark.full)

MODELS = """
    from __future__ import annotations

    from datetime import datetime
    from dynattrs import GlobalIndex, Table, field, model, partition_key, sort_key


    @model("songs", indexes=[GlobalIndex("by-genre", partition_key="genre")])
    class Song:
        artist: str = partition_key()
        title: str = sort_key()
        genre: str = "jazz"
        plays: int = 0


    @model("users")
    class User:
        id: str = partition_key()
        email: str = field(unique=True)


    @model("tickets")
    class Ticket:
        id: str = partition_key()
        expires: datetime | None = field(ttl=True, default=None)
"""

# Each of them would fail if it saw anything of another one, whichever runs first. Some fail on purpose.
ISOLATION = """
    import pytest
    from dynattrs import AlreadyTaken, GlobalIndex, NoSuchTable, Table, model, partition_key
    from models import Song, Ticket, User

    ALL = (Song, Ticket, User)
    KEPT = []


    def check_new(session):
        for each in ALL:
            assert not session.tables.exists(each)
        for each in ALL:
            assert session.scan(each).count() == 0


    @pytest.mark.parametrize("n", range(4))
    def test_items(dynattrs_session, n):
        check_new(dynattrs_session)
        dynattrs_session.save(Song("Nina Simone", "Sinnerman"))
        assert dynattrs_session.query(Song).where(Song.genre == "jazz").count() == 1


    @pytest.mark.parametrize("n", range(2))
    def test_that_fails(dynattrs_session, n):
        check_new(dynattrs_session)
        dynattrs_session.save(Song("Nina Simone", "Sinnerman"))
        raise RuntimeError("on purpose")


    @pytest.mark.filterwarnings("ignore:a test has left a batch open")
    @pytest.mark.parametrize("n", range(2))
    def test_a_batch_that_is_left_open(dynattrs_session, n):
        check_new(dynattrs_session)
        KEPT.append(dynattrs_session.batch().__enter__())
        KEPT[-1].save(Song("Nina Simone", "Sinnerman"))


    @pytest.mark.parametrize("n", range(2))
    def test_tables_that_are_deleted(dynattrs_session, n):
        check_new(dynattrs_session)
        dynattrs_session.save(Song("Nina Simone", "Sinnerman"))
        dynattrs_session.tables.delete(Song)
        with pytest.raises(NoSuchTable):
            dynattrs_session.save(Song("Nina Simone", "Sinnerman"))


    @pytest.mark.parametrize("n", range(2))
    def test_tables_that_are_created(dynattrs_session, n):
        assert not dynattrs_session.tables.exists(Song)
        dynattrs_session.tables.create(Song)
        assert dynattrs_session.tables.diff(Song) == []
        dynattrs_session.save(Song("Nina Simone", "Sinnerman"))


    @pytest.mark.parametrize("key", ["id", "name"])
    @pytest.mark.parametrize("n", range(2))
    def test_tables_of_the_same_name_with_other_keys(dynattrs_session, key, n):
        table = Table("songs", partition_key=key)

        @model(table)
        class Other:
            id: str
            name: str

        dynattrs_session.save(Other("1", "one"))
        assert dynattrs_session.get(Other, "1" if key == "id" else "one") == Other("1", "one")
        assert len(dynattrs_session.tables.describe(Other)["KeySchema"]) == 1


    @pytest.mark.parametrize("n", range(2))
    def test_unique_values(dynattrs_session, n):
        check_new(dynattrs_session)
        dynattrs_session.insert(User("1", "ada@example.com"))
        with pytest.raises(AlreadyTaken):
            dynattrs_session.insert(User("2", "ada@example.com"))


    @pytest.mark.parametrize("n", range(2))
    def test_a_time_to_live_that_is_changed(dynattrs_session, n):
        dynattrs_session.save(Ticket("1"))
        real = dynattrs_session.tables.describe(Ticket)["TableName"]
        assert dynattrs_session.tables.diff(Ticket) == []
        off = {"Enabled": False, "AttributeName": "expires"}
        dynattrs_session.client.update_time_to_live(TableName=real, TimeToLiveSpecification=off)
        assert dynattrs_session.tables.diff(Ticket)


    @pytest.mark.parametrize("n", range(2))
    def test_an_index_that_is_added(dynattrs_session, n):
        more = Table(
            "users", partition_key="id", indexes=[GlobalIndex("by-email", partition_key="email")]
        )
        dynattrs_session.save(User("1", "ada@example.com"))
        assert len(dynattrs_session.tables.update(more)) == 1


    @pytest.mark.parametrize("n", range(2))
    def test_what_is_put_on_the_client(dynattrs_session, n):
        from unittest.mock import Mock

        client = dynattrs_session.client
        assert not isinstance(client.put_item, Mock)
        client.put_item = Mock(return_value={})
        dynattrs_session.save(Song("Nina Simone", "Sinnerman"))
        assert client.put_item.call_count == 1
        assert dynattrs_session.get(Song, ("Nina Simone", "Sinnerman")) is None


    @pytest.mark.parametrize("n", range(2))
    def test_statements(dynattrs_session, n):
        real = dynattrs_session._core.table_names["songs"]
        assert list(dynattrs_session.execute(f'SELECT * FROM "{real}"', model=Song)) == []
        dynattrs_session.save(Song("Nina Simone", "Sinnerman"))
        assert len(list(dynattrs_session.execute(f'SELECT * FROM "{real}"'))) == 1


    @pytest.mark.parametrize("n", range(2))
    def test_many_items(dynattrs_session, n):
        check_new(dynattrs_session)
        dynattrs_session.save_all(Song("Nina Simone", str(i)) for i in range(230))
        dynattrs_session.execute(
            'DELETE FROM "' + dynattrs_session.tables.describe(Song)["TableName"] + '" '
            "WHERE artist = 'Nina Simone' AND title = '1'"
        )
        assert dynattrs_session.scan(Song).count() == 229
"""

ASYNCIO = """
    import asyncio
    import pytest
    from models import Song

    KEPT = []


    @pytest.mark.parametrize("n", range(2))
    async def test_both_sessions_see_the_same(dynattrs_session, dynattrs_async_session, n):
        assert await dynattrs_async_session.scan(Song).count() == 0
        await dynattrs_async_session.save(Song("Nina Simone", "Sinnerman"))
        assert dynattrs_session.get(Song, ("Nina Simone", "Sinnerman")) is not None
        async with dynattrs_async_session.batch() as batch:
            for n in range(30):
                await batch.save(Song("Bessie Smith", str(n)))
        assert dynattrs_session.query(Song).where(Song.artist == "Bessie Smith").count() == 30


    @pytest.mark.parametrize("n", range(2))
    async def test_tasks(dynattrs_async_session, n):
        songs = [Song("Nina Simone", str(n)) for n in range(20)]
        await asyncio.gather(*map(dynattrs_async_session.save, songs))
        assert await dynattrs_async_session.scan(Song).count() == 20
        asyncio.create_task(dynattrs_async_session.scan(Song).count())  # left when the test ends


    @pytest.mark.filterwarnings("ignore:a test has left a batch open")
    @pytest.mark.parametrize("n", range(2))
    async def test_a_batch_that_is_left_open(dynattrs_async_session, n):
        assert await dynattrs_async_session.scan(Song).count() == 0
        KEPT.append(await dynattrs_async_session.batch().__aenter__())
        for n in range(30):
            await KEPT[-1].save(Song("Bessie Smith", str(n)))


    @pytest.mark.parametrize("n", range(2))
    async def test_that_closes(dynattrs_async_session, n):
        async with dynattrs_async_session as session:
            await session.save(Song("Nina Simone", "Sinnerman"))
"""

Project = "Callable[..., subprocess.CompletedProcess[str]]"


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Writes files, runs pytest in their folder, and gives what it says."""

    def run(
        *options: str, ini: str = "", plugin: str = "anyio", **files: str
    ) -> subprocess.CompletedProcess[str]:
        (tmp_path / "pytest.ini").write_text(
            "[pytest]\npythonpath = .\nfilterwarnings = error\n" + ini, encoding="utf-8"
        )
        for name, text in {"models": MODELS, **files}.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        env["AWS_PROFILE"] = "of-the-user"  # which is not there, and must not be asked for
        other = {"anyio": "asyncio", "asyncio": "anyio"}[plugin]
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", f"no:{other}"]
        return subprocess.run(
            [*command, *options], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )

    return run


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """How many tests have passed, failed and so on, as the last line says."""
    found = re.findall(
        r"(\d+) (passed|failed|errors?|skipped|warnings?)\b", done.stdout.splitlines()[-1]
    )
    assert found, done.stdout + done.stderr
    return {what.rstrip("s"): int(count) for count, what in found}


def engine_option(endpoint: Endpoint) -> str:
    return f"--dynattrs-engine={'embedded' if endpoint.engine == 'embedded' else endpoint.url}"


@pytest.mark.parametrize(
    "spread", [(), pytest.param(("-n", "2"), marks=pytest.mark.full)], ids=["alone", "xdist"]
)
def test_a_test_sees_nothing_of_others(
    endpoint: Endpoint,
    project: Callable[..., subprocess.CompletedProcess[str]],
    spread: tuple[str, ...],
):
    done = project(engine_option(endpoint), *spread, test_isolation=ISOLATION)

    assert outcomes(done) == {"passed": 26, "failed": 2}, done.stdout + done.stderr
    assert done.stdout.count("RuntimeError: on purpose") >= 2
    # Nothing of ours goes before the test's own failure.
    assert "during handling" not in done.stdout.lower()


@pytest.mark.full
@pytest.mark.parametrize(
    ("plugin", "mark"),
    [("pytest_asyncio", "asyncio"), ("anyio", "anyio")],
    ids=["pytest-asyncio", "anyio"],
)
def test_the_async_session_works_with_either_plugin(
    endpoint: Endpoint,
    project: Callable[..., subprocess.CompletedProcess[str]],
    plugin: str,
    mark: str,
):
    pytest.importorskip("aiobotocore")
    pytest.importorskip(plugin)
    conftest = """
        import pytest


        @pytest.fixture
        def anyio_backend():
            return "asyncio"
    """
    text = f"    import pytest\n    pytestmark = pytest.mark.{mark}\n{ASYNCIO}"

    ini = "" if plugin == "anyio" else "asyncio_default_fixture_loop_scope = function\n"
    done = project(
        engine_option(endpoint), ini=ini, plugin=mark, conftest=conftest, test_async=text
    )

    assert outcomes(done) == {"passed": 8}, done.stdout + done.stderr


@pytest.mark.full
def test_a_test_with_trio_says_what_to_do(
    embedded: object, project: Callable[..., subprocess.CompletedProcess[str]]
):
    pytest.importorskip("aiobotocore")
    pytest.importorskip("anyio")
    test = """
        import pytest


        @pytest.mark.parametrize("anyio_backend", ["trio"])
        def test_it(dynattrs_async_session, anyio_backend):
            pass
    """

    done = project(test_trio=test)

    assert outcomes(done) == {"error": 1}
    assert "dynattrs_async_session is for asyncio" in done.stdout


@pytest.mark.full
def test_a_project_says_how_sessions_are_made(
    endpoint: Endpoint, project: Callable[..., subprocess.CompletedProcess[str]]
):
    conftest = """
        from datetime import datetime, timezone
        import pytest


        @pytest.fixture
        def dynattrs_session_options():
            return {"table_prefix": "app-", "tables": {"users": "people"}, "fast": False}
    """
    test = """
        import pytest
        from dynattrs import ConfigurationError, NoSuchTable
        from models import Song, User


        def test_it(dynattrs_session):
            dynattrs_session.save(Song("Nina Simone", "Sinnerman"))
            dynattrs_session.insert(User("1", "ada@example.com"))
            assert dynattrs_session.tables.describe(Song)["TableName"].endswith("app-songs")
            assert dynattrs_session.tables.describe(User)["TableName"].endswith("people")
            assert dynattrs_session.stats.direct == 0


        class TestByHand:
            @pytest.fixture
            def dynattrs_makes_tables(self):
                return False

            def test_it(self, dynattrs_session):
                with pytest.raises(NoSuchTable):
                    dynattrs_session.save(Song("Nina Simone", "Sinnerman"))


        class TestRefused:
            @pytest.fixture
            def dynattrs_session_options(self):
                return {"region_name": "eu-central-1"}

            def test_it(self, dynattrs_session):
                pass
    """

    done = project(engine_option(endpoint), conftest=conftest, test_options=test)

    assert outcomes(done) == {"passed": 2, "error": 1}, done.stdout
    assert "gives region_name, which the plugin gives itself" in done.stdout


@pytest.mark.full
def test_batches_that_are_left_open_are_told(
    endpoint: Endpoint, project: Callable[..., subprocess.CompletedProcess[str]]
):
    """Of each of them, whether or not the garbage collector has come first."""
    test = """
        import gc
        import pytest
        from models import Song

        kept = []


        @pytest.mark.parametrize("n", range(4))
        @pytest.mark.parametrize("how", ["kept", "forgotten", "collected"])
        def test_it(dynattrs_session, how, n):
            batch = dynattrs_session.batch().__enter__()
            batch.save(Song("Nina Simone", "Sinnerman"))
            if how == "kept":
                kept.append(batch)
            del batch
            if how == "collected":
                gc.collect()
    """

    done = project(engine_option(endpoint), "-W", "default", "-ra", test_batches=test)

    assert outcomes(done) == {"passed": 12, "warning": 12}, done.stdout
    assert "a test has left a batch open; 1 writes of it were not sent" in done.stdout

    strict = project(engine_option(endpoint), test_batches=test)

    assert outcomes(strict) == {"passed": 12, "error": 12}, strict.stdout


@pytest.mark.full
def test_a_thread_that_a_test_leaves_writes_nothing_into_the_next(
    endpoint: Endpoint, project: Callable[..., subprocess.CompletedProcess[str]]
):
    test = """
        import threading
        import pytest
        from dynattrs import SessionClosed
        from models import Song

        ended = []


        def write(session, started):
            try:
                for n in range(1_000_000):
                    session.save(Song("Nina Simone", str(n)))
                    session.save_all([Song("Bessie Smith", str(n))])
                    started.set()
            except Exception as error:
                ended.append(error)
                started.set()


        @pytest.mark.parametrize("n", range(20))
        def test_that_leaves_threads(dynattrs_session, n):
            assert dynattrs_session.scan(Song).count() == 0
            for _ in range(3):
                started = threading.Event()
                thread = threading.Thread(target=write, args=(dynattrs_session, started))
                thread.daemon = True
                thread.start()
                started.wait()


        def test_that_comes_after(dynattrs_session):
            assert dynattrs_session.scan(Song).count() == 0
            assert len(ended) == 60
            assert all(isinstance(error, SessionClosed) for error in ended), ended
    """

    done = project(engine_option(endpoint), test_threads=test)

    assert outcomes(done) == {"passed": 21}, done.stdout


def test_nothing_is_imported_until_a_fixture_is_used(
    project: Callable[..., subprocess.CompletedProcess[str]],
):
    """Other projects of an environment do not pay for the plugin, and coverage sees all imports."""
    test = """
        import sys


        def test_it():
            assert "_dynattrs_pytest" in sys.modules
            loaded = {name.partition(".")[0] for name in sys.modules}
            assert not loaded & {"attrs", "boto3", "botocore", "cattrs", "dynattrs", "msgspec"}
    """

    # Plugins of others that import some of these.
    done = project("-p", "no:hypothesispytest", "-p", "no:anyio", test_it=test)

    assert outcomes(done) == {"passed": 1}, done.stdout


@pytest.mark.full
def test_dynamodb_local_is_started_once_for_all_processes(
    dynamodb_local: str, project: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setenv("DYNAMODB_LOCAL", str(engines.dynamodb_local_folder()))
    test = """
        import pytest
        from models import Song


        @pytest.mark.parametrize("n", range(6))
        def test_it(dynattrs_session, n, worker_id):
            assert dynattrs_session.scan(Song).count() == 0
            dynattrs_session.save(Song("Nina Simone", str(n)))
            print("endpoint", dynattrs_session.client.meta.endpoint_url, worker_id)
    """

    done = project("--dynattrs-engine=dynamodb-local", "-n", "2", "-rP", test_it=test)

    assert outcomes(done) == {"passed": 6}, done.stdout + done.stderr
    found = re.findall(r"endpoint (\S+) (gw\d)", done.stdout)
    assert len({url for url, _ in found}) == 1
    assert {url for url, _ in found} != {dynamodb_local}


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("https://dynamodb.us-east-1.amazonaws.com", "not on this machine or in a private network"),
        full("http://8.8.8.8:8000", "not on this machine or in a private network"),
        full("dynamodb", "is not an engine"),
        full("http://localhost:99999", "is not a URL: Port out of range"),
        ("dynamodb-local", "set the environment variable DYNAMODB_LOCAL"),
    ],
    ids=["aws", "elsewhere", "no-url", "no-port", "not-here"],
)
def test_an_engine_that_cannot_be_is_refused(
    project: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    message: str,
):
    monkeypatch.delenv("DYNAMODB_LOCAL", raising=False)

    done = project(f"--dynattrs-engine={engine}", test_it="def test_it(): pass")

    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in re.sub(r"\s+", " ", done.stderr)


@pytest.mark.full
@pytest.mark.parametrize(
    "spread", [(), pytest.param(("-n", "2"), marks=pytest.mark.full)], ids=["alone", "xdist"]
)
def test_a_run_stops_where_its_engine_does_not_answer(
    project: Callable[..., subprocess.CompletedProcess[str]], spread: tuple[str, ...]
):
    """Each request to an engine that does not run is repeated for 40 seconds."""
    test = """
        import pytest
        from models import Song


        def test_that_needs_none():
            pass


        @pytest.mark.parametrize("n", range(20))
        def test_it(dynattrs_session, n):
            dynattrs_session.save(Song("Nina Simone", "Sinnerman"))
    """
    with socket.socket() as taken:  # and nothing listens to it
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = project(f"--dynattrs-engine={url}", *spread, test_it=test)

    assert 1 <= outcomes(done)["error"] <= 2, done.stdout  # one of each process
    assert f"--dynattrs-engine={url}: no DynamoDB answers there" in done.stdout
    assert "direct cause" not in done.stdout
    assert re.search(r"! .*the engine of --dynattrs-engine does not answer !", done.stdout)


@pytest.mark.full
@pytest.mark.smoke
def test_a_table_that_a_test_deletes_is_there_for_the_next(
    endpoint: Endpoint, project: Callable[..., subprocess.CompletedProcess[str]]
):
    test = """
        import pytest
        from models import Song


        @pytest.mark.parametrize("n", range(3))
        @pytest.mark.parametrize("by", ["session", "client"])
        def test_it(dynattrs_session, by, n):
            dynattrs_session.save(Song("Nina Simone", "Sinnerman"))
            assert dynattrs_session.scan(Song).count() == 1
            real = dynattrs_session._core.table_names["songs"]
            if by == "session":
                dynattrs_session.tables.delete(Song)
            else:
                dynattrs_session.client.delete_table(TableName=real)
    """

    done = project(engine_option(endpoint), test_it=test)

    assert outcomes(done) == {"passed": 6}, done.stdout


JOBS = """
    import pytest
    from dynattrs import jobs
    from models import Song


    def lower(song):
        song.genre = song.genre.lower()
        return song


    @pytest.fixture
    def dynattrs_session_options():
        return {"table_prefix": "app-", "before_save": lambda song: None}


    @pytest.mark.parametrize("executor", ["threads", "threads", "processes"])
    def test_a_backfill(dynattrs_session, dynattrs_session_spec, executor):
        dynattrs_session.save_all(Song("Nina Simone", str(n), genre="JAZZ") for n in range(9))
        job = jobs.Job(
            "lower", models=[Song], session=dynattrs_session_spec, segments=2, workers=1
        )
        assert job.apply(lower, executor=executor).counts == {"changed": 9}
        assert {song.genre for song in dynattrs_session.scan(Song)} == {"jazz"}
        assert jobs.list(jobs.in_table(), session=dynattrs_session_spec) == ["lower"]
        assert job.forget() > 0
"""


@pytest.mark.full
def test_jobs_run_on_the_tables_of_a_test(endpoint: Endpoint, project: Project):
    done = project(engine_option(endpoint), test_jobs=JOBS)

    assert outcomes(done) == {"passed": 3}, done.stdout


def test_a_spec_of_a_test_ends_with_it():
    from dynattrs.errors import ConfigurationError
    from dynattrs.testing.job_sessions import session_of_test

    with pytest.raises(ConfigurationError, match="inside of one test"):
        session_of_test()


@pytest.mark.full
def test_the_tests_of_the_documentation_pass(
    embedded: object, project: Callable[..., subprocess.CompletedProcess[str]]
):
    pytest.importorskip("aiobotocore")
    pytest.importorskip("anyio")
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
    shown = re.sub(r"<!--- skip: next -->\n```python\n.*?\n```", "", page, flags=re.DOTALL)
    blocks = re.findall(r"^```python\n(.*?)^```", shown, flags=re.DOTALL | re.MULTILINE)

    done = project(test_documentation="\n\n".join(blocks))

    assert outcomes(done) == {"passed": "\n".join(blocks).count("def test_")}, done.stdout


def test_the_plugin_takes_part_in_this_run(pytestconfig: pytest.Config):
    assert pytestconfig.pluginmanager.hasplugin("dynattrs")
    assert importlib.util.find_spec("_dynattrs_pytest") is not None

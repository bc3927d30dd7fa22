"""The examples of a web service and of a Lambda function, asked as their callers ask them."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dynattrs import Session

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def example(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, aws: object) -> Any:
    """Runs a test with a client of the service, from its start to its end."""
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("fastapi")
    pytest.importorskip("aiobotocore")
    service = example("songs_service", monkeypatch)

    def serve(test: Callable[[Any], Awaitable[None]]) -> None:
        async def main() -> None:
            async with service.app.router.lifespan_context(service.app):
                await service.app.state.session.tables.create(service.Song)
                transport = httpx.ASGITransport(service.app)
                async with httpx.AsyncClient(transport=transport, base_url="http://s") as client:
                    await test(client)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left

        asyncio.run(main())

    return serve


def test_the_service_stores_and_reads(served: Any):
    async def test(client: Any) -> None:
        made = await client.post("/songs", json={"artist": "Nina", "title": "Sinnerman"})
        assert made.status_code == 201
        assert made.json() == {"artist": "Nina", "title": "Sinnerman", "plays": 0, "version": 1}
        assert (await client.get("/songs/Nina/Sinnerman")).json() == made.json()
        again = await client.post("/songs", json={"artist": "Nina", "title": "Sinnerman"})
        assert again.status_code == 409

    served(test)


def test_songs_are_imported_once(served: Any):
    async def test(client: Any) -> None:
        songs = [{"artist": "Nina", "title": title} for title in "ab"]
        assert (await client.post("/songs/import", json=songs)).json() == {"stored": 2}
        assert (await client.post("/songs/import", json=songs)).status_code == 409
        twice = [{"artist": "Nina", "title": "c"}] * 2
        assert (await client.post("/songs/import", json=twice)).status_code == 409

    served(test)


def test_what_is_not_there_is_404_and_what_makes_no_sense_422(served: Any):
    async def test(client: Any) -> None:
        missing = await client.get("/songs/Nina/Nothing")
        assert missing.status_code == 404
        assert "Nothing" in missing.json()["detail"]
        assert (await client.post("/songs", json={"artist": "Nina"})).status_code == 422
        assert (await client.post("/songs", json={"artist": "", "title": "x"})).status_code == 422
        assert (await client.get("/songs/Nina?size=1000")).status_code == 422

    served(test)


def test_pages_follow_each_other_by_cursor(served: Any):
    async def test(client: Any) -> None:
        titles = [f"{number:02}" for number in range(25)]
        songs = [{"artist": "Nina", "title": title} for title in titles]
        assert (await client.post("/songs/import", json=songs)).json() == {"stored": 25}
        found: list[str] = []
        cursor, pages = None, 0
        while cursor is not None or not pages:
            query = {"size": 10} | ({"after": cursor} if cursor else {})
            page = (await client.get("/songs/Nina", params=query)).json()
            found += [song["title"] for song in page["songs"]]
            cursor, pages = page["next"], pages + 1
        assert found == titles
        assert pages == 3
        assert (await client.get("/songs/Nina?after=nonsense")).status_code == 400

    served(test)


def test_a_change_of_what_others_have_changed_is_409(served: Any):
    async def test(client: Any) -> None:
        await client.post("/songs", json={"artist": "Nina", "title": "Sinnerman"})
        path = "/songs/Nina/Sinnerman/plays"
        first = await client.put(path, json={"plays": 3, "version": 1})
        assert first.json()["plays"] == 3
        assert first.json()["version"] == 2
        late = await client.put(path, json={"plays": 9, "version": 1})
        assert late.status_code == 409
        assert (await client.get("/songs/Nina/Sinnerman")).json()["plays"] == 3
        nobody = await client.put("/songs/Nina/x/plays", json={"plays": 9, "version": 1})
        assert nobody.status_code == 404

    served(test)


def test_many_requests_at_once_share_the_session(served: Any):
    async def test(client: Any) -> None:
        async def add(number: int) -> int:
            song = {"artist": "Nina", "title": f"{number:03}"}
            return (await client.post("/songs", json=song)).status_code

        assert await asyncio.gather(*map(add, range(60))) == [201] * 60
        page = (await client.get("/songs/Nina?size=100")).json()
        assert len(page["songs"]) == 60

    served(test)


def test_the_function_stores_the_orders_of_an_event(monkeypatch: pytest.MonkeyPatch, aws: Any):
    monkeypatch.setenv("AWS_REGION", aws.region_name)
    function = example("lambda_handler", monkeypatch)
    with Session() as session:
        session.tables.create(function.Order)

    event = {"customer": "ann", "orders": [{"number": n, "total": 5} for n in range(30)]}
    assert function.handler(event, None) == {"orders": 30}
    assert function.handler({"customer": "ann", "orders": [{"number": 99}]}, None) == {"orders": 31}
    # Nothing waits for a later event, and nothing was asked besides.
    assert set(function.session.stats.requests) == {"BatchWriteItem", "Query"}
    function.session.close()

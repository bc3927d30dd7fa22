"""The photo service of the guide *From PynamoDB*: deployed in steps, each beside the one before it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import other_programs
from dynattrs import MappingError, Session

pytestmark = [pytest.mark.others, pytest.mark.threads_only("releases take turns")]

PHOTOS = Path(__file__).parents[2] / "docs" / "examples" / "photos"
NOON = datetime(2026, 11, 23, 12, 30, tzinfo=timezone.utc)
EMPTY = bytes(range(256))


def release(name: str) -> Any:
    """A release of the new service, as a module."""
    module_name = f"photos_{name}"
    spec = importlib.util.spec_from_file_location(module_name, PHOTOS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module


class Old:
    """The old service, in its own process."""

    def __init__(self, program: Any) -> None:
        self._program = program

    def __getattr__(self, function: str) -> Any:
        return lambda *arguments: self._program.call(function=function, arguments=[*arguments])


@pytest.fixture
def deployed(client: Any, endpoint: Any, table_prefix: str) -> Iterator[Any]:
    """The old service, and a session for the releases of the new one."""
    with ExitStack() as stack:
        program = stack.enter_context(other_programs.running("pynamodb-6"))
        access, secret = (
            endpoint.credentials[name] for name in ("aws_access_key_id", "aws_secret_access_key")
        )
        program.serve_photos(
            path=str(PHOTOS / "old.py"), table=f"{table_prefix}photos", endpoint=endpoint.url,
            access=access, secret=secret,
        )  # fmt: skip
        session = stack.enter_context(Session(client=client, table_prefix=table_prefix))
        yield Old(program), session


def test_a_service_is_replaced_in_steps_and_loses_nothing(deployed: Any) -> None:
    old, session = deployed
    taken = [NOON + timedelta(minutes=each) for each in range(6)]
    first = release("first")
    new = first.Service(session)
    session.tables.create(first.Photo)
    old.upload("ann", taken[0], EMPTY)
    old.tag("ann", taken[0], "sea")

    # Step 1: both serve requests.
    new.upload("ann", taken[1], b"\xca\xfe")
    old.rename("ann", taken[1], "Ann's")
    new.rename("ann", taken[0], "First")
    old.tag("ann", taken[1], "old")
    new.tag("ann", taken[1], "new")
    old.look("ann", taken[1], NOON)
    new.look("ann", taken[0], NOON)
    expected = [
        (taken[0], "First", EMPTY, {"sea"}),
        (taken[1], "Ann's", b"\xca\xfe", {"old", "new"}),
    ]
    assert new.album("ann", taken[0]) == old.album("ann", taken[0]) == expected
    assert new.album("ann", taken[1]) == old.album("ann", taken[1]) == expected[1:]

    # Step 2: the old one is gone. The next release has new fields, beside the first.
    second = release("second")
    newer = second.Service(session)
    newer.upload("ann", taken[2], b"x")
    newer.like("ann", taken[2])
    newer.like("ann", taken[0])
    photo = session.get_one(first.Photo, ("ann", taken[2]))
    photo.title = "Third"
    session.save(photo)
    found = session.get_one(second.Photo, ("ann", taken[2]))
    assert (found.title, found.likes, found.version) == ("Third", 1, 2)
    expected += [(taken[2], "Third", b"x", set())]
    assert newer.album("ann", taken[0]) == new.album("ann", taken[0]) == expected

    # Step 3: only the second release runs, and then the third, with forms of its own.
    third = release("third")
    newest = third.Service(session)
    assert newest.album("ann", taken[0]) == expected
    newest.upload("ann", taken[3], b"y")
    newest.rename("ann", taken[0], "Renamed")
    expected[0] = (taken[0], "Renamed", EMPTY, {"sea"})
    expected += [(taken[3], None, b"y", set())]
    assert newest.album("ann", taken[0]) == expected
    with pytest.raises(MappingError, match="a newer program has written it"):
        newer.album("ann", taken[0])
    assert session.migrate(third.Photo).rewritten == 2
    assert session.migrate(third.Photo).rewritten == 0
    assert newest.album("ann", taken[0]) == expected
    items = session.query(third.Photo).where(third.Photo.owner == "ann").raw().all()
    assert [each["thumbnail"]["B"] for each in items] == [EMPTY, b"\xca\xfe", b"x", b"y"]
    assert [each["seen"]["S"] for each in items if "seen" in each] == [
        "2026-11-23T12:30:00.000000Z"
    ] * 2
    assert {each["taken"]["S"][-5:] for each in items} == {"+0000"}


def test_an_old_save_erases_what_the_second_release_has_added(deployed: Any) -> None:
    """Why there are no new fields before the old service is gone."""
    old, session = deployed
    second = release("second")
    session.tables.create(second.Photo)
    service = second.Service(session)
    service.upload("ann", NOON, b"x")
    service.like("ann", NOON)
    old.rename("ann", NOON, "Mine")
    found = session.query(second.Photo).where(second.Photo.owner == "ann").raw().one()
    assert found.keys() == {"owner", "taken", "title", "thumbnail", "size"}


def test_both_services_find_their_photos_after_a_page_of_the_other(deployed: Any) -> None:
    old, session = deployed
    first = release("first")
    session.tables.create(first.Photo)
    for each in range(3):
        old.upload("ann", NOON + timedelta(minutes=each), b"x")
    query = session.query(first.Photo).where(first.Photo.owner == "ann")
    key = {"owner": {"S": "ann"}, "taken": {"S": "2026-11-23T12:30:00.000000+0000"}}
    assert [each.taken for each in query.after(key)] == [
        NOON + timedelta(minutes=1), NOON + timedelta(minutes=2),
    ]  # fmt: skip

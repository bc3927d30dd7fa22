"""Whatever programs do to items with values in S3, and whenever orphans are deleted: what an item names is
there, what was read within the time can be fetched, and in the end nothing else is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dynattrs import DynattrsError, Session, model, partition_key
from dynattrs.s3 import InS3, Large
from memory_bucket import MemoryBucket

pytest.importorskip("ministack")

DAY = timedelta(days=1)


@model("documents")
class Document:
    id: str = partition_key()
    body: Annotated[Large[bytes], InS3("bucket", above=1)]
    title: str = ""


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Session, MemoryBucket]]:
    store = MemoryBucket()
    with Session.local(s3_client=store, clock=store.clock) as session:
        session.tables.create(Document)
        yield session, store


IDS = st.sampled_from(["a", "b", "c"])
CONTENTS = st.sampled_from([b"", b"11", b"22", b"333", b"4444"])
STEPS = st.one_of(
    st.tuples(st.just("save"), IDS, CONTENTS),
    st.tuples(st.just("edit"), IDS, CONTENTS),
    st.tuples(st.just("title"), IDS),
    st.tuples(st.just("delete"), IDS),
    st.tuples(st.just("read"), IDS),
    st.tuples(st.just("give"), IDS),
    st.tuples(st.just("crash"), CONTENTS),
    st.tuples(st.just("wait"), st.integers(1, 30)),
    st.tuples(st.just("orphans")),
)


@settings(deadline=None)
@example([("save", "a", b"11"), ("read", "a"), ("save", "a", b"22"), ("orphans",)])
@example(
    [
        ("save", "a", b"11"), ("save", "a", b"22"), ("orphans",), ("wait", 20),
        # Put again, so that the note of it does not count any more.
        ("save", "b", b"11"), ("read", "b"), ("delete", "b"), ("wait", 5), ("orphans",),
    ]
)  # fmt: skip
@given(st.lists(STEPS, max_size=25))
def test_what_is_named_stays_and_the_rest_goes(
    world: tuple[Session, MemoryBucket], steps: list[tuple[Any, ...]]
) -> None:
    session, store = world
    store.clear()
    session.scan(Document).delete()
    stored: dict[str, bytes] = {}
    held: list[tuple[datetime, Large[bytes], bytes]] = []

    def sweep() -> None:
        session.tables.orphans(Document, delete=True)

    for kind, *given_ in steps:
        if kind == "save":
            name, content = given_
            session.save(Document(name, Large(content)))
            stored[name] = content
        elif kind == "edit" and given_[0] in stored:
            name, content = given_
            document = session.get_one(Document, name)
            with session.edit(document):
                document.body = Large(content)
            stored[name] = content
        elif kind == "title" and given_[0] in stored:
            document = session.get_one(Document, given_[0])
            document.title += "x"
            session.save(document)
        elif kind == "delete":
            session.delete(Document, given_[0])
            stored.pop(given_[0], None)
        elif kind == "read" and given_[0] in stored:
            name = given_[0]
            held.append((store.now, session.get_one(Document, name).body, stored[name]))
        elif kind == "give" and held and store.now - held[-1][0] < DAY:
            _, value, content = held[-1]
            session.save(Document(given_[0], value))
            stored[given_[0]] = content
            sweep()  # which sees that it is named again
        elif kind == "crash":

            def refuse(_: Any) -> None:
                raise KeyboardInterrupt

            ending = session.on("before_send", refuse)
            try:
                with pytest.raises((KeyboardInterrupt, DynattrsError)):
                    session.save(Document("crashed", Large(given_[0])))
            finally:
                ending()
        elif kind == "wait":
            store.now += timedelta(hours=given_[0])
        elif kind == "orphans":
            sweep()

        found = session.scan(Document).consistent().all()
        assert {each.id: session.fetch(each.body) for each in found} == stored
        held = [each for each in held if store.now - each[0] < DAY]
        for _, value, content in held:
            assert session.fetch(value) == content

    for _ in range(3):
        sweep()
        store.now += DAY
    named = {each.body.place.key for each in session.scan(Document) if each.body.place is not None}
    assert store.objects.keys() - {"documents/orphans.json"} == named

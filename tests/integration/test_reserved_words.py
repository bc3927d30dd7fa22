"""All reserved words as names: in conditions, projections, updates and keys.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import attrs
import pytest

import shared_data
from dynattrs import (
    GlobalIndex,
    LocalIndex,
    Session,
    add,
    all_of,
    between,
    exists,
    field,
    model,
    partition_key,
    path,
    remove,
    set_,
    sort_key,
)

T = TypeVar("T")


def words() -> list[str]:
    return shared_data.read("reserved_words.txt").split()


def chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def model_of(fields: dict[str, Any], annotations: dict[str, Any], **options: Any) -> Any:
    return model("words", **options)(type("Words", (), {"__annotations__": annotations, **fields}))


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    session = Session(client=client, table_prefix=table_prefix)
    yield session
    session.close()


def test_every_reserved_word_is_a_field_in_conditions_projections_and_updates(
    session: Session,
) -> None:
    """The field is called as the word where Python allows it, and stored under it everywhere."""
    found = words()
    assert len(found) == 573
    names = {
        # attrs itself can have no field called `self`.
        word: f"{name}_" if keyword.iskeyword(name) or name == "self" else name
        for word in found
        for name in [word.lower()]
    }
    fields: dict[str, Any] = {names[word]: field(name=word, default=None) for word in found}
    annotations: dict[str, Any] = {names[word]: int | None for word in found}
    cls = model_of({"key_": partition_key(), **fields}, {"key_": str, **annotations}, kw_only=True)
    session.tables.create(cls)
    session.save(cls(key_="x", **{name: n for n, name in enumerate(names.values())}))
    at = path(cls)
    numbered = list(enumerate(names.values()))

    for chunk in chunks(numbered, 60):
        equal = all_of(*(getattr(at, name) == n for n, name in chunk))
        ranged = all_of(*(between(getattr(at, name), n, n + 1) for n, name in chunk))
        query = session.query(cls).where(at.key_ == "x").filter(equal, ranged)
        assert query.consistent().count() == 1

        selected = query.select(*(getattr(at, name) for _, name in chunk))
        assert selected.one() == tuple(n for n, _ in chunk)

        changes = [set_(getattr(at, name), getattr(at, name) + 1) for _, name in chunk[::3]]
        changes += [add(getattr(at, name), 1) for _, name in chunk[1::3]]
        changes += [remove(getattr(at, name)) for _, name in chunk[2::3]]
        there = all_of(*(exists(getattr(at, name)) for _, name in chunk))
        changed = session.update(cls, "x", *changes, when=there)
        values = [getattr(changed, name) for _, name in chunk]
        expected = [None if place % 3 == 2 else n + 1 for place, (n, _) in enumerate(chunk)]
        assert values == expected


@pytest.mark.full
@pytest.mark.threads_only  # the words stand in expressions, which are the same over asyncio
def test_every_reserved_word_is_a_key_of_a_table_and_of_its_indexes(session: Session) -> None:
    for number, chunk in enumerate(chunks(words(), 5)):
        names = [*chunk, *(f"spare{n}" for n in range(5 - len(chunk)))]
        cls: Any = model(
            f"keys{number:03}",
            indexes=[
                GlobalIndex("by-other", partition_key="third", sort_key="fourth"),
                LocalIndex("by-local", sort_key="fifth"),
            ],
        )(
            type(
                "Keys",
                (),
                {
                    "__annotations__": dict.fromkeys(("first", "third", "fourth", "fifth"), str)
                    | {"second": int},
                    "first": partition_key(name=names[0]),
                    "second": sort_key(name=names[1]),
                    "third": field(name=names[2]),
                    "fourth": field(name=names[3]),
                    "fifth": field(name=names[4]),
                },
            )
        )
        session.tables.create(cls)
        obj = session.save(cls(first="a", second=2, third="c", fourth="d", fifth="e"))

        assert session.get(cls, ("a", 2), consistent=True) == obj
        by_key = session.query(cls).where(cls.first == "a", cls.second > 1)
        assert by_key.consistent().page(1).items == (obj,)
        by_index = session.query(cls).where(cls.third == "c", cls.fourth == "d")
        assert by_index.all() == [obj]
        local = session.query(cls).where(cls.first == "a", cls.fifth == "e").using("by-local")
        assert local.after(local.page(1).cursor).all() in ([], [obj])
        assert attrs.asdict(session.update(cls, ("a", 2), set_(cls.fourth, "z")))["fourth"] == "z"
        assert by_key.delete() == 1
        session.tables.delete(cls)

"""Models of many key schemas, their items, and questions about them that queries answer or refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import boto3
from botocore.config import Config
from hypothesis import strategies as st

from dynattrs import (
    GlobalIndex,
    LocalIndex,
    Session,
    Table,
    any_of,
    begins_with,
    between,
    exists,
    field,
    in_,
    is_none,
    mapper,
    model,
    not_,
    not_exists,
    not_none,
    partition_key,
    sort_key,
)
from dynattrs.schema.table import partition_of, sort_of
from shared_data import guide_items, read

# --- Key schemas: those of the sample data ----------------------------------------------------------


@model("planned-ProductCatalog", indexes=[GlobalIndex("by-brand", partition_key="brand")])
class Product:
    id: int = partition_key(name="Id")
    title: str = field(name="Title")
    price: int = field(name="Price")
    category: str = field(name="ProductCategory")
    brand: str | None = field(name="Brand", default=None)


@model(
    "planned-Thread",
    indexes=[
        GlobalIndex("by-poster", partition_key="last_by", sort_key="last_at"),
        GlobalIndex("by-views", partition_key="views", sort_key="subject", projection="keys"),
        LocalIndex("by-time", sort_key="last_at"),
    ],
)
class Thread:
    forum: str = partition_key(name="ForumName")
    subject: str = sort_key(name="Subject")
    last_by: str = field(name="LastPostedBy")
    last_at: str = field(name="LastPostedDateTime")
    views: int = field(name="Views")


@model(
    "planned-Reply",
    indexes=[
        GlobalIndex("by-author", partition_key="by", sort_key="at", projection=["thread"]),
        GlobalIndex("by-message", partition_key="message", sort_key="at", projection=["by"]),
    ],
)
class Reply:
    thread: str = partition_key(name="Id")
    at: str = sort_key(name="ReplyDateTime")
    message: str = field(name="Message")
    by: str = field(name="PostedBy")


BATTLE = Table(
    "planned-battle",
    partition_key="PK",
    sort_key="SK",
    types={"people": "N"},
    indexes=[
        GlobalIndex("inverted", partition_key="SK", sort_key="PK"),
        GlobalIndex("open-games", partition_key="map", sort_key="open_timestamp"),
        GlobalIndex("by-people", partition_key="map", sort_key="people", projection=["creator"]),
    ],
)


@model(BATTLE)
class Entry:
    pk: str = field(name="PK")
    sk: str = field(name="SK")
    map: str | None = None
    open_timestamp: str | None = None
    people: int | None = None
    username: str | None = None


def game_items() -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in read("game_player_items.json").splitlines()]
    few = [row for number, row in enumerate(rows) if "people" in row or number % 9 == 0]
    return [
        {
            name: {"N": str(value)} if isinstance(value, int) else {"S": value}
            for name, value in row.items()
        }
        for row in few
    ]


# --- Key schemas: the borders of what sort keys can be ------------------------------------------------

_ON_GROUP = [
    GlobalIndex("by-group", partition_key="group", sort_key="sort"),
    GlobalIndex("by-group-and-rank", partition_key="group", sort_key="rank"),
    GlobalIndex("by-rank", partition_key="rank", projection="keys"),
    LocalIndex("local-rank", sort_key="rank"),
]


@model("planned-texts", indexes=_ON_GROUP)
class Text:
    part: str = partition_key()
    sort: str = sort_key()
    group: str | None = None
    rank: int | None = None
    note: str = ""


@model("planned-numbers", indexes=_ON_GROUP)
class Number:
    part: Decimal = partition_key()
    sort: Decimal = sort_key()
    group: Decimal | None = None
    rank: int | None = None
    note: str = ""


@model("planned-bytes", indexes=_ON_GROUP)
class Bytes:
    part: bytes = partition_key()
    sort: bytes = sort_key()
    group: bytes | None = None
    rank: int | None = None
    note: str = ""


@model(
    "planned-places",
    indexes=[
        GlobalIndex(
            "by-place",
            partition_key=["country", "region"],
            sort_key=["city", "zone", "number", "code"],
        ),
        GlobalIndex("by-city", partition_key="city", sort_key=["zone", "number"]),
    ],
)
class Place:
    id: int = partition_key()
    country: str | None = None
    region: int | None = None
    city: str | None = None
    zone: bytes | None = None
    number: int | None = None
    code: str | None = None


def places() -> list[dict[str, Any]]:
    """Every fifth lacks one attribute, and is missing from the indexes that have it in their key."""
    names = ("country", "region", "city", "zone", "number", "code")
    items = []
    for n in range(120):
        place = Place(
            n, "AB"[n % 2], n // 2 % 2, "xyz"[n // 4 % 3], bytes([254 + n // 12 % 2]),
            n // 24 % 3 - 1, "pq"[n // 72 % 2],
        )  # fmt: skip
        items.append(mapper.dump(attrs.evolve(place, **{names[n % 6]: None} if n % 5 == 0 else {})))
    return items


TEXTS = [
    "\0", "\0\0", "a", "a\0", "a\0\0", "aa", "ab", "abc", "ac", "a\x7f", "a\x80", "a\u07ff", "a\u0800",
    "a\ud7ff", "a\ue000", "a\uffff", "a\uffffb", "a🎸", "a\U0010ffff", "a\U0010ffff\U0010ffff", "b",
    "\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "🎸",
    "\U0010ffff", "\U0010ffff\0", "\U0010ffff\U0010ffff", "z" * 1024, "\x7f" * 1024,
    "\U0010ffff" * 256,
]  # fmt: skip
NUMBERS = [
    Decimal(text)
    for text in (
        "-9.9999999999999999999999999999999999999E+125", "-9.9999999999999999999999999999999999998E+125",
        "-1E+125", "-12345678901234567890123456789012345678", "-12345678901234567890123456789012345677",
        "-1E+37", "-1", "-0.99999999999999999999999999999999999999", "-0.1", "-1E-129", "-1.1E-130",
        "-1E-130", "0", "1E-130", "1.0000000000000000000000000000000000001E-93", "2E-130", "1E-129",
        "0.1", "0.99999999999999999999999999999999999999", "1", "1.0000000000000000000000000000000000001",
        "1.0000000000000000000000000000000000002", "2", "10", "1E+37",
        "12345678901234567890123456789012345678", "12345678901234567890123456789012345679", "1E+125",
        "9.9999999999999999999999999999999999998E+125", "9.9999999999999999999999999999999999999E+125",
    )
]  # fmt: skip
BYTES = [
    b"\0", b"\0\0", b"a", b"a\0", b"a\0\0", b"aa", b"ab", b"a\xfe", b"a\xff", b"a\xff\0", b"a\xff\xff", b"b",
    b"\x7f", b"\x80", b"\xfe", b"\xfe\xff", b"\xff", b"\xff\0", b"\xff\xff", b"\xff\xff\xff",
    b"z" * 1024, b"\xff" * 1024,
]  # fmt: skip


def bordering(cls: type[Any], values: list[Any]) -> Callable[[], list[dict[str, Any]]]:
    """Two partitions with every value as sort key. Every third has no group, every fourth no rank."""

    def items() -> list[dict[str, Any]]:
        return [
            mapper.dump(
                cls(
                    part,
                    sort,
                    None if number % 3 == 0 else values[2 + number % 2],
                    None if number % 4 == 0 else number % 5,
                    "even" if number % 2 == 0 else "",
                )
            )
            for part in values[2:4]
            for number, sort in enumerate(values)
        ]

    return items


# --- What is drawn ----------------------------------------------------------------------------------


@attrs.frozen
class Schema:
    """A model, its items, and values to ask for by field."""

    cls: Any
    items: Callable[[], list[dict[str, Any]]] = attrs.field(repr=False)
    #: Values that are asked for besides those of the items, of the fields with borders.
    more: dict[str, list[Any]] = attrs.field(factory=dict, repr=False)


INTEGERS = [int(number) for number in NUMBERS if number == int(number) and abs(number) < 1000]
SCHEMAS = [
    Schema(Product, lambda: guide_items("ProductCatalog"), {"id": [0, -1], "price": [0, 10**37]}),
    Schema(
        Thread,
        lambda: guide_items("Thread"),
        {"subject": ["", "D", "S", "T", "DynamoDB Thread"], "last_at": ["2015", "2015-09-15"]},
    ),
    Schema(Reply, lambda: guide_items("Reply"), {"at": ["2015-09-2", "2015", "2016", ""]}),
    Schema(
        Entry,
        game_items,
        {
            "pk": ["GAME#", "USER#"],
            "sk": ["USER#", "#METADATA#", "#METADATA#GAME", "V", ""],
            "open_timestamp": ["2019-04", "2019-05"],
        },
    ),
    Schema(
        Text, bordering(Text, TEXTS), {"sort": ["", "a", "ab", "c", "z" * 1023, "\U0010ffff" * 255]}
    ),
    Schema(
        Number,
        bordering(Number, NUMBERS),
        {"sort": [Decimal("0.5"), Decimal("1E-100"), Decimal(-3), Decimal("1.00")]},
    ),
    Schema(Bytes, bordering(Bytes, BYTES), {"sort": [b"", b"a", b"az", b"c", b"z" * 1023]}),
]


# DynamoDB Local 1.25 does not know keys of several attributes.
SEVERAL = [Schema(Place, places, {"code": ["p", "pp", ""], "region": [7]})]


class Stored:
    """The schemas' tables, and the values in them by field."""

    def __init__(self, client: Any, schemas: list[Schema]) -> None:
        self.session = Session(client=client)
        self.values: dict[type[Any], dict[str, list[Any]]] = {}
        for schema in schemas:
            items = schema.items()
            info = schema.cls.__dynattrs__
            self.session.tables.create(schema.cls)
            for start in range(0, len(items), 25):
                requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
                client.batch_write_item(RequestItems={info.table.name: requests})
            self.values[schema.cls] = {
                name: self._distinct(schema, name, items) for name in info.names
            }

    @staticmethod
    def _distinct(schema: Schema, name: str, items: list[dict[str, Any]]) -> list[Any]:
        found = {getattr(mapper.load(item, schema.cls), name) for item in items} - {None}
        return [*sorted(found), *schema.more.get(name, ())]


def connect(endpoint: str, **credentials: str) -> Any:
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"} | credentials
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
        **keys,
    )


def one_bound(draw: st.DrawFn, path: Any, values: list[Any]) -> Any:
    """A condition on one attribute of a kind that a key condition can state."""
    value = draw(st.sampled_from(values))
    words = ["==", "==", "<", "<=", ">", ">=", "between"]
    if isinstance(value, (str, bytes)):
        words += ["begins_with", "begins_with"]
    word = draw(st.sampled_from(words))
    if word == "between":
        return between(path, value, draw(st.sampled_from(values)))
    if word == "begins_with":
        return begins_with(path, value[: draw(st.integers(0, 3))] if draw(st.booleans()) else value)
    return COMPARE[word](path, value)


COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda path, value: path == value,
    "<": lambda path, value: path < value,
    "<=": lambda path, value: path <= value,
    ">": lambda path, value: path > value,
    ">=": lambda path, value: path >= value,
}


def another(draw: st.DrawFn, path: Any, values: list[Any]) -> Any:
    """A condition on one attribute that no key condition can state."""
    some = draw(st.lists(st.sampled_from(values), max_size=3))
    return draw(
        st.sampled_from([
            exists(path), not_exists(path), is_none(path), not_none(path), in_(path, some),
            *[path != value for value in some],
            *[not_(path == value) for value in some],
            *[any_of(path == value, path > value) for value in some],
        ])
    )  # fmt: skip


@attrs.frozen
class Asked:
    cls: Any
    where: list[Any]
    filters: list[Any]
    using: str | None
    reverse: bool
    what: str


@st.composite
def questions(draw: st.DrawFn, cls: Any, values: dict[str, list[Any]]) -> Asked:
    """Conditions, many of which bind the key of the table or of an index."""
    info = cls.__dynattrs__
    fields = {stored: name for name, stored in info.names.items()}

    def path_of(name: str) -> Any:
        return getattr(cls, name)

    where = []
    index = draw(st.sampled_from([None, None, *info.table.indexes]))
    if draw(st.integers(0, 9)) > 0:
        for stored in partition_of(info.table, index):
            name = fields[stored]
            where.append(path_of(name) == draw(st.sampled_from(values[name])))
        for stored in sort_of(info.table, index):
            name = fields[stored]
            bounds = draw(st.integers(0, 4))
            where += [one_bound(draw, path_of(name), values[name]) for _ in range(bounds)]
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        name = draw(st.sampled_from(sorted(values)))
        make = draw(st.sampled_from([one_bound, another]))
        where.append(make(draw, path_of(name), values[name]))
    filters = []
    for _ in range(draw(st.sampled_from([0, 0, 0, 1]))):
        name = draw(st.sampled_from(sorted(values)))
        filters.append(another(draw, path_of(name), values[name]))
    pinned = index is not None and draw(st.booleans())
    return Asked(
        cls,
        draw(st.permutations(where)),
        filters,
        index.name if index is not None and pinned else None,
        draw(st.booleans()),
        draw(st.sampled_from(["keys", "keys", "raw", "hydrate"])),
    )


def asked_of(session: Session, asked: Asked) -> Any:
    """The query of a question."""
    query = session.query(asked.cls).where(*asked.where).filter(*asked.filters)
    if asked.using is not None:
        query = query.using(asked.using)
    if asked.reverse:
        query = query.reverse()
    if asked.what == "keys":
        return query.keys()
    return query.hydrate().raw() if asked.what == "hydrate" else query.raw()

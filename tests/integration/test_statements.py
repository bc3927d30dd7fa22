"""Batches and transactions of PartiQL statements on each engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from dynattrs import (
    ConditionError,
    ConditionFailed,
    FailedStatement,
    InvalidRequest,
    ItemExists,
    MappingError,
    NoSuchTable,
    QueryError,
    Session,
    SessionClosed,
    StatementsFailed,
    Table,
    TransactionError,
    TransactionFailed,
    field,
    model,
    partition_key,
    set_,
    sort_key,
)


@model("music")
class Song:
    artist: str = partition_key()
    title: str = sort_key()
    plays: int = field(name="played", default=0)
    cover: bytes = b""
    tags: set[str] = attrs.field(factory=set)


@model("members")
class Member:
    id: str = partition_key()
    email: str = field(unique=True)


app = Table("app", partition_key="pk", sort_key="sk", discriminator="type")


@model(app, pk="USER#{name}", sk="USER")
class User:
    name: str
    age: int = 0


@pytest.fixture
def table_prefix(kept_tables: Callable[..., str]) -> str:
    return kept_tables(Song, User, Member)


@pytest.fixture
def session(client: Any, table_prefix: str) -> Iterator[Session]:
    with_prefix = Session(client=client, table_prefix=table_prefix)
    yield with_prefix
    with_prefix.close()


@pytest.fixture
def select(table_prefix: str) -> str:
    return f'SELECT * FROM "{table_prefix}music" WHERE artist = ? AND title = ?'


@pytest.fixture
def play(table_prefix: str) -> str:
    return f'UPDATE "{table_prefix}music" SET played = played + ? WHERE artist = ? AND title = ?'


@pytest.fixture
def songs(session: Session) -> list[Song]:
    made = [Song("Nina", f"{n:03}", n, bytes([n, 255]), {"a", f"{n}"}) for n in range(60)]
    session.save_all(made)
    return made


def plays(session: Session, *titles: str) -> list[int]:
    keys = [("Nina", title) for title in titles]
    found = session.get_many(Song, keys, ordered=True, consistent=True)
    return [song.plays for song in found]


# --- Batches --------------------------------------------------------------------------------------


def test_rows_come_in_the_order_of_the_statements(session: Session, songs: list[Song], select: str):
    titles = [f"{n:03}" for n in (*range(59, -1, -1), 99)]

    rows = session.execute_many(select, [("Nina", title) for title in titles], model=Song)

    assert rows == [*songs[::-1], None]
    assert session.stats.requests["BatchExecuteStatement"] == 3
    assert session.stats.items["BatchExecuteStatement"] == 60


def test_rows_without_a_model_are_plain_dicts(
    session: Session, songs: list[Song], select: str, table_prefix: str
):
    title = f'SELECT title FROM "{table_prefix}music" WHERE artist = ? AND title = ?'

    rows = session.execute_many(
        [(select, "Nina", "001"), (title, "Nina", "002"), (select, "Ella", "x")], consistent=True
    )

    assert rows == [
        {"artist": "Nina", "title": "001", "played": 1, "cover": b"\x01\xff", "tags": {"a", "1"}},
        {"title": "002"},
        None,
    ]


def test_statements_that_write(session: Session, songs: list[Song], play: str, table_prefix: str):
    wanted = [(play, 100, "Nina", song.title) for song in songs]
    returning = f"{play} RETURNING ALL NEW *"

    assert session.execute_many(iter(wanted)) == [None] * 60
    assert plays(session, "000", "059") == [100, 159]
    [row] = session.execute_many([(returning, 1, "Nina", "001")], model=Song)
    assert row == attrs.evolve(songs[1], plays=102)
    insert = f"INSERT INTO \"{table_prefix}music\" VALUE {{'artist': ?, 'title': ?, 'tags': ?}}"
    session.execute_many(insert, [("Ella", "a", {"x", "y"}), ("Ella", "b", {"z"})])
    assert session.get(Song, ("Ella", "a")) == Song("Ella", "a", tags={"x", "y"})


def test_a_statement_without_parameters_is_a_text(
    session: Session, songs: list[Song], table_prefix: str
):
    text = f"SELECT * FROM \"{table_prefix}music\" WHERE artist = 'Nina' AND title = '003'"

    assert session.execute_many([text], model=Song) == [songs[3]]
    assert session.execute_many([]) == session.execute_many(text, []) == []


def test_each_statement_that_fails_is_named(
    session: Session, songs: list[Song], play: str, table_prefix: str
):
    insert = f"INSERT INTO \"{table_prefix}music\" VALUE {{'artist': ?, 'title': ?}}"
    if_many = f"{play} AND played > 1000"
    wanted = [
        (play, 100, "Nina", "000"),
        (if_many, 100, "Nina", "001"),
        (insert, "Nina", "002"),
        "UPDAT nothing",
        (play.replace("music", "missing"), 1, "Nina", "003"),
        (play, 100, "Nina", "none"),
        *((play, 100, "Nina", f"{n:03}") for n in range(10, 40)),
    ]

    with pytest.raises(StatementsFailed, match="5 of 36 statements failed: statement 1") as caught:
        session.execute_many(wanted, model=Song)

    failed = caught.value.failed
    assert [each.position for each in failed] == [1, 2, 3, 4, 5]
    kinds = [type(each.cause) for each in failed]
    assert kinds == [ConditionFailed, ItemExists, InvalidRequest, NoSuchTable, ConditionFailed]
    assert failed[0].statement == if_many
    assert failed[0].parameters == (100, "Nina", "001")
    assert "Nina" not in str(caught.value)
    assert caught.value.results == [None] * 36
    assert plays(session, "000", "001", "010", "039") == [100, 1, 110, 139]


def test_the_item_that_a_condition_met_is_on_the_error(
    session: Session, songs: list[Song], play: str
):
    with pytest.raises(StatementsFailed) as caught:
        session.execute_many([(f"{play} AND played > 1000", 1, "Nina", "001")], model=Song)

    [failed] = caught.value.failed
    assert isinstance(failed.cause, ConditionFailed)
    # DynamoDB Local does not give it in batches.
    assert failed.cause.item in (songs[1], None)
    with pytest.raises(ConditionFailed) as single:
        session.execute(f"{play} AND played > 1000", 1, "Nina", "001", model=Song)
    assert single.value.item in (songs[1], None)


def test_two_statements_that_write_one_item_are_not_repeated(
    session: Session, songs: list[Song], play: str
):
    """DynamoDB Local says that it refuses the batch, and has done it."""
    wanted = [
        (play, n, "Nina", title) for n, title in [(1, "000"), (1, "001"), (10, "000"), (1, "002")]
    ]

    failed: list[FailedStatement] = []
    try:
        assert session.execute_many(wanted) == [None] * 4
    except StatementsFailed as error:
        failed += error.failed

    assert len(failed) in (0, 4)
    for each in failed:
        assert isinstance(each.cause, InvalidRequest)
        assert each.cause.uncertain
        assert "duplicates" in str(each)
        assert "a write may have been applied" in str(each)
    most = zip(plays(session, "000", "001", "002"), [11, 2, 3], strict=True)
    assert all(found <= once for found, once in most)


def test_one_item_may_be_selected_twice(session: Session, songs: list[Song], select: str):
    wanted = [("Nina", "001"), ("Nina", "002"), ("Nina", "001")]

    assert session.execute_many(select, wanted, model=Song) == [songs[1], songs[2], songs[1]]


def test_what_cannot_be_sent_is_refused_before(
    session: Session, songs: list[Song], play: str, select: str
):
    sent = session.stats.total
    wrong: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
        (([(play, 1, "Nina", "000"), (select, "Nina", "000")],), {}, "0 writes and statement 1 reads"),
        ((select,), {}, "statements are expected"),
        ((select, ["Nina"]), {}, "a tuple of parameters is expected"),
        (([select], [("Nina", "000")]), {}, "rows of parameters are for one statement"),
        (([7],), {}, "a statement of PartiQL, a str, is expected"),
        ((7,), {}, "statements are expected"),
        ((select, 7), {}, "rows are expected"),
        (([()],), {}, "a statement of PartiQL"),
        (([(select.replace("*", "title"), "Nina", "000")],), {"model": Song}, r"write SELECT \*"),
    ]  # fmt: skip

    for arguments, options, problem in wrong:
        with pytest.raises(QueryError, match=problem):
            session.execute_many(*arguments, **options)
    with pytest.raises(ConditionError, match="parameter"):
        session.execute_many([(select, "Nina", float("nan"))])
    with pytest.raises(QueryError, match="a str, is expected"):
        session.execute(7)  # type: ignore[call-overload]
    assert session.stats.total == sent


def test_an_item_that_cannot_be_read_leaves_the_other_rows(
    session: Session, songs: list[Song], select: str, table_prefix: str
):
    odd = {"artist": {"S": "Nina"}, "title": {"S": "odd"}, "played": {"S": "x"}}
    session.client.put_item(TableName=f"{table_prefix}music", Item=odd)

    with pytest.raises(StatementsFailed, match=r"Song\.plays") as caught:
        session.execute_many(select, [("Nina", "001"), ("Nina", "odd")], model=Song)

    assert caught.value.results == [songs[1], None]
    [failed] = caught.value.failed
    assert isinstance(failed.cause, MappingError)


def test_a_batch_of_writes_stores_first_what_is_pending(
    session: Session, songs: list[Song], play: str, select: str
):
    with session.batch() as batch:
        batch.save(Song("Nina", "new", 1))
        assert batch.execute_many(select, [("Nina", "new")], consistent=True, model=Song) == [
            Song("Nina", "new", 1)
        ]
        batch.save(Song("Nina", "newer", 1))
        session.execute_many(play, [(5, "Nina", "newer")])

    assert plays(session, "newer") == [6]


def test_the_guard_of_a_unique_value_is_no_row(session: Session, table_prefix: str):
    session.save(Member("m1", "ann@example.com"))
    [guard] = [
        item["id"]["S"]
        for item in session.client.scan(TableName=f"{table_prefix}members")["Items"]
        if item["id"]["S"] != "m1"
    ]
    select = f'SELECT * FROM "{table_prefix}members" WHERE id = ?'

    assert session.execute_many(select, [("m1",), (guard,)], model=Member) == [
        Member("m1", "ann@example.com"),
        None,
    ]


# --- Transactions ---------------------------------------------------------------------------------


def test_statements_are_done_all_at_once(
    session: Session, songs: list[Song], play: str, table_prefix: str
):
    with session.transaction() as t:
        first = t.execute(play, 100, "Nina", "001")
        t.execute(play, 100, "Nina", "002")
        t.execute(
            f"INSERT INTO \"{table_prefix}music\" VALUE {{'artist': 'Ella', 'title': 'Misty'}}"
        )

    assert plays(session, "001", "002") == [101, 102]
    assert session.exists(Song, ("Ella", "Misty"))
    assert first.row is None


def test_rows_of_one_moment(session: Session, songs: list[Song], select: str, table_prefix: str):
    session.save(User("ann", 7))

    with session.transaction() as t:
        song = t.execute(select, "Nina", "001", model=Song)
        user = t.execute(
            f'SELECT * FROM "{table_prefix}app" WHERE pk = ? AND sk = ?',
            "USER#ann",
            "USER",
            model=User,
        )
        nothing = t.execute(select, "Nina", "none")
        plain = t.execute(select, "Nina", "002")
        with pytest.raises(
            TransactionError,
            match="its row is known only when the block of the transaction has ended",
        ):
            print(song.row)

    assert (song.row, user.row, nothing.row) == (songs[1], User("ann", 7), None)
    assert plain.row is not None
    assert plain.row["cover"] == b"\x02\xff"


def test_nothing_is_done_where_one_statement_is_refused(
    session: Session, songs: list[Song], play: str
):
    with pytest.raises(TransactionFailed, match="ConditionalCheckFailed") as caught:
        with session.transaction() as t:
            row = t.execute(play, 100, "Nina", "001")
            t.execute(f"{play} AND played > 1000", 100, "Nina", "002", model=Song)

    assert caught.value.reasons[0] is None
    reason = caught.value.reasons[1]
    assert reason is not None
    assert reason.code == "ConditionalCheckFailed"
    assert "played > 1000" in reason.action
    assert reason.item in (songs[2], None)  # what the engines do not give
    assert plays(session, "001", "002") == [1, 2]
    with pytest.raises(TransactionError, match="its row is known only"):
        print(row.row)


def test_a_token_makes_a_transaction_of_statements_happen_once(
    session: Session, songs: list[Song], play: str
):
    token = f"t-{id(songs)}"
    for _ in range(2):
        with session.transaction(token=token) as t:
            t.execute(play, 100, "Nina", "001")
    assert plays(session, "001") == [101]

    with pytest.raises(TransactionError, match="was used within the last ten"):
        with session.transaction(token=token) as t:
            t.execute(play, 100, "Nina", "002")


def test_what_no_transaction_takes(session: Session, songs: list[Song], play: str, select: str):
    sent = session.stats.total
    with session.transaction() as t:
        t.save(songs[0])
        with pytest.raises(TransactionError, match="statements or other actions, not both"):
            t.execute(play, 1, "Nina", "001")
        t._actions.keep(0)
    with pytest.raises(TransactionError, match="would be statement 101"):
        with session.transaction() as t:
            for n in range(101):
                t.execute(play, 1, "Nina", str(n))
    for wrong, problem in [
        (
            lambda t: t.update(Song, ("Nina", "001"), set_(Song.plays, 1)),
            "has statements of PartiQL",
        ),
        (lambda t: t.execute(select, "Nina", "001"), "one reads and the other writes"),
        (lambda t: t.execute(play + " AND", object()), "parameter"),
    ]:
        with session.transaction() as t:
            t.execute(play, 0, "Nina", "001")
            with pytest.raises((TransactionError, ConditionError), match=problem):
                wrong(t)
    with session.transaction(token="t") as t:
        with pytest.raises(TransactionError, match="leave the token out"):
            t.execute(select, "Nina", "001")
        with pytest.raises(QueryError, match=r"write SELECT \*"):
            t.execute(select.replace("*", "title"), "Nina", "001", model=Song)
    with pytest.raises(SessionClosed):
        t.execute(select, "Nina", "001")
    assert session.stats.total == sent + 3
    with pytest.raises(TransactionError, match="has no open block"):
        session.transaction().execute(select, "Nina", "001")


def test_a_syntax_error_is_named(session: Session, songs: list[Song], play: str):
    with pytest.raises(InvalidRequest, match=r"(?i)well formed"):
        with session.transaction() as t:
            t.execute(play, 100, "Nina", "001")
            t.execute("UPDAT nothing")
    assert plays(session, "001") == [1]


def test_a_transaction_of_a_batch_stores_first_what_is_pending(
    session: Session, play: str, select: str
):
    with session.batch() as batch:
        batch.save(Song("Nina", "new", 1))
        with batch.transaction() as t:
            t.execute(play, 2, "Nina", "new")
        batch.save(Song("Nina", "newer", 5))
        with batch.transaction() as t:
            found = t.execute(select, "Nina", "newer", model=Song)
        assert found.row == Song("Nina", "newer", 5)

    assert plays(session, "new") == [3]


def test_statements_are_refused_in_the_block_of_a_transaction(
    session: Session, play: str, select: str
):
    with session.transaction():
        assert session.execute_many(select, [("Nina", "x")]) == [None]
        with pytest.raises(TransactionError, match="a transaction is open here"):
            session.execute_many(play, [(1, "Nina", "x")])


def test_a_transaction_shows_its_statements(session: Session, play: str):
    with pytest.raises(ZeroDivisionError), session.transaction() as t:
        row = t.execute(play, 1, "Nina", "x")
        assert "of 1 action: execute('UPDATE" in repr(t)
        assert "not yet" in repr(row)
        raise ZeroDivisionError

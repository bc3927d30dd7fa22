"""PynamoDB 5.5 and 6.1 as the other programs on the same items: each reads what any of them has written."""

from __future__ import annotations

import base64
import enum
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, datetime, timedelta, timezone
from typing import Any, NamedTuple
from uuid import UUID

import attrs
import pytest

import beside_pynamodb
import other_programs
from beside_pynamodb import Cat, Counted, Dog, Everything
from dynattrs import ConditionFailed, MappingError, ModelError, Session, mapper
from dynattrs.tools.generation.trial import same_item
from other_programs import OtherError

hypothesis = pytest.importorskip("hypothesis")
from pynamodb_values import NOON, VALUES  # noqa: E402

st = hypothesis.strategies

pytestmark = [pytest.mark.others, pytest.mark.threads_only("programs take turns")]

OLD = ("pynamodb-5", "pynamodb-6")


@attrs.frozen
class Programs:
    """The old programs and the new one, on the same tables."""

    session: Session
    by_name: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.by_name[name]

    @property
    def all(self) -> list[Any]:
        return list(self.by_name.values())


@pytest.fixture(scope="module")
def processes() -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(other_programs.running(name)) for name in OLD}


@pytest.fixture(scope="module")
def prefixes() -> dict[str, str]:
    """By endpoint, the prefix of tables that all tests use, one after the other."""
    return {}


@pytest.fixture
def prefix(client: Any, endpoint: Any, prefixes: dict[str, str]) -> str:
    """The prefix of tables with nothing in them."""
    models = (Everything, Counted, Dog)
    if endpoint.url not in prefixes:
        prefixes[endpoint.url] = f"beside-{secrets.token_hex(4)}-"
        with Session(client=client, table_prefix=prefixes[endpoint.url]) as session:
            session.tables.create(*models)
    for table in ("everything", "counted", "animals"):
        name = prefixes[endpoint.url] + table
        keys = ("owner", "at") if table == "everything" else ("id",)
        for item in client.scan(TableName=name)["Items"]:
            client.delete_item(TableName=name, Key={each: item[each] for each in keys})
    return prefixes[endpoint.url]


@pytest.fixture
def programs(
    client: Any, endpoint: Any, prefix: str, processes: dict[str, Any]
) -> Iterator[Programs]:
    access, secret = (
        endpoint.credentials[name] for name in ("aws_access_key_id", "aws_secret_access_key")
    )
    for process in processes.values():
        process.connect(endpoint=endpoint.url, prefix=prefix, access=access, secret=secret)
    with Session(client=client, table_prefix=prefix) as session:
        yield Programs(session, {**processes, "dynattrs": beside_pynamodb.Program(session)})


#: Of these PynamoDB has no None: a default stands in its place.
NEVER_NONE = {"count"}
SETS = {"datas", "words", "numbers"}
#: What an update writes, which PynamoDB compares in conditions.
COMPARED = [
    "when", "number", "count", "flag", "data", "iso", "seconds", "day", "color", "uid", "plain",
]  # fmt: skip


@st.composite
def changes(draw: Any, most: int = 4) -> dict[str, Any]:
    """New values for some fields, None among them."""
    names = draw(st.lists(st.sampled_from(list(VALUES)), max_size=most, unique=True))
    found = {}
    for name in names:
        value = draw(VALUES[name])
        never = name in NEVER_NONE or name in SETS
        found[name] = value if never or draw(st.integers(0, 3)) else None
    return found


def after(state: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """What an item has once some fields were assigned."""
    found = {**state, **fields}
    return {name: value for name, value in found.items() if value is not None and value != set()}


KEY = ["ann", NOON]
START = {"owner": "ann", "at": NOON, "count": 7}
STEPS = ["save", "change", "update", "add", "remove", "delete", "edit"]


@hypothesis.settings(
    suppress_health_check=[*hypothesis.HealthCheck], deadline=None,
)  # fmt: skip
@hypothesis.given(data=st.data())
def test_each_program_reads_what_any_has_written_after_each_step(
    programs: Programs, data: Any
) -> None:
    client: Any = programs.session.client
    state: dict[str, Any] | None = None
    for _ in range(data.draw(st.integers(2, 6), label="steps")):
        name = data.draw(st.sampled_from([*OLD, "dynattrs"]), label="program")
        state = step(data, programs[name], state)
        expected = shown(state)
        for reader in programs.all:
            assert shown(reader.get(model="Everything", key=KEY)) == expected
    programs.session.delete(Everything, tuple(KEY))
    assert client is programs.session.client


def step(data: Any, program: Any, state: dict[str, Any] | None) -> dict[str, Any] | None:
    """Let a program write, and give what the item has then."""
    verb = "save" if state is None else data.draw(st.sampled_from(STEPS), label="verb")
    this: dict[str, Any] = {"model": "Everything", "key": KEY}
    if verb == "save":
        fields = after({}, data.draw(changes(10)))
        program.save(model="Everything", fields={**START, **fields})
        return {**START, **fields}
    assert state is not None
    if verb in ("change", "edit"):
        fields = data.draw(changes())
        own = isinstance(program, beside_pynamodb.Program)
        getattr(program, verb if own else "change")(**this, fields=fields)
        return after(state, fields)
    if verb == "update":
        field = data.draw(st.sampled_from(COMPARED))
        value = data.draw(VALUES[field])
        known = [each for each in COMPARED if each in state]
        when = data.draw(st.one_of(st.none(), st.sampled_from(known)))
        condition = None if when is None else [when, state[when]]
        program.update(**this, field=field, value=value, when=condition)
        return after(state, {field: value})
    if verb in ("add", "remove"):
        field = data.draw(st.sampled_from(["datas", "words"]))
        value = data.draw(VALUES[field].filter(bool))
        getattr(program, verb)(**this, field=field, value=value)
        before = state.get(field, set())
        return after(state, {field: before | value if verb == "add" else before - value})
    program.delete(**this)
    return None


def shown(fields: Any) -> Any:
    """Fields with numbers as they are equal, and without what is a matter of taste."""
    if fields is None:
        return None
    return {name: plain(value) for name, value in fields.items()}


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc)
    return value


# --- What each finds of the others' --------------------------------------------------------------


@pytest.fixture
def three(programs: Programs) -> Programs:
    """One item of each program, in one partition, all alike but for their sort keys."""
    for number, program in enumerate(programs.all):
        fields = {
            "owner": "ann", "at": NOON + timedelta(minutes=number), "text": "t", "when": NOON,
            "data": b"\xca\xfe", "doc": {"é": 1}, "number": 0.1, "day": date(2026, 11, 23),
            "micros": NOON, "uid": UUID(int=1), "plain": UUID(int=1), "pair": (1, "a"), "count": 1,
            "words": {"a", "b"}, "flag": True,
        }  # fmt: skip
        program.save(model="Everything", fields=fields)
    return programs


ASKED: list[dict[str, Any]] = [
    {"since": NOON},
    {"index": "by_text", "hash": "t", "since": NOON},
    {"index": "by_data", "hash": b"\xca\xfe"},
    *(
        {"where": [field, value]}
        for field, value in [
            ("when", NOON), ("data", b"\xca\xfe"), ("doc", {"é": 1}), ("number", 0.1),
            ("day", date(2026, 11, 23)), ("micros", NOON), ("uid", UUID(int=1)),
            ("plain", UUID(int=1)), ("pair", (1, "a")), ("words", {"b", "a"}), ("flag", True),
        ]
    ),
]  # fmt: skip


def test_each_finds_the_items_of_all(three: Programs) -> None:
    for program in three.all:
        for asked in ASKED:
            found = program.query(model="Everything", **{"hash": "ann", **asked})
            assert len(found) == 3, asked


@pytest.mark.parametrize("name", OLD)
def test_a_walk_that_an_old_program_has_begun_is_gone_on_with(three: Programs, name: str) -> None:
    begun, key = three[name].page(model="Everything", hash="ann", size=1)
    rest = three.session.query(Everything).where(Everything.owner == "ann").after(key).all()
    assert [each["at"] for each in begun] + [each.at for each in rest] == [
        NOON + timedelta(minutes=number) for number in range(3)
    ]


@pytest.mark.parametrize("name", OLD)
def test_versions_guard_what_either_writes(programs: Programs, name: str) -> None:
    old, session = programs[name], programs.session
    old.save(model="Counted", fields={"id": "a"})
    mine = session.get_one(Counted, "a")
    assert mine.version == 1
    old.change(model="Counted", key=["a"], fields={"number": 5})
    mine.number = 6
    with pytest.raises(ConditionFailed):
        session.save(mine)
    mine = session.get_one(Counted, "a")
    mine.number = 7
    session.save(mine)
    assert old.get(model="Counted", key=["a"]) == {"id": "a", "number": 7, "version": 3}
    session.save(Counted("b"))
    old.change(model="Counted", key=["b"], fields={"number": 1})
    assert session.get_one(Counted, "b") == Counted("b", 1, version=2)


@pytest.mark.parametrize("name", OLD)
def test_models_of_one_table_are_told_apart_by_their_discriminator(
    programs: Programs, name: str
) -> None:
    old, session = programs[name], programs.session
    old.save(model="Dog", fields={"id": "a", "name": "Rex", "born": NOON})
    session.save(Cat("b", 7, name="Tom"))
    assert session.get(Dog, "a") == Dog("a", NOON, name="Rex")
    assert old.get(model="Animal", key=["b"]) == {
        "id": "b",
        "name": "Tom",
        "lives": 7,
        "cls": "Cat",
    }
    assert [each["cls"] for each in old.scan(model="Cat")] == ["Cat"]
    assert session.scan(Dog).all() == [Dog("a", NOON, name="Rex")]
    assert {type(each) for each in session.scan(Dog, Cat)} == {Dog, Cat}


@pytest.mark.parametrize("name", OLD)
def test_empty_sets_in_lists_are_null(programs: Programs, name: str) -> None:
    programs["dynattrs"].save(model="Everything", fields={**START, "sets": [{"a"}, set()]})
    found = programs[name].get(model="Everything", key=KEY)
    assert found["sets"] == [{"a"}, None]
    programs[name].change(model="Everything", key=KEY, fields={"text": "x"})
    assert programs["dynattrs"].get(model="Everything", key=KEY)["sets"] == [{"a"}, set()]


@pytest.mark.parametrize("name", OLD)
def test_nan_stays_in_json(programs: Programs, name: str) -> None:
    for writer, reader in [(name, "dynattrs"), ("dynattrs", name)]:
        programs[writer].save(model="Everything", fields={**START, "doc": [float("nan")]})
        [found] = programs[reader].get(model="Everything", key=KEY)["doc"]
        assert found != found


# --- What is not common --------------------------------------------------------------------------


@pytest.mark.parametrize("name", OLD)
def test_an_old_save_erases_what_its_class_lacks_and_a_new_one_nothing(
    programs: Programs, client: Any, prefix: str, name: str
) -> None:
    key = {"owner": {"S": "ann"}, "at": {"S": "2026-11-23T12:30:00.000000+0000"}}
    item = {**key, "newer": {"S": "x"}}
    client.put_item(TableName=f"{prefix}everything", Item=item)
    programs["dynattrs"].change(model="Everything", key=KEY, fields={"text": "x"})
    read = {"TableName": f"{prefix}everything", "Key": key}
    assert client.get_item(**read)["Item"]["newer"] == {"S": "x"}
    programs[name].change(model="Everything", key=KEY, fields={"text": "y"})
    assert "newer" not in client.get_item(**read)["Item"]


@pytest.mark.parametrize("name", OLD)
def test_an_old_program_cannot_read_a_kind_that_it_does_not_know(
    programs: Programs, client: Any, prefix: str, name: str
) -> None:
    item = {"id": {"S": "c"}, "cls": {"S": "fish"}}
    client.put_item(TableName=f"{prefix}animals", Item=item)
    with pytest.raises(OtherError, match="fish"):
        programs[name].get(model="Animal", key=["c"])


@pytest.mark.parametrize("name", OLD)
def test_an_old_program_reads_no_other_datetime(
    programs: Programs, client: Any, prefix: str, name: str
) -> None:
    item = {
        "owner": {"S": "ann"},
        "at": {"S": "2026-11-23T12:30:00.000000+0000"},
        "when": {"S": "2026-11-23T12:30:00.000000Z"},
    }
    client.put_item(TableName=f"{prefix}everything", Item=item)
    assert programs["dynattrs"].get(model="Everything", key=KEY)["when"] == NOON
    with pytest.raises(OtherError, match="does not match format"):
        programs[name].get(model="Everything", key=KEY)


def test_bytes_inside_of_maps_are_not_common(programs: Programs) -> None:
    """Why they are refused: 5.5 adds a layer of base64 with each save, and 6.1 stores them as they are."""
    found = []
    for name in OLD:
        programs[name].save(model="Everything", fields={**START, "raws": [b"ab"]})
        programs[name].change(model="Everything", key=KEY, fields={"text": "x"})
        item = programs.session.query(Everything).where(Everything.owner == "ann").raw().first()
        found.append(item["raws"]["L"][0]["B"])
    assert base64.b64decode(base64.b64decode(found[0])) == b"ab"
    assert found[1] == b"ab"
    with pytest.raises(MappingError, match="PynamoDB 5"):
        programs["dynattrs"].save(model="Everything", fields={**START, "raws": [b"ab"]})


# --- Translation ---------------------------------------------------------------------------------


def made_of(source: str, **names: Any) -> dict[str, Any]:
    """The module of a source, where names of the old program are others'."""
    namespace: dict[str, Any] = {"__name__": "translated", **names}
    lines = [line for line in source.splitlines() if not line.startswith("from pynamodb_program ")]
    lines = [line for line in lines if not line.startswith(("from odd_models ", "from clashing_"))]
    exec(compile("\n".join(lines), "<translated>", "exec", dont_inherit=True), namespace)
    return namespace


def test_translated_models_read_and_write_what_the_old_ones_do(programs: Programs) -> None:
    source, *others = [programs[name].translate(module="pynamodb_program") for name in OLD]
    assert others == [source]
    found = made_of(
        source, Color=beside_pynamodb.Color, Level=beside_pynamodb.Level, Pair=beside_pynamodb.Pair
    )
    fields = {
        **START, "text": "t", "when": NOON, "number": 2.5, "flag": True, "data": b"\xca\xfe",
        "datas": {b"a"}, "words": {"a"}, "numbers": {1, 2.5}, "doc": {"é": [1, 2.5]},
        "raw": {"a": [1, None]}, "raws": [True, {"b": "c"}],
        "spot": {"Spot": {"name": "x", "at": NOON, "words": {"w"}, "weight": 1}},
        "spots": [{"Spot": {"name": "y", "weight": 3}}],
        "shape": {"Square": {"size": 1, "colors": {"red"}}}, "shapes": [{"Circle": {"size": 2}}],
        "sets": [{"a"}], "expires": NOON, "iso": NOON, "seconds": NOON, "millis": NOON,
        "micros": NOON, "span": timedelta(1), "span_ms": timedelta(1), "span_us": timedelta(1),
        "day": date(2026, 11, 23), "color": "red", "level": 2, "pair": (1, "a"), "uid": UUID(int=1),
        "plain": UUID(int=2),
    }  # fmt: skip
    for name in OLD:
        programs[name].save(model="Everything", fields=fields)
        before = programs.session.query(Everything).where(Everything.owner == "ann").raw().first()
        cls = found["Everything"]
        obj = programs.session.get_one(cls, tuple(KEY))
        programs.session.save(obj)
        item = programs.session.query(Everything).where(Everything.owner == "ann").raw().first()
        assert same_item(item, before)
        assert shown(programs[name].get(model="Everything", key=KEY)) == shown(fields)
    dog = found["Dog"](id="a", name="Rex", born=NOON)
    programs.session.save(dog)
    assert programs["pynamodb-6"].get(model="Animal", key=["a"])["cls"] == "Dog"


def test_a_translation_says_what_it_cannot_know(programs: Programs) -> None:
    class Mood(enum.Enum):
        GOOD = "good"
        OTHER = "other"

    class Point(NamedTuple):
        x: int
        y: int

    source = programs["pynamodb-6"].translate(module="odd_models")
    found = made_of(source, Mood=Mood, Point=Point, now=lambda: NOON)
    for line in [
        "from odd_models import Mood, Point, now",
        "    # TODO: it had a default for new items, and None in old ones",
        "    fresh: str | None = None",
        "    # TODO: Upper stores S in a form of its own",
        "    # TODO: Money stores N in a form of its own",
        "    # TODO: its default was made by a function",
        "    renamed: str | None = None",
        "    made: datetime = field(factory=now)",
        "    seen: datetime = field(factory=lambda: datetime.now(timezone.utc))",
        "    old: Annotated[bytes, pynamodb.LegacyBinary] | None = None",
        "    olds: Annotated[set[bytes], pynamodb.LegacyBinary] = field(factory=set)",
        "    raw: Annotated[bytes, pynamodb.Binary] | None = None",
        "    map: dict[str, Any] = field(factory=lambda: {'a': 1})",
        "    mood: Annotated[Mood, pynamodb.UnknownValue(Mood.OTHER)] | None = None",
        '    point: Annotated[Point, pynamodb.DelimitedTuple("/")] | None = None',
        '@model(VEHICLES, forms=pynamodb.forms, kind=("car", "auto"), kw_only=True)',
        '        LocalIndex("by-made", sort_key="made", projection="keys"),',
        '        GlobalIndex("by_size", partition_key="size", projection=["number"]),',
    ]:
        assert line in source.splitlines()
    assert found["Car"](id="a").doors == 4
    assert issubclass(found["Van"], found["Car"])


def test_a_translation_keeps_apart_what_has_one_name(programs: Programs) -> None:
    class Mood(enum.Enum):
        GOOD = "good"

    class Holder:
        pass

    vars_of: Any = Holder
    vars_of.Mood = Mood
    source, *others = [programs[name].translate(module="clashing_models") for name in OLD]
    assert others == [source]
    assert "cannot be imported" not in source
    found = made_of(
        source, First2=Holder, Kind=Mood, Kind2=beside_pynamodb.Color,
        made=lambda: "here", made2=lambda: "there",
    )  # fmt: skip
    for line in [
        "from clashing_models import First as First2, Kind, made",
        "from clashing_parts import Kind as Kind2, made as made2",
        "    number: int = partition_key()",
        "    # TODO: it could be None, which a key of an index cannot be",
        '    state: str = "new"',
        "    # TODO: it was declared in the index alone",
        "    # TODO: its default was {'a'}: fill it where objects are made",
        "    # TODO: Cents stores S in a form of its own",
        "    # TODO: Shown stores S in a form of its own",
        "    # TODO: Open declares at, and takes other keys: a TypedDict does so, too",
        '    rev: float = float("inf")',
    ]:
        assert line in source.splitlines()
    assert "Common" not in found
    first = found["First"]("1", inner=found["Inner"]("a"), theirs=found["Inner2"]("c"))
    assert (first.here, first.there) == ("here", "there")
    second = found["Second"](1, "t", inner=found["SecondInner"](2.0), str_="s", rev=1)
    stored = mapper.dump(second)
    names = {"number", "title", "inner", "state", "str", "_rev", "rev"}
    assert stored.keys() == names
    assert mapper.load(stored, found["Second"]) == second


def test_bytes_inside_are_translated_as_the_version_stores_them(programs: Programs) -> None:
    old, new = [programs[name].translate(module="clashing_parts") for name in sorted(OLD)]
    assert '"holders", forms=pynamodb.forms)' in old
    assert "# TODO: this draft cannot be imported yet: ModelError: Holder.blobs" in old
    assert '"holders", forms=pynamodb.forms(version=6))' in new
    with pytest.raises(ModelError, match="PynamoDB 5 adds a layer of base64"):
        made_of(old)
    made_of(new)


def test_a_module_without_models_is_told(programs: Programs) -> None:
    with pytest.raises(OtherError, match="json defines no models of PynamoDB"):
        programs["pynamodb-6"].translate(module="json")


def test_a_part_has_the_models_default_for_what_is_null_or_absent(
    programs: Programs, client: Any, prefix: str
) -> None:
    """PynamoDB gives the default for both, whatever the class says that reads the item."""
    key = {"owner": {"S": "ann"}, "at": {"S": "2026-11-23T12:30:00.000000+0000"}}
    item = {**key, "count": {"NULL": True}}
    client.put_item(TableName=f"{prefix}everything", Item=item)

    @attrs.define
    class Part:
        owner: str
        count: int

    for name in OLD:
        assert programs[name].get(model="Everything", key=KEY)["count"] == 7
    assert programs.session.get(Everything, tuple(KEY), as_=Part) == Part("ann", 7)
    assert programs.session.scan(Everything).as_(Part).all() == [Part("ann", 7)]
    assert programs.session.get_one(Everything, tuple(KEY)).count == 7

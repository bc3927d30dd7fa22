"""Random programs beside another one, which writes the same items through boto3 in other spellings.

Whatever each does, a verb that is given an object acts on the very item that was read, an item that
nothing has changed is never in the way of a guard, and each model leaves the other's items alone.
"""

from __future__ import annotations

import contextlib
import copy
import pickle
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import attrs
import boto3
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dynattrs import (
    ConditionFailed,
    DynattrsError,
    ItemExists,
    KeyChanged,
    NoSuchItem,
    OtherKind,
    Session,
    TransactionFailed,
    UnsentWrites,
    evolve,
    mapper,
    set_,
)
from foreign_program import (
    APP,
    FIELDS,
    FORMS,
    INSTANTS,
    MODELS,
    NAMES,
    Note,
    Place,
    State,
    Visit,
    foreign_item,
    foreign_place,
    key_at,
    stored,
    stored_value,
    usual_place,
)

PREFIX = "foreign-"

CLASSES = st.sampled_from(MODELS)
PEOPLE = st.sampled_from(["a", "b"])
AT = st.sampled_from(INSTANTS)
FORM = st.sampled_from(FORMS)
WHICH = st.integers(0, 30)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "state": st.sampled_from(["new", "open", "done"]),
    "since": st.none() | AT,
    "rate": st.sampled_from([0.0, 0.1, 2.5]),
    "seen": st.sampled_from([3, 4, 5]),
}
ALL = st.fixed_dictionaries(VALUES)
SOME = st.fixed_dictionaries({}, optional=VALUES)
ABSENT = st.sets(st.sampled_from(["seen", "since"]))
VERSIONS = st.sampled_from([None, 0, 1, 5])


@pytest.fixture(params=["dynamodb-local", "embedded"])
def endpoint(request: pytest.FixtureRequest) -> dict[str, Any]:
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    if request.param == "dynamodb-local":
        return {"endpoint_url": request.getfixturevalue("dynamodb_local"), **keys}
    lease = request.getfixturevalue("embedded")
    keys = {"aws_access_key_id": lease.access_key, "aws_secret_access_key": lease.secret_key}
    return {"endpoint_url": lease.endpoint_url, **keys}


@pytest.fixture
def client(endpoint: dict[str, Any]) -> Iterator[Any]:
    once = Config(retries={"mode": "standard", "total_max_attempts": 1})
    client = boto3.client("dynamodb", region_name="us-east-1", config=once, **endpoint)
    session = Session(client=client, table_prefix=PREFIX)
    session.tables.create(Visit, APP)
    yield client
    session.tables.delete(Visit, APP)
    session.close()
    client.close()


@attrs.define(eq=False)
class Held:
    """An object that the program has.

    Attributes:
        obj: The object.
        place: Where the item is that it is about.
        version: The version that was read; None if there was none.
        extra: What it carries that its class does not know.
        base: Where its next edit begins, if the last one failed.
    """

    obj: Any
    place: Place
    version: int | None = None
    extra: str | None = None
    base: dict[str, Any] | None = None

    @property
    def cls(self) -> Any:
        return type(self.obj)

    @property
    def versioned(self) -> bool:
        return self.cls is not Note

    def fields(self) -> dict[str, Any]:
        return {name: getattr(self.obj, name) for name in FIELDS}

    def state(self) -> State:
        """What a save makes of it."""
        version = (self.version or 0) + 1 if self.versioned else None
        return State(self.cls, self.fields(), version, self.extra)


class Programs(RuleBasedStateMachine):
    def __init__(self, client: Any) -> None:
        super().__init__()
        self.client = client
        self.box = secrets.token_hex(6)
        self.session = Session(client=client, table_prefix=PREFIX)
        self.world: dict[Place, State] = {}
        self.held: list[Held] = []

    def teardown(self) -> None:
        for place in stored(self.client, PREFIX, self.box):
            self.client.delete_item(TableName=self.table(place), Key=key_at(place))
        self.session.close()

    def table(self, place: Place) -> str:
        return PREFIX + ("program_visits" if place.table == "visits" else "program_app")

    @invariant()
    def what_is_stored_is_what_the_programs_say(self) -> None:
        assert stored(self.client, PREFIX, self.box) == self.world

    # --- What rules share ---

    def key(self, cls: Any, who: str, at: Any) -> Any:
        if cls is Visit:
            return (f"{self.box}#{who}", at)
        return {"box": self.box, "who": who, "at": at}

    def made(self, cls: Any, who: str, at: Any, **fields: Any) -> Any:
        who = f"{self.box}#{who}" if cls is Visit else who
        return cls(who, at, self.box, **fields)

    def place_of(self, obj: Any) -> Place:
        """Where an object would be put that was never read."""
        who = obj.who.removeprefix(f"{self.box}#")
        return usual_place(type(obj), self.box, who, obj.at)

    def chosen(self, which: int) -> Held:
        return self.held[which % len(self.held)]

    def hold(self, held: Held) -> None:
        self.held = [*self.held[-4:], held]

    def there(self, held: Held) -> State | None:
        """The item of an object; None if there is none, or another model's."""
        found = self.world.get(held.place)
        return found if found is not None and found.model is held.cls else None

    def conflicts(self, held: Held) -> bool:
        """Whether the stored version is another one than was read."""
        if not held.versioned:
            return False
        found = self.world.get(held.place)
        return (None if found is None else found.version) != held.version

    def written(self, held: Held, state: State) -> None:
        """What was put is stored, and the object's own."""
        self.world[held.place] = state
        held.version, held.base = state.version, None

    # --- The other program ---

    @rule(cls=CLASSES, who=PEOPLE, at=AT, form=FORM, capitals=st.booleans(), fields=ALL,
          absent=ABSENT, version=VERSIONS, extra=st.sampled_from([None, "x"]))  # fmt: skip
    def foreign_put(
        self, cls: Any, who: str, at: Any, form: str, capitals: bool, fields: dict[str, Any],
        absent: set[str], version: int | None, extra: str | None,
    ) -> None:  # fmt: skip
        place = foreign_place(cls, self.box, who, at, form, capitals)
        state = State(cls, fields, None if cls is Note else version, extra)
        item = foreign_item(place, self.box, who, at, state, form, absent)
        self.client.put_item(TableName=self.table(place), Item=item)
        defaults = {"seen": 3, "since": None}
        state.fields = {**fields, **{name: defaults[name] for name in absent}}
        self.world[place] = state

    @precondition(lambda self: self.world)
    @rule(which=WHICH, fields=SOME, form=FORM)
    def foreign_update(self, which: int, fields: dict[str, Any], form: str) -> None:
        place = sorted(self.world)[which % len(self.world)]
        for name, value in fields.items():
            self.client.update_item(
                TableName=self.table(place), Key=key_at(place), UpdateExpression="SET #n = :v",
                ExpressionAttributeNames={"#n": name},
                ExpressionAttributeValues={":v": stored_value(name, value, form)},
            )  # fmt: skip
        self.world[place].fields.update(fields)

    @precondition(lambda self: self.world)
    @rule(which=WHICH)
    def foreign_delete(self, which: int) -> None:
        place = sorted(self.world)[which % len(self.world)]
        self.client.delete_item(TableName=self.table(place), Key=key_at(place))
        del self.world[place]

    # --- Objects ---

    @rule(cls=CLASSES, who=PEOPLE, at=AT, fields=SOME)
    def new(self, cls: Any, who: str, at: Any, fields: dict[str, Any]) -> None:
        obj = self.made(cls, who, at, **fields)
        self.hold(Held(obj, self.place_of(obj)))

    @rule(cls=CLASSES, how=st.sampled_from(["scan", "statement", "raw"]))
    def read(self, cls: Any, how: str) -> None:
        """Everything of a model is what is stored of it."""
        if how == "scan":
            found = self.session.scan(cls).consistent().all()
        elif how == "raw":
            found = [mapper.load(item, cls) for item in self.session.scan(cls).raw()]
        else:
            kind = "" if cls is Visit else f" WHERE type = '{cls.__name__}'"
            table = PREFIX + ("program_visits" if cls is Visit else "program_app")
            found = list(self.session.execute(f'SELECT * FROM "{table}"{kind}', model=cls))
        read: dict[Place, Held] = {}
        for obj in found:
            item = mapper.dump(obj)
            place = Place("visits" if cls is Visit else "app", *(item[n]["S"] for n in NAMES[cls]))
            if not place.who.lower().startswith(self.box):
                continue
            assert place not in read
            read[place] = Held(obj, place)
        own = {place: state for place, state in self.world.items() if state.model is cls}
        assert {place: held.fields() for place, held in read.items()} == {
            place: state.fields for place, state in own.items()
        }
        for place, held in read.items():
            held.version, held.extra = own[place].version, own[place].extra
            if held.versioned:
                assert held.obj.version == (held.version or 0)
            self.hold(held)

    @precondition(lambda self: self.held)
    @rule(which=WHICH, fields=SOME)
    def assign(self, which: int, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            setattr(self.chosen(which).obj, name, value)

    @precondition(lambda self: self.held)
    @rule(which=WHICH, how=st.sampled_from(
        [copy.copy, copy.deepcopy, evolve, lambda obj: pickle.loads(pickle.dumps(obj))]
    ))  # fmt: skip
    def copy(self, which: int, how: Callable[[Any], Any]) -> None:
        held = self.chosen(which)
        self.hold(attrs.evolve(held, obj=how(held.obj)))

    # --- Verbs that are given an object ---

    @precondition(lambda self: self.held)
    @rule(which=WHICH, how=st.sampled_from(["save", "save_all", "batch", "transaction"]))
    def save(self, which: int, how: str) -> None:
        held = self.chosen(which)
        after, conflict = held.state(), self.conflicts(held)
        try:
            if how == "batch":
                with self.session.batch() as batch:
                    batch.save(held.obj)
            elif how == "transaction":
                with self.session.transaction() as t:
                    t.save(held.obj)
            elif how == "save_all":
                self.session.save_all([held.obj])
            else:
                self.session.save(held.obj)
        except (ConditionFailed, UnsentWrites, TransactionFailed):
            assert conflict
        else:
            assert not conflict
            self.written(held, after)

    @precondition(lambda self: self.held)
    @rule(which=WHICH)
    def insert(self, which: int) -> None:
        held = self.chosen(which)
        after = held.state()
        try:
            self.session.insert(held.obj)
        except ItemExists:
            assert held.place in self.world
        else:
            assert held.place not in self.world
            self.written(held, after)

    @precondition(lambda self: self.held)
    @rule(which=WHICH, how=st.sampled_from(["delete", "batch", "transaction"]))
    def delete(self, which: int, how: str) -> None:
        held = self.chosen(which)
        conflict, other = self.conflicts(held), held.place in self.world and not self.there(held)
        try:
            if how == "batch":
                with self.session.batch() as batch:
                    batch.delete(held.obj)
            elif how == "transaction":
                with self.session.transaction() as t:
                    t.delete(held.obj)
            else:
                self.session.delete(held.obj)
        except (ConditionFailed, TransactionFailed):
            assert conflict or other
        else:
            assert other or not conflict
            if not other:
                self.world.pop(held.place, None)

    @precondition(lambda self: self.held)
    @rule(which=WHICH, state=VALUES["state"], seen=VALUES["seen"], together=st.booleans())
    def update(self, which: int, state: str, seen: int, together: bool) -> None:
        """`state` is part of an index key, which `since` is part of as well."""
        held = self.chosen(which)
        there, cls = self.there(held), held.cls
        follows = cls is not Visit
        changed = follows and there is not None and there.fields["since"] != held.obj.since
        actions = (set_(cls.state, state), set_(cls.seen, seen))
        try:
            if together:
                with self.session.transaction() as t:
                    t.update(held.obj, *actions)
            else:
                after = self.session.update(held.obj, *actions)
                assert (after.state, after.seen) == (state, seen)
        except NoSuchItem:
            assert there is None
        except (ConditionFailed, TransactionFailed):
            assert there is None or self.conflicts(held) or changed
        else:
            assert there is not None
            assert not self.conflicts(held)
            assert not changed
            there.fields.update(state=state, seen=seen)
            if held.versioned:
                there.version = (there.version or 0) + 1

    @precondition(lambda self: self.held)
    @rule(which=WHICH, fields=SOME, guard=st.booleans())
    def edit(self, which: int, fields: dict[str, Any], guard: bool) -> None:
        held = self.chosen(which)
        there = self.there(held)
        before = held.fields() if held.base is None else held.base
        after = {**held.fields(), **fields}
        changes = {name: after[name] for name in FIELDS if after[name] != before[name]}
        moved = guard and there is not None and any(
            there.fields[name] != before[name] for name in changes
        )  # fmt: skip
        try:
            with self.session.edit(held.obj, guard=guard):
                for name, value in fields.items():
                    setattr(held.obj, name, value)
        except NoSuchItem:
            assert there is None
            held.base = before
        except ConditionFailed:
            assert self.conflicts(held) or moved
            held.base = before
        else:
            held.base = None
            if not changes:
                return
            assert there is not None
            assert not self.conflicts(held)
            assert not moved
            there.fields.update(changes)
            if held.versioned:
                there.version = held.version = (held.version or 0) + 1

    @precondition(lambda self: self.held)
    @rule(which=WHICH)
    def refresh(self, which: int) -> None:
        held = self.chosen(which)
        there = self.world.get(held.place)
        try:
            self.session.refresh(held.obj)
        except NoSuchItem:
            assert there is None
        except OtherKind:
            assert there is not None
            assert there.model is not held.cls
        else:
            assert there is not None
            assert held.fields() == there.fields
            held.version, held.extra, held.base = there.version, there.extra, None

    # --- Other keys ---

    @precondition(lambda self: self.held)
    @rule(which=WHICH, at=AT, how=st.sampled_from(["save", "batch", "insert"]))
    def copy_to_another_key(self, which: int, at: Any, how: str) -> None:
        held = self.chosen(which)
        if at == held.obj.at:
            return
        carries = held.place != self.place_of(held.obj)
        obj = evolve(held.obj, at=at)
        if carries:
            self.nothing_else_goes(obj)
        other = attrs.evolve(held, obj=obj, place=self.place_of(obj))
        if carries and how != "insert":
            # Of an object that carries its key it is known that this is another item.
            found = self.world.get(other.place)
            conflict = other.versioned and found is not None and found.version is not None
        else:
            conflict = self.conflicts(other)
        after = other.state()
        try:
            if how == "batch":
                with self.session.batch() as batch:
                    batch.save(obj)
            elif how == "insert":
                self.session.insert(obj)
            else:
                self.session.save(obj)
        except ItemExists:
            assert how == "insert"
            assert other.place in self.world
            return
        except ConditionFailed:
            assert conflict
            return
        assert how == "insert" or not conflict
        self.written(other, after)
        self.hold(other)

    def nothing_else_goes(self, obj: Any) -> None:
        with pytest.raises(KeyChanged):
            self.session.delete(obj)
        with pytest.raises(KeyChanged):
            self.session.update(obj, set_(type(obj).seen, 9))
        with pytest.raises(KeyChanged):
            self.session.refresh(obj)
        with pytest.raises(KeyChanged), self.session.edit(obj):
            obj.seen = obj.seen
        with pytest.raises(KeyChanged), self.session.transaction() as t:
            t.check(obj, type(obj).seen == 9)

    @precondition(lambda self: self.held)
    @rule(which=WHICH, at=AT)
    def move(self, which: int, at: Any) -> None:
        held = self.chosen(which)
        if at == held.obj.at:
            return
        obj = evolve(held.obj, at=at)
        other = attrs.evolve(held, obj=obj, place=self.place_of(obj))
        there, after = self.there(held), other.state()
        try:
            self.session.move(held.obj, obj)
        except NoSuchItem:
            assert there is None
        except ItemExists:
            assert other.place in self.world
        except ConditionFailed:
            assert there is None or self.conflicts(held)
        else:
            assert there is not None
            assert not self.conflicts(held)
            assert other.place not in self.world
            del self.world[held.place]
            self.written(other, after)
            self.hold(other)

    # --- Verbs that are given a class and a key ---

    @rule(cls=CLASSES, who=PEOPLE, at=AT, seen=VALUES["seen"],
          verb=st.sampled_from(["get", "exists", "update", "delete", "check"]))  # fmt: skip
    def by_key(self, cls: Any, who: str, at: Any, seen: int, verb: str) -> None:
        """They act on items of the class, under the key as the library writes it."""
        place, key = usual_place(cls, self.box, who, at), self.key(cls, who, at)
        found = self.world.get(place)
        own = found if found is not None and found.model is cls else None
        if verb == "get":
            try:
                obj = self.session.get(cls, key, consistent=True)
            except OtherKind:
                assert own is not found
            else:
                assert (None if obj is None else Held(obj, place).fields()) == (
                    None if found is None else found.fields
                )
        elif verb == "exists":
            assert self.session.exists(cls, key, consistent=True) == (own is not None)
        elif verb == "check":
            with pytest.raises(DynattrsError) if own is None else contextlib.nullcontext():
                with self.session.transaction() as t:
                    t.check(cls, key, cls.box == self.box)
        elif verb == "delete":
            self.session.delete(cls, key)
            if own is not None:
                del self.world[place]
        elif own is None:
            with pytest.raises(NoSuchItem):
                self.session.update(cls, key, set_(cls.seen, seen))
        else:
            assert self.session.update(cls, key, set_(cls.seen, seen)).seen == seen
            own.fields["seen"] = seen
            if cls is not Note:
                own.version = (own.version or 0) + 1


def test_a_verb_acts_on_the_very_item_that_was_read(client: Any) -> None:
    # Half as many as of other tests: each is some fifty requests.
    some = settings(
        max_examples=max(1, settings.default.max_examples // 2), stateful_step_count=30,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    run_state_machine_as_test(partial(Programs, client), settings=some)

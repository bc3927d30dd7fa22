"""Random programs on two sessions: DynamoDB Local holds what a dict says, after whatever ended a batch.

The model knows what is stored and what each open batch has gathered. A batch lives in a generator, so
its frame is suspended between steps; it ends, crashes, is interrupted, or is dropped.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.config import Config
from hypothesis import settings
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
    ItemExists,
    NoSuchItem,
    Session,
    SessionClosed,
    TransactionFailed,
    Unsent,
    UnsentWrites,
    add,
    list_append,
    set_,
)
from program_models import MODELS, Key, Letter, Meter, Paper, State, World, key_of, of, stored

WHO = st.integers(0, 1)
#: Through the handle of the open batch, if there is one, or through the session itself.
GATHERED = st.booleans()
LETTERS = st.sampled_from(["l0", "l1", "l2", "l3"])
PAPERS = st.sampled_from(["p0", "p1"])
METERS = st.sampled_from(["m0", "m1"])
TEXTS = st.sampled_from(["a", "b", "c"])
PREFIX = "machine-"


@pytest.fixture(scope="module")
def client(dynamodb_local: str) -> Iterator[Any]:
    client = boto3.client(
        "dynamodb",
        endpoint_url=dynamodb_local,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}),
    )
    session = Session(client=client, table_prefix=PREFIX)
    session.tables.create(*MODELS)
    yield client
    session.tables.delete(*MODELS)
    session.close()
    client.close()


class Crash(Exception):
    """A mistake in the program that uses the library."""


def crash_if(crash: bool) -> None:
    if crash:
        raise Crash


def given_in(writes: Sequence[Unsent]) -> list[Any]:
    """The objects that were saved or deleted, and the keys."""
    objects = [write.object for write in writes]
    return [each[1] if isinstance(each, tuple) else each for each in objects]


def suspended(session: Session) -> Generator[Any, str, None]:
    """A batch whose frame is suspended while it is open."""
    with session.batch() as batch:
        while (yield batch) != "end":
            pass


class OpenBatch:
    """An open batch, and what it has gathered: by key the object that was given and the state."""

    def __init__(self, session: Session) -> None:
        self.frame = suspended(session)
        self.handle = next(self.frame)
        self.gathered: dict[Key, tuple[Any, State]] = {}


class Sessions(RuleBasedStateMachine):
    def __init__(self, client: Any) -> None:
        super().__init__()
        self.client = client
        self.box = secrets.token_hex(8)
        self.sessions = [Session(client=client, table_prefix=PREFIX) for _ in range(2)]
        self.batches: list[OpenBatch | None] = [None, None]
        self.world: World = {}
        #: What each session's program holds of each paper, as it was read or saved last.
        self.papers = [{name: self.new_paper(name) for name in ("p0", "p1")} for _ in range(2)]
        #: Of them, those whose last edit was refused: the next one begins before it.
        self.refused: list[Paper] = []
        self.numbers = itertools.count()

    def new_paper(self, name: str) -> Paper:
        return Paper(self.box, name)

    def teardown(self) -> None:
        for who in range(2):
            if self.batches[who] is not None:
                self.end(who)
        self.compare()
        for session in self.sessions:
            session.close()

    def compare(self) -> None:
        """What is stored is what the model says, attributes that no class knows included."""
        expected = {key: state for key, state in self.world.items() if state is not None}
        assert stored(self.client, PREFIX, self.box) == expected

    # --- What rules share ---

    def handle(self, who: int, gathered: bool) -> tuple[Any, OpenBatch | None]:
        open_batch = self.batches[who] if gathered else None
        return (self.sessions[who] if open_batch is None else open_batch.handle), open_batch

    def put(self, open_batch: OpenBatch | None, key: Key, given: Any, state: State) -> None:
        """A save or delete without a condition: gathered by a batch, done at once by a session."""
        if open_batch is None:
            self.world[key] = state
        else:
            open_batch.gathered[key] = (given, state)

    def settle(self, open_batch: OpenBatch | None, *keys: Key) -> None:
        """What is done at once first sends what is gathered, if its key is among it."""
        if open_batch is not None and any(key in open_batch.gathered for key in keys):
            self.sent(open_batch)

    def writing(self, who: int, open_batch: OpenBatch | None) -> OpenBatch | None:
        """A session's own writes first store what its open batch has for their key."""
        return self.batches[who] if open_batch is None else open_batch

    def flushed(self, who: int, key: Key) -> None:
        """What is read through a session does not see what its open batch has."""
        open_batch = self.batches[who]
        if open_batch is not None and key in open_batch.gathered:
            open_batch.handle.flush()
            self.sent(open_batch)

    def sent(self, open_batch: OpenBatch) -> None:
        self.world.update({key: state for key, (_, state) in open_batch.gathered.items()})
        open_batch.gathered.clear()

    def known(self, key: Key) -> State:
        """What an object of the class has of what is stored."""
        state = self.world.get(key)
        return state and {name: value for name, value in state.items() if name != "extra"}

    # --- Batches --

    @precondition(lambda self: None in self.batches)
    @rule()
    def open(self) -> None:
        who = self.batches.index(None)
        self.batches[who] = OpenBatch(self.sessions[who])

    def close(self, who: int) -> OpenBatch:
        open_batch = self.batches[who]
        assert open_batch is not None
        self.batches[who] = None
        return open_batch

    @precondition(lambda self: any(self.batches))
    @rule(who=WHO)
    def end(self, who: int) -> None:
        if self.batches[who] is None:
            return
        ended = self.close(who)
        with contextlib.suppress(StopIteration):
            ended.frame.send("end")
        self.sent(ended)
        with pytest.raises(SessionClosed):
            ended.handle.save(Letter(self.box, "l0"))
        self.compare()

    @precondition(lambda self: any(self.batches))
    @rule(who=WHO)
    def crash(self, who: int) -> None:
        """What was saved before the mistake is stored."""
        if self.batches[who] is None:
            return
        ended = self.close(who)
        with pytest.raises(Crash):
            ended.frame.throw(Crash())
        self.sent(ended)
        self.compare()

    @precondition(lambda self: any(self.batches))
    @rule(who=WHO, dropped=st.booleans())
    def interrupt(self, who: int, dropped: bool) -> None:
        """Nothing new is sent, and each object that is not stored is named."""
        if self.batches[who] is None:
            return
        ended = self.close(who)
        if dropped:
            ended.frame.close()
        else:
            with pytest.raises(KeyboardInterrupt) as interrupted:
                ended.frame.throw(KeyboardInterrupt())
            if ended.gathered:
                report = interrupted.value.__context__
                assert isinstance(report, UnsentWrites)
                given = given_in(report.unsent)
                assert set(map(id, given)) == {id(obj) for obj, _ in ended.gathered.values()}
        self.compare()

    @precondition(lambda self: any(self.batches))
    @rule(who=WHO)
    def flush(self, who: int) -> None:
        open_batch = self.batches[who]
        if open_batch is not None:
            open_batch.handle.flush()
            self.sent(open_batch)
            self.compare()

    @precondition(lambda self: any(self.batches))
    @rule(who=WHO)
    def discard(self, who: int) -> None:
        open_batch = self.batches[who]
        if open_batch is not None:
            given = given_in(open_batch.handle.discard())
            assert set(map(id, given)) == {id(obj) for obj, _ in open_batch.gathered.values()}
            open_batch.gathered.clear()

    # --- Writes ---

    @rule(who=WHO, gathered=GATHERED, name=LETTERS, text=TEXTS)
    def save(self, who: int, gathered: bool, name: str, text: str) -> None:
        handle, open_batch = self.handle(who, gathered)
        letter = Letter(self.box, name.upper(), text)
        handle.save(letter)
        if open_batch is None:
            self.settle(self.batches[who], key_of(letter))
        self.put(open_batch, key_of(letter), letter, of(letter))
        letter.text = "changed after the save, which changes nothing"

    @rule(who=WHO, gathered=GATHERED, count=st.integers(1, 60), text=TEXTS)
    def save_many(self, who: int, gathered: bool, count: int, text: str) -> None:
        """More than 25 writes; the batch is flushed, so that it is known what is sent."""
        handle, open_batch = self.handle(who, gathered)
        letters = [Letter(self.box, f"l{number}", text) for number in range(count)]
        handle.save_all(iter(letters))
        if open_batch is None and (other := self.batches[who]) is not None:
            self.sent(other)
        for letter in letters:
            self.put(open_batch, key_of(letter), letter, of(letter))
        if open_batch is not None:
            handle.flush()
            self.sent(open_batch)

    @rule(who=WHO, gathered=GATHERED, name=LETTERS, by_object=st.booleans())
    def delete(self, who: int, gathered: bool, name: str, by_object: bool) -> None:
        handle, open_batch = self.handle(who, gathered)
        letter, key = Letter(self.box, name), (self.box, name.upper())
        if by_object:
            handle.delete(letter)
        else:
            handle.delete(Letter, key)
        if open_batch is None:
            self.settle(self.batches[who], key_of(letter))
        self.put(open_batch, key_of(letter), letter if by_object else key, None)

    @rule(who=WHO, gathered=GATHERED, name=LETTERS, text=TEXTS)
    def insert(self, who: int, gathered: bool, name: str, text: str) -> None:
        handle, open_batch = self.handle(who, gathered)
        letter = Letter(self.box, name, text)
        key = key_of(letter)
        self.settle(self.writing(who, open_batch), key)
        before = self.known(key)
        if before is None:
            handle.insert(letter)
            self.world[key] = of(letter)
        else:
            with pytest.raises(ItemExists) as refused:
                handle.insert(letter)
            assert of(refused.value.item) == before

    @rule(who=WHO, gathered=GATHERED, name=LETTERS, text=TEXTS, expected=TEXTS, put=st.booleans())
    def conditional(
        self, who: int, gathered: bool, name: str, text: str, expected: str, put: bool
    ) -> None:
        handle, open_batch = self.handle(who, gathered)
        letter = Letter(self.box, name, text)
        key = key_of(letter)
        self.settle(self.writing(who, open_batch), key)
        before = self.known(key)
        condition: Any = Letter.text == expected
        fits = before is not None and before["text"] == expected
        with contextlib.nullcontext() if fits else pytest.raises(ConditionFailed):
            if put:
                handle.save(letter, when=condition)
            else:
                handle.delete(letter, when=condition)
        if fits:
            self.world[key] = of(letter) if put else None

    @rule(who=WHO, gathered=GATHERED, name=METERS, number=st.integers(-5, 5))
    def update(self, who: int, gathered: bool, name: str, number: int) -> None:
        handle, open_batch = self.handle(who, gathered)
        key, whole = ("meters", name), (self.box, name)
        self.settle(self.writing(who, open_batch), key)
        before = self.known(key)
        if before is None:
            with pytest.raises(NoSuchItem):
                handle.update(Meter, whole, add(Meter.count, number))
            meter = Meter(self.box, name, number)
            handle.save(meter)
            self.put(open_batch, key, meter, of(meter))
            return
        changed = handle.update(
            Meter, whole, add(Meter.count, number), add(Meter.tags, {str(number)})
        )
        tags = before.get("tags", frozenset()) | {str(number)}
        after: dict[str, Any] = {**before, "count": before["count"] + number, "tags": tags}
        assert of(changed) == after
        assert self.world[key] is not None
        self.world[key].update(after)

    @rule(who=WHO, gathered=GATHERED, name=METERS, number=st.integers(-5, 5), few=st.booleans())
    def upsert(self, who: int, gathered: bool, name: str, number: int, few: bool) -> None:
        """It makes a whole item, or changes the one that is there; or the condition is false of either."""
        handle, open_batch = self.handle(who, gathered)
        key = ("meters", name)
        self.settle(self.writing(who, open_batch), key)
        before = self.known(key)
        condition: Any = Meter.count <= 0
        refusal = NoSuchItem if before is None else ConditionFailed
        fits = not few or (before is not None and before["count"] <= 0)
        with contextlib.nullcontext() if fits else pytest.raises(refusal):
            changed = handle.update(
                Meter, (self.box, name), add(Meter.count, number),
                set_(Meter.log, list_append(Meter.log, ["u"])), upsert=True,
                when=condition if few else None,
            )  # fmt: skip
        if fits:
            after = self.world.get(key) or {"count": 0, "log": []}
            after = {**after, "count": after["count"] + number, "log": [*after["log"], "u"]}
            self.world[key] = after
            assert of(changed) == self.known(key)

    @rule(who=WHO, gathered=GATHERED, name=METERS, number=st.integers(-5, 5), crash=st.booleans())
    def edit(self, who: int, gathered: bool, name: str, number: int, crash: bool) -> None:
        handle, open_batch = self.handle(who, gathered)
        key = ("meters", name)
        self.flushed(who, key)
        meter = handle.get(Meter, (self.box, name), consistent=True)
        self.settle(open_batch, key)
        if meter is None:
            assert self.world.get(key) is None
            return
        assert of(meter) == self.known(key)
        with pytest.raises(Crash) if crash else contextlib.nullcontext():
            with handle.edit(meter):
                meter.count += number
                meter.log.append(str(number))
                crash_if(crash)
        if crash:
            with handle.edit(meter):
                meter.tags.add("after a crash")
        assert self.world[key] is not None
        self.world[key].update(of(meter) or {})

    @rule(name=st.one_of(LETTERS, METERS), text=TEXTS)
    def outsider(self, name: str, text: str) -> None:
        """Another program stores an attribute that the classes do not know."""
        key = ("letters" if name.startswith("l") else "meters", name)
        state = self.world.get(key)
        if state is not None:
            self.client.update_item(
                TableName=PREFIX + key[0],
                Key={"box": {"S": self.box}, "name": {"S": name}},
                UpdateExpression="SET extra = :extra",
                ExpressionAttributeValues={":extra": {"S": text}},
            )
            state["extra"] = text

    @rule(who=WHO, gathered=GATHERED, name=LETTERS, text=TEXTS)
    def read_and_save(self, who: int, gathered: bool, name: str, text: str) -> None:
        """What the class does not know stays."""
        handle, open_batch = self.handle(who, gathered)
        key = ("letters", name)
        self.flushed(who, key)
        letter = handle.get(Letter, (self.box, name.upper()), consistent=True)
        self.settle(open_batch, key)
        if letter is not None:
            letter.text = text
            handle.save(letter)
            self.put(open_batch, key, letter, {**(self.world[key] or {}), "text": text})

    # --- Versions ---

    def fits(self, paper: Paper) -> bool:
        state = self.world.get(key_of(paper))
        return (state["version"] if state else 0) == paper.version

    @rule(who=WHO, gathered=GATHERED, name=PAPERS, text=TEXTS, way=st.sampled_from(
        ["save", "save_all", "update", "edit", "delete", "update by key"]
    ))  # fmt: skip
    def versioned(self, who: int, gathered: bool, name: str, text: str, way: str) -> None:
        """Each program goes on with what it has read; who comes second is told so."""
        handle, _ = self.handle(who, gathered)
        paper = self.papers[who][name]
        key, version, before = key_of(paper), paper.version, self.world.get(key_of(paper))
        after: State = {"text": text, "version": version + 1}
        if way == "update by key":
            if before is not None:
                handle.update(Paper, (self.box, name), set_(Paper.text, text))
                self.world[key] = {"text": text, "version": before["version"] + 1}
            return
        as_stored = all(each is not paper for each in self.refused)
        if way == "edit" and paper.text == text and as_stored:
            with handle.edit(paper):  # nothing is sent, so no other writer is noticed
                paper.text = text
            return
        fits = self.fits(paper) and (before is not None or way in ("save", "save_all", "delete"))
        refusal = ConditionFailed if before is not None or way == "save" else NoSuchItem
        if way == "delete":
            refusal = ConditionFailed
        if way == "save_all":
            refusal = UnsentWrites
        with contextlib.nullcontext() if fits else pytest.raises(refusal) as refused:
            if way == "save":
                paper.text = text
                handle.save(paper)
            elif way == "save_all":
                paper.text = text
                handle.save_all([paper])
            elif way == "update":
                handle.update(paper, set_(Paper.text, text))
            elif way == "delete":
                handle.delete(paper)
            else:
                with handle.edit(paper):
                    paper.text = text
                    if of(paper) == before:
                        after = before
        if not fits:
            assert paper.version == version
            if way == "edit":
                self.refused.append(paper)
            if way == "save_all":
                [unsent] = refused.value.unsent
                assert unsent.object is paper
                assert isinstance(unsent.cause, ConditionFailed)
            return
        self.world[key] = None if way == "delete" else after
        if way in ("save", "save_all", "edit"):
            self.check_stored(paper)
        else:  # these leave the object as it is
            self.papers[who][name] = self.read_paper(handle, name)

    def check_stored(self, paper: Paper) -> None:
        assert of(paper) == self.world[key_of(paper)]
        self.refused = [each for each in self.refused if each is not paper]

    def read_paper(self, handle: Any, name: str) -> Paper:
        paper = handle.get(Paper, (self.box, name), consistent=True)
        return self.new_paper(name) if paper is None else paper

    @rule(who=WHO, gathered=GATHERED, name=PAPERS)
    def read_again(self, who: int, gathered: bool, name: str) -> None:
        handle, _ = self.handle(who, gathered)
        paper = self.papers[who][name]
        if self.world.get(key_of(paper)) is None:
            with pytest.raises(NoSuchItem):
                handle.refresh(paper)
            self.papers[who][name] = self.new_paper(name)
        else:
            handle.refresh(paper)
            self.check_stored(paper)

    # --- Transactions ---

    @rule(
        who=WHO,
        gathered=GATHERED,
        crash=st.booleans(),
        letters=st.lists(
            st.tuples(LETTERS, TEXTS, st.sampled_from(["save", "insert", "delete", "check"])),
            unique_by=lambda each: each[0],
            max_size=3,
        ),
        meter=st.none() | METERS,
        upsert=st.booleans(),
        paper=st.none() | PAPERS,
    )
    def transaction(
        self, who: int, gathered: bool, crash: bool, letters: list[tuple[str, str, str]],
        meter: str | None, upsert: bool, paper: str | None,
    ) -> None:  # fmt: skip
        handle, open_batch = self.handle(who, gathered)
        keys: list[Key] = [("letters", name) for name, _, _ in letters]
        keys += [("meters", meter)] if meter else []
        if not keys and paper is None:
            return
        if not crash:
            self.settle(self.writing(who, open_batch), *keys)
        after: World = {}
        faults: list[bool] = []
        held = self.papers[who][paper] if paper else None
        version = held.version if held else None
        failed: TransactionFailed | None = None
        try:
            with handle.transaction() as t:
                for name, text, way in letters:
                    letter, before = Letter(self.box, name, text), self.known(("letters", name))
                    if way == "check":
                        t.check(Letter, (self.box, name.upper()), Letter.text == text)
                        faults.append(before is None or before["text"] != text)
                    elif way == "delete":
                        t.delete(letter)
                        faults.append(False)
                        after[key_of(letter)] = None
                    else:
                        getattr(t, way)(letter)
                        faults.append(way == "insert" and before is not None)
                        after[key_of(letter)] = of(letter)
                if meter:
                    t.update(Meter, (self.box, meter), add(Meter.count, 1), upsert=upsert)
                    state = self.world.get(("meters", meter))
                    faults.append(state is None and not upsert)
                    if upsert:
                        state = state or {"count": 0, "log": []}
                    if state is not None:
                        after["meters", meter] = {**state, "count": state["count"] + 1}
                if held:
                    t.save(held)
                    faults.append(not self.fits(held))
                    after[key_of(held)] = {"text": held.text, "version": held.version + 1}
                crash_if(crash)
        except Crash:
            assert held is None or held.version == version
            return
        except TransactionFailed as error:
            failed = error
        if failed is not None:
            assert [reason is not None for reason in failed.reasons] == faults
            assert held is None or held.version == version
            return
        assert not any(faults)
        self.world.update(after)
        if held is not None:
            self.check_stored(held)

    # --- Reads ---

    @rule(who=WHO, gathered=GATHERED, name=LETTERS)
    def get(self, who: int, gathered: bool, name: str) -> None:
        handle, open_batch = self.handle(who, gathered)
        key = ("letters", name)
        self.settle(open_batch, key)
        letter = handle.get(Letter, (self.box, name.upper()), consistent=True)
        assert (None if letter is None else of(letter)) == self.known(key)

    @rule(who=WHO, gathered=GATHERED, way=st.sampled_from(["query", "get_many", "transact_get"]))
    def read_many(self, who: int, gathered: bool, way: str) -> None:
        handle, open_batch = self.handle(who, gathered)
        names = ["l0", "l1", "l2", "l3"]
        if open_batch is not None and any(kind == "letters" for kind, _ in open_batch.gathered):
            if way != "transact_get":
                self.sent(open_batch)
            else:
                self.settle(open_batch, *(("letters", name) for name in names))
        keys = [(self.box, name) for name in names]
        if way == "query":
            query = handle.query(Letter).where(Letter.box == self.box)
            letters = [each for each in query.consistent() if each.name in names]
        elif way == "get_many":
            letters = list(handle.get_many(Letter, keys, consistent=True))
        else:
            letters = list(handle.transact_get(*((Letter, key) for key in keys)))
        found = {key_of(each): of(each) for each in letters if each is not None}
        wanted = {("letters", name): self.known(("letters", name)) for name in names}
        assert found == {key: state for key, state in wanted.items() if state is not None}

    @invariant()
    def nothing_waits_outside_a_batch(self) -> None:
        for session in self.sessions:
            assert session._buffer is None


def test_what_is_stored_is_what_a_dict_says(client: Any) -> None:
    # Half as many as of other tests: each is some thirty requests.
    some = settings(max_examples=settings.default.max_examples // 2, stateful_step_count=30)
    run_state_machine_as_test(partial(Sessions, client), settings=some)

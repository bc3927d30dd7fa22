"""Random programs for a session, and after each step what may be stored then, in plain Python.

A program draws its steps from a seed: saves and deletes in batches, `save_all`, single and conditional
writes, versions, updates that compute, edits, PartiQL, transactions and reads. A step says which
states it allows, from the outcome that it saw: an error must leave the item as it was, or name it as
one of which nobody can tell. Then the tables are read past all faults, and must hold one of these.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import attrs

from dynattrs import (
    ConditionFailed,
    ConnectionFailed,
    ItemExists,
    NoSuchItem,
    OutcomeUnknown,
    ServiceError,
    Session,
    TransactionFailed,
    UnsentWrites,
    add,
    list_append,
    set_,
)
from program_models import Key, Letter, Meter, Paper, State, World, key_of, of

#: Alternatives: of each list of choices one holds, whole.
Choices = list[list[World]]


LETTERS, PAPERS, METERS = 40, 6, 6


class Wrong(AssertionError):
    """What is stored, or what was raised, is not what was promised."""


@attrs.define
class Tally:
    """What many runs came to."""

    runs: int = 0
    steps: int = 0
    requests: int = 0
    faults: Counter[str] = attrs.field(factory=Counter)
    outcomes: Counter[str] = attrs.field(factory=Counter)
    writes: int = 0
    named: int = 0
    named_and_stored: int = 0
    adrift: int = 0
    wrong: list[str] = attrs.field(factory=list)

    def __str__(self) -> str:
        faults = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.faults.items()))
        unknown = self.outcomes["unknown"]
        return (
            f"{self.runs:,} runs, {self.steps:,} steps, {self.writes:,} writes, "
            f"{self.requests:,} requests answered; "
            f"{sum(self.faults.values()):,} faults injected ({faults}); "
            f"{self.named:,} writes named as not stored ({self.named_and_stored:,} of them were, "
            f"their replies lost); {unknown:,} times OutcomeUnknown "
            f"({self.outcomes['unknown, was applied']:,} applied, "
            f"{self.outcomes['unknown, was not']:,} not); {self.adrift:,} runs ended by an "
            f"interruption that gave requests up; {len(self.wrong)} losses"
        )


class Program:
    """One run.

    Args:
        session: What is tried. Its client may meet any fault.
        read: Reads what is stored, past all faults.
        box: The partition of this run.
        definite: Whether all faults leave no doubt that an attempt was not applied.
        gives_up: Whether an interruption gives up the requests that are under way, as asyncio does.
            The service may apply them later on, after newer writes too: the program ends there.
    """

    def __init__(
        self, session: Session, read: Callable[[], World], box: str, seed: int, tally: Tally,
        *, definite: bool, gives_up: bool = False,
    ) -> None:  # fmt: skip
        self.session, self.read, self.box, self.tally = session, read, box, tally
        self.definite, self.gives_up = definite, gives_up
        self.random = Random(seed)
        self.world = read()
        self.papers: dict[str, Paper] = {}
        self.meters: dict[str, Meter] = {}
        self._texts = itertools.count()
        self._adrift = False
        self.done: list[str] = []

    def run(self, steps: int) -> None:
        """Take so many steps, and look at what is stored after each.

        Raises:
            Wrong: It is not what may be stored.
        """
        chances = {
            self.batch: 4, self.save_all: 2, self.single: 2, self.insert: 2, self.conditional: 2,
            self.version: 4, self.save_versions: 2, self.delete: 2, self.compute: 4, self.edit: 2,
            self.partiql: 1, self.transaction: 4, self.look: 2,
        }  # fmt: skip
        for step in self.random.choices(list(chances), list(chances.values()), k=steps):
            self.done.append(step.__name__)
            self.check(step())
            self.tally.steps += 1
            if self._adrift:
                self.tally.adrift += 1
                return

    def check(self, choices: Choices) -> None:
        found = self.read()
        expected = dict(self.world)
        for alternatives in choices:
            fitting = [
                each
                for each in alternatives
                if all(found.get(key) == state for key, state in each.items())
            ]
            if not fitting:
                keys = sorted({key for each in alternatives for key in each})
                raise Wrong(
                    f"{self.done[-1]}: {[(key, found.get(key)) for key in keys]} is stored, "
                    f"allowed was one of {alternatives}; before was "
                    f"{[(key, self.world.get(key)) for key in keys]}"
                )
            expected.update(fitting[0])
        expected = {key: state for key, state in expected.items() if state is not None}
        if found != expected:
            keys = sorted(k for k in found.keys() | expected if found.get(k) != expected.get(k))
            raise Wrong(
                f"{self.done[-1]}: "
                + "; ".join(f"{k}: {found.get(k)} and not {expected.get(k)}" for k in keys)
            )
        self.world = found

    # --- What steps share ---

    def text(self) -> str:
        """One that nobody has written before."""
        return f"{self.done[-1]} {next(self._texts)}"

    def letter(self) -> Letter:
        return Letter(self.box, f"l{self.random.randrange(LETTERS)}", self.text())

    def attempt(self, work: Callable[[], Any], key: Key, after: State) -> Choices:
        """Write one item; *after* is what success leaves."""
        self.tally.writes += 1
        before = self.world.get(key)
        try:
            work()
        except OutcomeUnknown as error:
            self.tally.outcomes["unknown"] += 1
            applied = self.read().get(key) == after
            self.tally.outcomes["unknown, was applied" if applied else "unknown, was not"] += 1
            if self.definite:
                raise Wrong(f"{self.done[-1]}: no reply was lost: {error.__cause__!r}") from error
            return [[{key: before}, {key: after}]]
        except (ServiceError, ConnectionFailed) as error:
            self.tally.outcomes[type(error).__name__] += 1
            if not error.uncertain:
                return [[{key: before}]]
            if self.definite:
                raise Wrong(f"{self.done[-1]}: no reply was lost, and yet {error!r}") from error
            return [[{key: before}, {key: after}]]
        self.tally.outcomes["done"] += 1
        return [[{key: after}]]

    def refused(self, error: Exception, *, rightly: bool) -> Choices:
        """Nothing was written, and for a reason that holds."""
        self.tally.outcomes[type(error).__name__] += 1
        if not rightly:
            raise Wrong(f"{self.done[-1]}: {error!r}, which is not so") from error
        return []

    # --- Gathered writes ---

    def batch(self) -> Choices:
        way = self.random.choice(["plain", "plain", "threads", "error", "interrupted"])
        gathering = Gathering(self)
        self.done[-1] += f" ({way})"
        try:
            with self.session.batch() as batch:
                if way == "threads":
                    self._in_threads(batch, gathering)
                else:
                    for _ in range(self.random.randint(1, 90)):
                        gathering.write(batch, self.random.randrange(LETTERS), self.random)
                        if self.random.random() < 0.02:
                            batch.flush()
                _leave(way)
        except UnsentWrites as error:
            gathering.unsent(error)
        except LookupError as error:
            if way != "error":
                raise Wrong("an error out of nowhere") from error
        except KeyboardInterrupt as error:
            seen: BaseException | None = error
            while seen is not None and not isinstance(seen, UnsentWrites):
                seen = seen.__context__
            if seen is not None:
                gathering.unsent(seen)
                self._adrift = self.gives_up
        return gathering.choices()

    def _in_threads(self, s: Any, gathering: Gathering) -> None:
        def write(part: int, random: Random) -> None:
            try:
                for _ in range(30):
                    # Each thread has keys of its own, so that which write is the last is plain.
                    gathering.write(s, random.randrange(part, LETTERS, 4), random)
            except UnsentWrites as error:
                gathering.unsent(error)

        threads = [
            threading.Thread(target=write, args=(part, Random(self.random.random())))
            for part in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def save_all(self) -> Choices:
        gathering = Gathering(self)
        letters = [self.letter() for _ in range(self.random.randint(1, 120))]

        def given() -> Iterator[Letter]:
            for letter in letters:
                gathering.wrote(key_of(letter), letter, of(letter))
                yield letter

        try:
            self.session.save_all(given())
        except UnsentWrites as error:
            gathering.unsent(error)
        return gathering.choices()

    # --- Single writes ---

    def single(self) -> Choices:
        letter = self.letter()
        return self.attempt(lambda: self.session.save(letter), key_of(letter), of(letter))

    def insert(self) -> Choices:
        letter = self.letter()
        key = key_of(letter)
        before = self.world.get(key)
        try:
            return self.attempt(lambda: self.session.insert(letter), key, of(letter))
        except ItemExists as error:
            return self.refused(error, rightly=before is not None and of(error.item) == before)

    def conditional(self) -> Choices:
        letter = self.letter()
        key = key_of(letter)
        before = self.world.get(key)
        text = before["text"] if before and self.random.random() < 0.8 else "what nobody wrote"
        try:
            condition = Letter.text == text
            return self.attempt(lambda: self.session.save(letter, when=condition), key, of(letter))
        except ConditionFailed as error:
            return self.refused(error, rightly=before is None or before["text"] != text)

    def version(self) -> Choices:
        """Save an object with a version, which may be of an earlier step; or update or delete it."""
        name = f"p{self.random.randrange(PAPERS)}"
        key = ("papers", name)
        paper = self.papers.setdefault(name, Paper(self.box, name))
        paper.text = self.text()
        before, version = self.world.get(key), paper.version
        right = (before["version"] if before else 0) == version
        after: State = {"text": paper.text, "version": version + 1}
        way = self.random.choice(["save", "save", "save", "update", "delete"])
        self.done[-1] += f" ({way})"
        try:
            if way == "save":
                choices = self.attempt(lambda: self.session.save(paper), key, after)
                if choices == [[{key: after}]] and paper.version != version + 1:
                    raise Wrong(f"the version of a saved object is {paper.version}")
                return choices
            if way == "update":
                action = set_(Paper.text, paper.text)
                return self.attempt(lambda: self.session.update(paper, action), key, after)
            return self.attempt(lambda: self.session.delete(paper), key, None)
        except (ConditionFailed, NoSuchItem) as error:
            if paper.version != version:
                raise Wrong("a version moved although nothing was written") from error
            return self.refused(error, rightly=not right or (way == "update" and before is None))
        finally:
            if self.random.random() < 0.8:
                self._read_again(name)

    def save_versions(self) -> Choices:
        """Several objects with a version and some without, at once; some objects are old ones."""
        gathering = Gathering(self)
        names = self.random.sample([f"p{number}" for number in range(PAPERS)], 3)
        papers = [self.papers.setdefault(name, Paper(self.box, name)) for name in names]
        versions = [paper.version for paper in papers]
        given: list[Any] = [*papers, *(self.letter() for _ in range(30))]
        self.random.shuffle(given)
        for paper in papers:
            paper.text = self.text()
        taken: list[Any] = []

        def source() -> Iterator[Any]:
            for each in given:
                taken.append(each)
                if isinstance(each, Letter):
                    gathering.wrote(key_of(each), each, of(each))
                yield each

        causes: dict[int, BaseException] = {}
        self.tally.writes += len(papers)
        try:
            self.session.save_all(source())
        except UnsentWrites as error:
            causes = {id(each.object): each.cause for each in error.unsent}
            gathering.unsent(error, apart=papers)
        own = (ConditionFailed, OutcomeUnknown)
        if len(taken) < len(given) and all(isinstance(cause, own) for cause in causes.values()):
            raise Wrong(f"{self.done[-1]}: it stopped for {list(causes.values())}")
        choices = gathering.choices()
        for paper, version in zip(papers, versions, strict=True):
            if not any(each is paper for each in taken):
                continue  # all others would have failed as well, and it stopped
            key = key_of(paper)
            before, cause = self.world.get(key), causes.get(id(paper))

            def again(cause: BaseException | None = cause) -> None:
                if cause is not None:
                    raise cause

            if cause is None and paper.version != version + 1:
                raise Wrong(f"{self.done[-1]}: the version of a saved object is {paper.version}")
            try:
                after: State = {"text": paper.text, "version": version + 1}
                choices += self.attempt(again, key, after)
            except ConditionFailed as error:
                right = (before["version"] if before else 0) == version
                choices += self.refused(error, rightly=not right)
        for name in names:
            self._read_again(name)
        return choices

    def _read_again(self, name: str) -> None:
        """Have the object as it is stored; now and then an old one is used on."""
        state = self.read().get(("papers", name))
        fields = state or {"version": 0}
        self.papers[name] = Paper(self.box, name, **fields)

    def delete(self) -> Choices:
        letter = self.letter()
        key = key_of(letter)
        before = self.world.get(key)
        way = self.random.choice(["plain", "returning", "when"])
        self.done[-1] += f" ({way})"
        whole = (letter.box, letter.name)
        gone: list[Any] = []
        try:
            if way == "plain":
                return self.attempt(lambda: self.session.delete(Letter, whole), key, None)
            if way == "when":
                condition = Letter.text == (before["text"] if before else "nothing")
                return self.attempt(
                    lambda: self.session.delete(Letter, whole, when=condition), key, None
                )
            choices = self.attempt(
                lambda: gone.append(self.session.delete(Letter, whole, returning=True)), key, None
            )
        except ConditionFailed as error:
            return self.refused(error, rightly=before is None)
        if gone and (None if gone[0] is None else of(gone[0])) != before:
            raise Wrong(f"delete gave {gone[0]!r}, deleted was {before}")
        return choices

    def compute(self) -> Choices:
        """An update that is not the same when it is done twice."""
        name = f"m{self.random.randrange(METERS)}"
        key, whole = ("meters", name), (self.box, name)
        before = self.world.get(key)
        number, word = self.random.randint(1, 9), self.text()
        new = before or {"count": 0, "log": []}
        ways: dict[str, tuple[Any, State]] = {
            "add": (add(Meter.count, number), {**new, "count": new["count"] + number}),
            "arithmetic": (
                set_(Meter.count, Meter.count - number),
                {**new, "count": new["count"] - number},
            ),
            "append": (
                set_(Meter.log, list_append(Meter.log, [word])),
                {**new, "log": [*new["log"], word]},
            ),
            "tags": (
                add(Meter.tags, {word}),
                {**new, "tags": new.get("tags", frozenset()) | {word}},
            ),
            "set": (set_(Meter.count, number), {**new, "count": number}),
        }
        way = self.random.choice(list(ways))
        returns = self.random.choice(["new", "old", None])
        self.done[-1] += f" ({way}, returns={returns})"
        action, after = ways[way]
        if before is None and self.random.random() < 0.8:
            meter = Meter(self.box, name)
            return self.attempt(lambda: self.session.save(meter), key, of(meter))
        when = None
        if before is not None and self.random.random() < 0.3:
            when = Meter.count == before["count"]
        got: list[Any] = []
        try:
            choices = self.attempt(
                lambda: got.append(
                    self.session.update(Meter, whole, action, when=when, returns=returns)
                ),
                key,
                after,
            )
        except NoSuchItem as error:
            return self.refused(error, rightly=before is None)
        if got and returns is not None:
            expected = after if returns == "new" else before
            if of(got[0]) != expected:
                raise Wrong(f"update gave {got[0]!r} and not {expected}")
        return choices

    def edit(self) -> Choices:
        name = f"m{self.random.randrange(METERS)}"
        key = ("meters", name)
        before = self.world.get(key)
        if before is None:
            return self.compute()
        meter = Meter(self.box, name, before["count"], set(before.get("tags", ())), before["log"])
        guard = self.random.random() < 0.5
        self.done[-1] += f" (guard={guard})"
        word = self.text()
        after: State = {
            "count": before["count"] + 1,
            "log": [*before["log"], word],
            "tags": before.get("tags", frozenset()) | {word},
        }

        def work() -> None:
            with self.session.edit(meter, guard=guard):
                meter.count += 1
                meter.tags.add(word)
                meter.log = [*meter.log, word]

        return self.attempt(work, key, after)

    def partiql(self) -> Choices:
        name = f"m{self.random.randrange(METERS)}"
        key = ("meters", name)
        before = self.world.get(key)
        if before is None:
            return self.compute()
        table = self.session._core.table_prefix + "meters"
        statement = f'UPDATE "{table}" SET "count" = "count" + 1 WHERE box = ? AND name = ?'
        return self.attempt(
            lambda: self.session.execute(statement, self.box, name),
            key,
            {**before, "count": before["count"] + 1},
        )

    # --- Several at once ---

    def transaction(self) -> Choices:
        """Some actions of all kinds, of which any may be at fault."""
        before = dict(self.world)
        after: World = {}
        sure = True
        papers = []
        self.tally.writes += 1
        try:
            with self.session.transaction() as t:
                for number in self.random.sample(range(METERS), 2):
                    name = f"m{number}"
                    meter = before.get(("meters", name))
                    amount = self.random.randint(1, 5)
                    t.update(Meter, (self.box, name), add(Meter.count, amount))
                    sure = sure and meter is not None
                    new = meter or {"count": 0, "log": []}
                    after["meters", name] = {**new, "count": new["count"] + amount}
                if self.random.random() < 0.5:
                    letter = self.letter()
                    t.save(letter)
                    after[key_of(letter)] = of(letter)
                if self.random.random() < 0.5:
                    letter = Letter(self.box, f"new{next(self._texts)}", "inserted")
                    t.insert(letter)
                    after[key_of(letter)] = of(letter)
                if self.random.random() < 0.7:
                    name = f"p{self.random.randrange(PAPERS)}"
                    paper = self.papers.setdefault(name, Paper(self.box, name))
                    paper.text = self.text()
                    state = before.get(("papers", name))
                    sure = sure and (state["version"] if state else 0) == paper.version
                    t.save(paper)
                    papers.append((paper, paper.version))
                    after["papers", name] = {"text": paper.text, "version": paper.version + 1}
        except TransactionFailed as error:
            if any(paper.version != version for paper, version in papers):
                raise Wrong("a version moved although the transaction did not happen") from error
            return self.refused(error, rightly=not sure)
        except OutcomeUnknown as error:
            self.tally.outcomes["unknown"] += 1
            found = self.read()
            applied = all(found.get(key) == state for key, state in after.items())
            self.tally.outcomes["unknown, was applied" if applied else "unknown, was not"] += 1
            if self.definite:
                raise Wrong(f"no reply was lost: {error.__cause__!r}") from error
            return [[{key: before.get(key) for key in after}, after]]
        except (ServiceError, ConnectionFailed) as error:
            self.tally.outcomes[type(error).__name__] += 1
            if error.uncertain:
                raise Wrong(f"{error!r} leaves it open what became of a transaction") from error
            return []
        finally:
            for paper, _ in papers:
                self._read_again(paper.name)
        self.tally.outcomes["done"] += 1
        return [[after]]

    def look(self) -> Choices:
        """Reads are right, or raise."""
        way = self.random.choice(["get", "get_many", "query", "transact_get"])
        self.done[-1] += f" ({way})"
        names = [f"l{number}" for number in self.random.sample(range(LETTERS), 10)]
        keys = [(self.box, name) for name in names]
        found: World
        try:
            if way == "get":
                letters = [self.session.get(Letter, key, consistent=True) for key in keys]
            elif way == "get_many":
                letters = list(self.session.get_many(Letter, keys, consistent=True))
            elif way == "transact_get":
                letters = list(self.session.transact_get(*((Letter, key) for key in keys)))
            else:
                query = self.session.query(Letter).where(Letter.box == self.box)
                letters = [each for each in query.consistent().page_size(7) if each.name in names]
        except (ServiceError, ConnectionFailed, TransactionFailed) as error:
            self.tally.outcomes[type(error).__name__] += 1
            return []
        found = {key_of(each): of(each) for each in letters if each is not None}
        wanted = {("letters", name): self.world.get(("letters", name)) for name in names}
        if found != {key: state for key, state in wanted.items() if state is not None}:
            raise Wrong(f"{self.done[-1]}: read {found}, stored is {wanted}")
        return []


class Gathering:
    """The writes of a batch, or of a `save_all`, and which of them were reported."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._lock = threading.Lock()
        #: By key, in order: what was given to the library, and the state that it asks for.
        self._writes: dict[Key, list[tuple[Any, State]]] = {}
        self._reported: dict[int, Any] = {}
        self._texts = itertools.count()

    def write(self, s: Any, number: int, random: Random) -> None:
        """One save or delete."""
        with self._lock:
            text = f"{self._program.text()} {next(self._texts)}"
        letter = Letter(self._program.box, f"l{number}", text)
        way = random.random()
        if way < 0.75:
            self.wrote(key_of(letter), letter, of(letter))
            s.save(letter)
        elif way < 0.9:
            self.wrote(key_of(letter), letter, None)
            s.delete(letter)
        else:
            key = (letter.box, letter.name)
            self.wrote(key_of(letter), key, None)
            s.delete(Letter, key)

    def wrote(self, key: Key, given: Any, state: State) -> None:
        with self._lock:
            self._program.tally.writes += 1
            self._writes.setdefault(key, []).append((given, state))

    def unsent(self, error: UnsentWrites, apart: Sequence[Any] = ()) -> None:
        """Take note of a report, but not of the objects *apart*."""
        with self._lock:
            for each in (write.object for write in error.unsent):
                if any(each is other for other in apart):
                    continue
                given = each[1] if isinstance(each, tuple) else each
                self._reported[id(given)] = given

    def choices(self) -> Choices:
        """What may be stored: what was not reported exactly so, the rest in any of its states."""
        program = self._program
        given = {id(each) for writes in self._writes.values() for each, _ in writes}
        if not self._reported.keys() <= given:
            raise Wrong("objects were reported that nobody gave")
        found = program.read()
        tally = program.tally
        choices: Choices = []
        for key, writes in self._writes.items():
            (last, state), before = writes[-1], program.world.get(key)
            if id(last) not in self._reported:
                choices.append([{key: state}])
                continue
            tally.named += 1
            applied = found.get(key) == state != before
            tally.named_and_stored += applied
            definite = program.definite and not program._adrift
            if applied and state is not None and definite:
                raise Wrong(f"{program.done[-1]}: {last!r} was reported, and it is stored")
            choices.append([{key: each} for each in (before, *(state for _, state in writes))])
        return choices


def _leave(way: str) -> None:
    if way == "error":
        raise LookupError("a mistake of the program's")
    if way == "interrupted":
        raise KeyboardInterrupt


def short(random: Random) -> timedelta:
    """A deadline: some are so short that writes are given up."""
    return timedelta(seconds=random.choice([0.1, 0.5, 2.0]))

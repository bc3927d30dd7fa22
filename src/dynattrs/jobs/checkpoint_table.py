"""Checkpoints in a table, one item a record, for processes of any number of machines."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

import attrs

from dynattrs.errors import ConditionFailed, ModelError, NoSuchTable, OutcomeUnknown
from dynattrs.expressions.functions import begins_with
from dynattrs.jobs.checkpoints import Checkpoints, Record, Store
from dynattrs.jobs.errors import CheckpointsFailed
from dynattrs.jobs.session_specs import SessionSpec, session_of
from dynattrs.models.model import model
from dynattrs.models.specifiers import partition_key, sort_key
from dynattrs.operations.flows import Flow
from dynattrs.operations.item_keys import key_of
from dynattrs.operations.leases import PASSING, FlowQuery, FlowVerbs
from dynattrs.operations.reading import query
from dynattrs.schema.model_info import model_info
from dynattrs.schema.table import Table

R = TypeVar("R")

#: Where records are, unless the program gives another table's name.
JOBS: Final = Table("dynattrs-jobs", partition_key="job", sort_key="record")


@model(JOBS)
class StoredRecord:
    """A record of a job as an item.

    Attributes:
        job: The job's name.
        record: The record's key.
        revision: How often it was written.
        token: Made by chance for each write: so a write finds its own again after a lost reply.
        body: What it says, as JSON.
    """

    job: str = partition_key()
    record: str = sort_key()
    revision: int
    token: str
    body: str


def in_table(name: str = JOBS.name, *, session: SessionSpec | None = None) -> Checkpoints:
    """Keep the checkpoints of jobs in a table, which is made on first use, billed by the request.

    A step costs a read unit and a write unit of it, two where it has files or failures.

    Args:
        name: The table's name, before the session's `table_prefix` and `tables`.
        session: How to make a session for it; the job's own by default.

    Raises:
        ModelError: An argument is none that can be.
    """
    given: object = name
    if not isinstance(given, str) or not given:
        raise ModelError("in_table", f"{name!r}: the name of a table is expected")
    spec: object = session
    if spec is not None and not isinstance(spec, SessionSpec):
        raise ModelError("in_table", f"session={session!r}: a SessionSpec is expected")
    return TableCheckpoints(name, session)


@attrs.frozen
class TableCheckpoints:
    """What `in_table` gives.

    Attributes:
        name: The table's name.
        session: How to make a session for it; None for the job's.
    """

    name: str
    session: SessionSpec | None = None

    def __str__(self) -> str:
        return f"table {self.name!r}"

    def store(self, job: str, session: SessionSpec) -> Store:
        return TableStore(self, job, self.session or session)

    def jobs(self, session: SessionSpec) -> Iterator[str]:
        own = session_of(self.session or session)
        verbs = FlowVerbs(own._core, JOBS, self.name)
        scan = query.begin(FlowQuery[StoredRecord], verbs, (StoredRecord,), "scan")
        begun = scan.where(StoredRecord.record == "job").consistent()
        try:
            found = own._drive(begun.all())
        except NoSuchTable:
            return
        yield from sorted(each.job for each in found)


class TableStore:
    """The records of one job in a table."""

    def __init__(self, place: TableCheckpoints, job: str, session: SessionSpec) -> None:
        self._place = str(place)
        self._job = job
        self._session = session_of(session)
        self._verbs = FlowVerbs(self._session._core, JOBS, place.name)

    def read(self, key: str) -> Record | None:
        found = self._patiently(lambda: self._stored(key))
        return None if found is None else self._record(found)

    def read_all(self, prefix: str = "") -> Iterator[Record]:
        asked = [StoredRecord.job == self._job]
        if prefix:
            asked.append(begins_with(StoredRecord.record, prefix))
        own = self._verbs.query(StoredRecord).where(*asked).consistent()
        yield from map(self._record, self._patiently(own.all) or ())

    def write(self, record: Record) -> bool:
        item = self._item(record)  # one for all tries, by which it finds itself
        write = functools.partial(self._write, item)
        return bool(self._patiently(lambda: self._verbs.with_table(write)))

    def add(self, record: Record) -> None:
        item = self._item(record)
        self._patiently(lambda: self._verbs.with_table(lambda: self._verbs._save(item)))

    def remove(self, record: Record) -> bool:
        return bool(self._patiently(lambda: self._remove(record)))

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            delete = functools.partial(
                self._verbs._delete, StoredRecord, (self._job, key), when=None, returning=False
            )
            self._patiently(delete)

    def _patiently(self, act: Callable[[], Flow[R]]) -> R | None:
        """What *act* does, also where it passes only after a while; None where there is no table."""
        return self._session._drive(self._again(act))

    def _again(self, act: Callable[[], Flow[R]]) -> Flow[R | None]:
        core = self._session._core
        until = core.environment.monotonic() + core.deadline.total_seconds()
        attempt = 0
        while True:
            try:
                return (yield from act())
            except NoSuchTable:
                return None
            except PASSING as error:
                if core.environment.monotonic() >= until:
                    raise
                attempt += 1
                table = core.table_name(JOBS)
                yield core.pause_before(attempt, "Checkpoint", (table,), 1, error, until)

    def _item(self, record: Record) -> StoredRecord:
        token = self._verbs.environment.token()
        body = json.dumps(record.body, separators=(",", ":"))
        return StoredRecord(self._job, record.key, record.revision, token, body)

    def _record(self, item: StoredRecord) -> Record:
        try:
            return Record(item.record, item.revision, json.loads(item.body))
        except ValueError as error:
            raise CheckpointsFailed(
                self._place,
                f"the item of job {self._job!r} and record {item.record!r} was not written by "
                f"dynattrs ({error}); it was changed by hand",
            ) from error

    def _stored(self, key: str) -> Flow[StoredRecord | None]:
        info = model_info(StoredRecord)
        found = yield from self._verbs._get(
            info, key_of(info, (self._job, key)), True, StoredRecord
        )
        return None if found is None else self._verbs._made(info, StoredRecord, found)

    def _remove(self, record: Record) -> Flow[bool]:
        found = yield from self._stored(record.key)
        if found is None or self._record(found) != record:
            return False
        # A record of another run may have the same revision, but no two writes have one token.
        same = StoredRecord.token == found.token
        try:
            yield from self._verbs._delete(
                StoredRecord, (self._job, record.key), when=same, returning=False
            )
        except ConditionFailed:
            return False
        except OutcomeUnknown:
            return (yield from self._stored(record.key)) is None
        return True

    def _write(self, item: StoredRecord) -> Flow[bool]:
        try:
            if item.revision == 1:
                yield from self._verbs.insert(item)
            else:
                earlier = StoredRecord.revision == item.revision - 1
                yield from self._verbs._save(item, when=earlier)
        except ConditionFailed as failed:
            found = failed.item
        except OutcomeUnknown:
            found = yield from self._stored(item.record)
        else:
            return True
        # Perhaps an attempt of this very write, whose reply was lost, has done it.
        return isinstance(found, StoredRecord) and found.token == item.token

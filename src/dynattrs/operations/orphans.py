"""Objects of S3 that no item names any more: what a crash has left between an object and its item, and values
that were replaced or deleted.

Nothing is removed when a value is replaced: another program may have read the item just before, and may fetch
the value, or save it again. So an object is removed that no item has named for a while. How long it has been
so S3 cannot tell. It is noted in an object of its own beside the values, by each run that deletes.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from dynattrs.errors import ModelError
from dynattrs.mapper.departures import is_map
from dynattrs.mapper.in_s3 import InS3
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow, ObjectCall
from dynattrs.operations.large_values import one_by_one
from dynattrs.operations.object_errors import ObjectMissing
from dynattrs.schema.messages import Message
from dynattrs.schema.model_info import model_info, models_in
from dynattrs.schema.table import Table

#: The object beside the values that says since when none names them.
_NOTES: Final = "orphans.json"
_DIGEST: Final = re.compile("[0-9a-f]{64}")


@attrs.frozen
class Orphan:
    """An object of S3 that no item names.

    Attributes:
        table: The real name of the table whose items do not name it.
        bucket: The bucket.
        key: The object's name.
        size: Its bytes.
        put: When it was put there last.
        since: When a run that deletes first found it so; None if none has yet.
        deleted: Whether it was deleted now.
    """

    table: str
    bucket: str
    key: str
    size: int
    put: datetime
    since: datetime | None = None
    deleted: bool = False

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@attrs.frozen(order=True)
class _Folder:
    """Where the values of a table are."""

    table: str
    bucket: str
    name: str


def found(
    core: Core,
    subjects: Iterable[type[object] | Table],
    unnamed_for: timedelta,
    *,
    delete: bool,
) -> Flow[list[Orphan]]:
    """The objects that no item names; those are deleted for which that is so long enough."""
    _check_time(unnamed_for)
    orphans: list[Orphan] = []
    by_table: defaultdict[str, list[_Folder]] = defaultdict(list)
    for folder in sorted(_folders(core, subjects)):
        by_table[folder.table].append(folder)
    for table, folders in by_table.items():
        listed: dict[_Folder, list[Orphan]] = {}
        for folder in folders:  # before the items: what is put meanwhile is not among them
            listed[folder] = yield from _listed(folder)
        named = yield from _named(table)
        for folder, objects in listed.items():
            some = [each for each in objects if (each.bucket, each.key) not in named]
            orphans += yield from _judged(core, folder, some, unnamed_for, delete=delete)
    return orphans


def _check_time(unnamed_for: object) -> None:
    if not isinstance(unnamed_for, timedelta) or unnamed_for < timedelta():
        raise ModelError("orphans", f"unnamed_for={unnamed_for!r}: a timedelta is expected")


def _folders(core: Core, subjects: Iterable[type[object] | Table]) -> set[_Folder]:
    folders: set[_Folder] = set()
    for subject in subjects:
        infos = models_in(subject) if isinstance(subject, Table) else [model_info(subject)]
        some = {
            _Folder(table, mark.bucket, mark.folder(table))
            for info in infos
            for table in (core.table_name(info.table),)
            for mark in _marks(info.mapper.model_codec(info.cls))
        }
        if not some:
            name = subject.name if isinstance(subject, Table) else subject.__name__
            raise ModelError(name, "it has no field with InS3, and so nothing in S3")
        folders |= some
    if not folders:
        raise ModelError("session.tables", "name at least one model or Table")
    return folders


def _marks(codec: Any) -> Collection[InS3]:
    marks: Mapping[str, InS3] = getattr(codec, "large", {})
    return marks.values()


def _listed(folder: _Folder) -> Flow[list[Orphan]]:
    """The objects that are values of a table's."""
    found: list[Orphan] = []
    parameters: Message = {"Bucket": folder.bucket, "Prefix": folder.name}
    while True:
        page: Message = yield ObjectCall("list_objects_v2", parameters)
        for each in page.get("Contents", ()):
            key: str = each["Key"]
            if _DIGEST.fullmatch(key[len(folder.name) :]):
                found.append(
                    Orphan(folder.table, folder.bucket, key, each["Size"], each["LastModified"])
                )
        if not page.get("IsTruncated"):
            return found
        parameters = {**parameters, "ContinuationToken": page["NextContinuationToken"]}


def _named(table: str) -> Flow[set[tuple[str, str]]]:
    """The objects that a table's items name, of whatever model, in whatever attribute."""
    named: set[tuple[str, str]] = set()
    parameters: Message = {"TableName": table, "ConsistentRead": True}
    while True:
        page: Message = yield Call("scan", parameters)
        for item in page["Items"]:
            for value in item.values():
                named.update(_named_in(value))
        if not page.get("LastEvaluatedKey"):
            return named
        parameters = {**parameters, "ExclusiveStartKey": page["LastEvaluatedKey"]}


def _named_in(value: Any) -> Iterator[tuple[str, str]]:
    ((tag, payload),) = value.items()
    if tag == "L":
        for each in payload:
            yield from _named_in(each)
    elif tag == "M":
        if is_map(value):
            bucket, key = payload.get("bucket", {}).get("S"), payload.get("key", {}).get("S")
            if isinstance(bucket, str) and isinstance(key, str):
                yield bucket, key
        for each in payload.values():
            yield from _named_in(each)


def _judged(
    core: Core, folder: _Folder, orphans: list[Orphan], unnamed_for: timedelta, *, delete: bool
) -> Flow[list[Orphan]]:
    """The orphans with what is noted of them; deleted, where that is meant and it is long enough."""
    now = core.environment.now()
    notes = yield from _notes(folder)
    known = [attrs.evolve(each, since=_noted(notes, each)) for each in orphans]
    if not delete:
        return known
    # At once where nothing is to be waited for.
    known = [each if each.since else attrs.evolve(each, since=now) for each in known]
    due = [each for each in known if each.since is not None and now - each.since >= unnamed_for]
    deleted = yield from one_by_one(core, (_deleted(each) for each in due))
    gone = {each.key: each for each in deleted if each is not None}
    left = {each.key: str(each.since) for each in known if each.key not in gone}
    if left != notes:
        yield from _note(folder, left)
    return [gone.get(each.key, each) for each in known]


def _deleted(orphan: Orphan) -> Flow[Orphan | None]:
    """Delete an object, unless it was put again since it was listed; None then."""
    which = {"Bucket": orphan.bucket, "Key": orphan.key}
    try:
        there: Message = yield ObjectCall("head_object", which)
    except ObjectMissing:  # another run was faster
        return attrs.evolve(orphan, deleted=True)
    if there["LastModified"] > orphan.put:
        return None
    yield ObjectCall("delete_object", which)
    return attrs.evolve(orphan, deleted=True)


def _noted(notes: Mapping[str, str], orphan: Orphan) -> datetime | None:
    try:
        since = datetime.fromisoformat(notes[orphan.key])
    except (KeyError, ValueError):
        return None
    # What was put again since then begins anew.
    return since if since.utcoffset() is not None and since >= orphan.put else None


def _notes(folder: _Folder) -> Flow[dict[str, str]]:
    import msgspec

    which = {"Bucket": folder.bucket, "Key": folder.name + _NOTES}
    try:
        there: Message = yield ObjectCall("get_object", which)
        return msgspec.json.decode(there["Body"], type=dict[str, str])
    except (ObjectMissing, msgspec.DecodeError):  # another program's: it begins anew
        return {}


def _note(folder: _Folder, notes: dict[str, str]) -> Flow[None]:
    import msgspec

    body = msgspec.json.encode(notes)
    which = {"Bucket": folder.bucket, "Key": folder.name + _NOTES}
    yield ObjectCall("put_object", {**which, "Body": body, "ContentType": "application/json"})

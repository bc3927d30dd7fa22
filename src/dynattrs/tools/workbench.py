"""NoSQL Workbench: its data models as tables, and tables as data models that it opens.

    tables = workbench.load("shop.json")
    workbench.dump(tables, "copy.json")

A data model is a JSON file with tables, their global indexes, facets and sample items. The format is
not published; it is known from the files that NoSQL Workbench writes.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/workbench.Modeler.html
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, TypeAlias

from dynattrs.errors import ModelError
from dynattrs.schema.capacity import Billing, OnDemand, Provisioned
from dynattrs.schema.table import (
    AttributeMap,
    AttributeValue,
    Facet,
    GlobalIndex,
    Index,
    KeyType,
    LocalIndex,
    Projection,
    Table,
    key_attributes_of,
)

#: A part of a data model: an object of its JSON.
Document: TypeAlias = dict[str, Any]

_DATES: Final = "%b %d, %Y, %I:%M %p"
_VERSION: Final = "3.0"
_TEXTS: Final = ("S", "N")
_SETS: Final = ("SS", "NS", "BS")
_TAGS: Final = frozenset(("S", "N", "B", "BOOL", "NULL", "L", "M", *_SETS))


# --- Reading ------------------------------------------------------------------------------------


def load(path: str | os.PathLike[str]) -> list[Table]:
    """The tables of a data model, with keys, indexes, facets, billing and sample items.

    `table.sample_items` holds all sample items as attribute maps, those of the facets included;
    each `table.facets[n]` its own.

    Raises:
        ModelError: The file is not a data model; it says where.
        OSError: It cannot be read.
    """
    where = f"data model {os.fspath(path)!r}"
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ModelError(where, f"it is not JSON: {error}") from error
    tables = document.get("DataModel") if isinstance(document, dict) else None
    if not isinstance(tables, list):
        raise ModelError(where, "it has no list 'DataModel', as NoSQL Workbench's models have")
    return [_Reader(f"{where}, table {place}", each).table() for place, each in enumerate(tables)]


class _Reader:
    def __init__(self, where: str, document: object) -> None:
        self.where = where
        self.types: dict[str, KeyType] = {}
        self.document: Document = self._mapping(document, "it")
        self.where = where.rpartition(" ")[0] + f" {self._text(self.document, 'TableName')!r}"

    def table(self) -> Table:
        document = self.document
        partition, sort = self._keys(document)
        indexes: list[Index] = [
            self._global(each) for each in self._list(document, "GlobalSecondaryIndexes")
        ]
        indexes += [self._local(each) for each in self._list(document, "LocalSecondaryIndexes")]
        facets = tuple(self._facet(each) for each in self._list(document, "TableFacets"))
        items = [*self._items(document)]
        for facet in facets:
            items += [item for item in facet.sample_items if item not in items]
        attributes = {
            self._text(each, "AttributeName"): str(each.get("AttributeType", "S"))
            for each in self._list(document, "NonKeyAttributes")
        }
        try:
            return Table(
                self._text(document, "TableName"),
                partition_key=partition,
                sort_key=sort,
                indexes=indexes,
                types={name: kind for name, kind in self.types.items() if kind != "S"},
                billing=self._billing(),
                facets=facets,
                attributes=attributes,
                sample_items=tuple(items),
            )
        except ModelError as error:
            raise self._error(f"{error.model}: {error.problem}") from error

    def _keys(self, document: Document) -> tuple[str, str | None]:
        keys = self._mapping(document.get("KeyAttributes"), "'KeyAttributes'")
        sort = keys.get("SortKey")
        return self._key(keys.get("PartitionKey")), None if sort is None else self._key(sort)

    def _key(self, key: object) -> str:
        key = self._mapping(key, "a key")
        name = self._text(key, "AttributeName")
        kind = key.get("AttributeType", "S")
        if kind not in ("S", "N", "B"):
            raise self._error(f"key attribute {name!r} is of type {kind!r}, not 'S', 'N' or 'B'")
        self.types[name] = kind
        return name

    def _global(self, index: Document) -> GlobalIndex:
        partition, sort = self._keys(index)
        return GlobalIndex(
            self._text(index, "IndexName"),
            partition_key=partition,
            sort_key=sort,
            projection=self._projection(index),
        )

    def _local(self, index: Document) -> LocalIndex:
        _, sort = self._keys(index)
        return LocalIndex(
            self._text(index, "IndexName"),
            sort_key=sort,
            projection=self._projection(index),
        )

    def _projection(self, index: Document) -> Projection:
        projection = index.get("Projection") or {}
        kind = projection.get("ProjectionType", "ALL")
        if kind == "INCLUDE":
            return [str(name) for name in projection.get("NonKeyAttributes", ())]
        return "keys" if kind == "KEYS_ONLY" else "all"

    def _facet(self, facet: Document) -> Facet:
        aliases = facet.get("KeyAttributeAlias") or {}
        return Facet(
            self._text(facet, "FacetName"),
            partition_key=aliases.get("PartitionKeyAlias") or "",
            sort_key=aliases.get("SortKeyAlias"),
            attributes=tuple(str(name) for name in facet.get("NonKeyAttributes") or ()),
            sample_items=tuple(self._items(facet)),
        )

    def _billing(self) -> Billing | None:
        mode = self.document.get("BillingMode")
        if mode == "PAY_PER_REQUEST":
            return OnDemand()
        capacity = self.document.get("ProvisionedCapacitySettings") or {}
        units = capacity.get("ProvisionedThroughput") or {}
        if mode != "PROVISIONED" or not units:
            return None
        return Provisioned(
            read=int(units.get("ReadCapacityUnits", 5)),
            write=int(units.get("WriteCapacityUnits", 5)),
        )

    def _items(self, document: Document) -> Iterator[AttributeMap]:
        for item in self._list(document, "TableData"):
            yield {name: _value(value) for name, value in item.items()}

    def _list(self, document: Document, name: str) -> list[Document]:
        found = document.get(name) or []
        if not isinstance(found, list):
            raise self._error(f"{name!r} is not a list")
        return [self._mapping(each, f"an entry of {name!r}") for each in found]

    def _mapping(self, value: object, what: str) -> Document:
        if not isinstance(value, dict):
            raise self._error(f"{what} is not an object, but {type(value).__name__}")
        return value

    def _text(self, document: Document, name: str) -> str:
        value = document.get(name)
        if not isinstance(value, str) or not value:
            raise self._error(f"{name!r} is missing, or no text")
        return value

    def _error(self, problem: str) -> ModelError:
        return ModelError(self.where, problem)


def _value(value: object) -> AttributeValue:
    """An attribute value as a file has it. People write plain JSON into maps and lists, too."""
    if isinstance(value, dict) and len(value) == 1:
        ((tag, payload),) = value.items()
        found = _tagged(tag, payload)
        if found is not None:
            return found
    if isinstance(value, dict):
        return {"M": {str(name): _value(each) for name, each in value.items()}}
    if isinstance(value, list):
        return {"L": [_value(each) for each in value]}
    if isinstance(value, bool):
        return {"BOOL": value}
    if value is None:
        return {"NULL": True}
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def _tagged(tag: str, payload: object) -> AttributeValue | None:
    """The value of a tag and its payload; None where they are not attribute value."""
    if tag in _TEXTS and isinstance(payload, (str, int, float)) and not isinstance(payload, bool):
        return {tag: str(payload)}
    if tag in ("BOOL", "NULL") and payload in (True, False, "true", "false"):
        return {tag: payload in (True, "true")}
    if tag == "M" and isinstance(payload, dict):
        return {"M": {str(name): _value(each) for name, each in payload.items()}}
    if tag == "L" and isinstance(payload, list):
        return {"L": [_value(each) for each in payload]}
    if tag == "B" and isinstance(payload, str):
        return {"B": _bytes(payload)}
    if tag in _SETS and isinstance(payload, list):
        texts = [str(each) for each in payload]
        return {tag: [_bytes(each) for each in texts] if tag == "BS" else texts}
    return None


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode()


# --- Writing ------------------------------------------------------------------------------------


def dump(
    tables: Iterable[Table],
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    author: str = "",
    description: str = "",
) -> None:
    """Write tables as a data model that NoSQL Workbench opens.

    Args:
        tables: `Table`s. Their `facets`, `attributes` and `sample_items` are written as well.
        path: The file, which is replaced.
        name: The data model's name; the file's without it.
        author: Its author.
        description: What it is.

    Raises:
        ModelError: A table has what no data model has: a local index, or an index key of several
            attributes.
    """
    now = datetime.now(timezone.utc).strftime(_DATES)
    document = {
        "ModelName": name or Path(path).stem,
        "ModelMetadata": {
            "Author": author,
            "DateCreated": now,
            "DateLastModified": now,
            "Description": description,
            "AWSService": "Amazon DynamoDB",
            "Version": _VERSION,
        },
        "DataModel": [_table_document(_table(each)) for each in tables],
    }
    text = json.dumps(document, indent=2, ensure_ascii=False)
    Path(path).write_text(text + "\n", encoding="utf-8")


def _table(subject: object) -> Table:
    if not isinstance(subject, Table):
        raise ModelError("workbench.dump", f"a list of Tables is expected, found {subject!r}")
    return subject


def _table_document(table: Table) -> Document:
    document: Document = {
        "TableName": table.name,
        "KeyAttributes": _key_attributes(table, None),
        "NonKeyAttributes": [
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in _attribute_types(table).items()
        ],
    }
    in_facets: list[AttributeMap] = []
    if table.facets:
        document["TableFacets"] = [_facet_document(table, facet) for facet in table.facets]
        in_facets = [item for facet in table.facets for item in facet.sample_items]
    rest = [item for item in table.sample_items if item not in in_facets]
    if rest:
        document["TableData"] = [_plain_item(item) for item in rest]
    for each in table.vector_indexes:
        raise _not_there(table, each.name, "of vectors")
    indexes = [_index_document(table, index) for index in table.secondary_indexes]
    if indexes:
        document["GlobalSecondaryIndexes"] = indexes
    document["DataAccess"] = {"MySql": {}}
    document |= _billing_document(table.billing)
    return document


def _key_attributes(table: Table, index: Index | None) -> Document:
    names = key_attributes_of(table, index)
    return {
        role: {"AttributeName": name, "AttributeType": table.type_of(name)}
        for role, name in zip(("PartitionKey", "SortKey"), names, strict=False)
    }


def _index_document(table: Table, index: Index) -> Document:
    if isinstance(index, LocalIndex) or len(index.partition_key) > 1 or len(index.sort_key) > 1:
        what = "local" if isinstance(index, LocalIndex) else "with a key of several attributes"
        raise _not_there(table, index.name, what)
    projection: Document = {"ProjectionType": "ALL"}
    if index.projection == "keys":
        projection = {"ProjectionType": "KEYS_ONLY"}
    elif index.projection != "all":
        projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.projection)}
    return {
        "IndexName": index.name,
        "KeyAttributes": _key_attributes(table, index),
        "Projection": projection,
    }


def _not_there(table: Table, index: str, what: str) -> ModelError:
    return ModelError(
        f"Table({table.name!r})",
        f"index {index!r} is {what}, which NoSQL Workbench's data models do not have; "
        f"write a copy without it: attrs.evolve(table, indexes=...)",
    )


def _facet_document(table: Table, facet: Facet) -> Document:
    aliases = {"PartitionKeyAlias": facet.partition_key or table.partition_key}
    if table.sort_key is not None:
        aliases["SortKeyAlias"] = facet.sort_key or table.sort_key
    held = {name for item in facet.sample_items for name in item} - {*table.key}
    others = [name for name in _attribute_types(table) if name in held]
    return {
        "FacetName": facet.name,
        "KeyAttributeAlias": aliases,
        "TableData": [_plain_item(item) for item in facet.sample_items],
        "NonKeyAttributes": list(facet.attributes) or others,
        "DataAccess": {"MySql": {}},
    }


def _attribute_types(table: Table) -> dict[str, str]:
    """All attributes besides the key: those of index keys, those that are told, those of items."""
    found: dict[str, str] = {name: table.type_of(name) for name in table.key_attributes}
    for name, kind in table.attributes.items():
        found.setdefault(name, kind)
    items = [*table.sample_items, *(i for facet in table.facets for i in facet.sample_items)]
    for item in items:
        for name, value in item.items():
            kind = next(iter(value))
            # What is NULL in one item may be something in another.
            if found.get(name, "NULL") == "NULL":
                found[name] = kind
    for index in table.indexes:
        for name in () if isinstance(index.projection, str) else index.projection:
            found.setdefault(name, "S")
    for facet in table.facets:
        for name in facet.attributes:
            found.setdefault(name, "S")
    return {name: kind for name, kind in found.items() if name not in table.key}


def _plain_item(item: AttributeMap) -> Document:
    return {name: _plain(value) for name, value in item.items()}


def _plain(value: AttributeValue) -> Document:
    """An attribute value as JSON has it: bytes in base64."""
    ((tag, payload),) = value.items()
    if tag == "M":
        return {"M": _plain_item(payload)}
    if tag == "L":
        return {"L": [_plain(each) for each in payload]}
    if tag == "B":
        return {"B": base64.b64encode(bytes(payload)).decode()}
    if tag == "BS":
        return {"BS": [base64.b64encode(bytes(each)).decode() for each in payload]}
    return {tag: list(payload) if tag in _SETS else payload}


def _billing_document(billing: Billing | None) -> Document:
    if not isinstance(billing, Provisioned):
        return {"BillingMode": "PAY_PER_REQUEST"}
    return {
        "BillingMode": "PROVISIONED",
        "ProvisionedCapacitySettings": billing.arguments(),
    }

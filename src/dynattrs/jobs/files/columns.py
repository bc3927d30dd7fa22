"""Items of a model as rows: one column a field, by the field's name, and one for all that has no column.

That last one, `dynattrs.rest`, is empty for nearly all items. It holds, as DynamoDB JSON, attributes that the
model does not know, keys of indexes that its fields do not make, encrypted values as they are stored, and
values that the form of a column cannot say. So an item is the same object again when it is read back.

Items are today's: of an older schema they are brought up to date on the way, and what the table computes of
fields, keys and the kind of an item, is computed again.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, cast

import attrs
import msgspec

from dynattrs.jobs.files.dynamodb_json import checked, shown
from dynattrs.jobs.files.errors import BadLine
from dynattrs.mapper import anything
from dynattrs.mapper.carried import carried_by, carry_on
from dynattrs.mapper.codec import Codec, Refused
from dynattrs.mapper.equality import as_written, comparable, same
from dynattrs.mapper.plain_items import item_of_fields
from dynattrs.mapper.upgrades import is_outdated
from dynattrs.schema.model_info import ENCRYPTED, IN_S3, ModelInfo, model_info
from dynattrs.schema.table import AttributeMap, AttributeValue

#: The column of what has no column.
REST: Final = "dynattrs.rest"

#: A value in JSON whose types plain JSON does not tell: `{"$dynamodb": {"SS": ["a"]}}`.
TYPED: Final = "$dynamodb"

_encode: Final = msgspec.json.Encoder().encode


@attrs.frozen(eq=False)
class Column:
    """A field.

    Attributes:
        name: The field's name, which is the column's.
        attribute: What it is stored as.
        codec: How it is stored.
        tag: The type of its values where text says them: S, N, B or BOOL; None where they are JSON text.
        hidden: Whether its values stand in the rest only: they are encrypted, or may be in S3.
        empty: Whether an empty cell of a foreign file means an empty text.
        null: Whether NULL and nothing are one: what the field is then is None.
    """

    name: str
    attribute: str
    codec: Codec
    tag: str | None
    hidden: bool
    empty: bool
    null: bool


class Columns:
    """The columns of a model."""

    def __init__(self, model: type[Any]) -> None:
        self.info: ModelInfo = model_info(model)
        self.codec = cast("Codec", self.info.mapper.model_codec(self.info.cls))
        self.columns = tuple(
            _column(name, self.info, self.codec) for name in self.codec.fields or self.info.names
        )
        self.by_name = {each.name: each for each in self.columns}
        self.by_attribute = {each.attribute: each for each in self.columns}

    def found(self, names: Sequence[str]) -> dict[str, Column]:
        """The columns of a file by their names there, which are those of fields, or of attributes.

        Raises:
            BadLine: One is none of the model's.
        """
        found: dict[str, Column] = {}
        for place, name in enumerate(names):
            if name in names[:place]:
                raise self.wrong(
                    f"each column once, found {shown(name)} twice", "remove one of them"
                )
            column = self.by_name.get(name) or self.by_attribute.get(name)
            if column is not None:
                twice = next((each for each in found if found[each] is column), None)
                if twice is not None:
                    raise self.wrong(
                        f"one column for each field, found {shown(twice)} and {shown(name)} for "
                        f"{column.name}",
                        "remove one of them",
                    )
                found[name] = column
            elif name != REST:
                alone = len(names) == 1 and re.search(r"[;\t]", name)
                fields = ", ".join(each.name for each in self.columns)
                raise self.wrong(
                    f"columns named by its fields ({fields}), found {shown(name)}",
                    f"{'separate with commas, or ' if alone else ''}remove or rename that column",
                )
        return found

    def wrong(self, expected: str, remedy: str) -> BadLine:
        """The error for a file or a row that does not fit the model."""
        return BadLine(f"{self.info.name}: expected {expected}; {remedy}", self.info.name)

    # --- Writing ---

    def row(self, item: AttributeMap) -> tuple[list[AttributeValue | None], AttributeMap]:
        """An item's values by columns, None for what it has not, and all else.

        Raises:
            MappingError, BadLine: It is not an item of the model as it should be.
        """
        info = self.info
        found = self._today(item)
        rest: AttributeMap = {}
        if info.keys is not None:
            found = info.keys.restore(found)
            again = {name: value for name, value in found.items() if name in self.by_attribute}
            info.keys.complete(again)
            for name in (*info.keys.attributes, *info.table.key):
                if name in self.by_attribute or name not in found:
                    continue
                made = again.get(name)
                if made is None or comparable(made) != comparable(found[name]):
                    rest[name] = found[name]
        for name in self._lost(self._loaded(found)):
            if name in self.by_attribute and name in found:
                rest[name] = found[name]
        computed = () if info.keys is None else info.keys.attributes
        values: list[AttributeValue | None] = []
        for column in self.columns:
            value = found.get(column.attribute) if column.attribute not in rest else None
            if value is not None and (column.hidden or ("NULL" in value and not column.null)):
                rest[column.attribute] = value
                value = None
            values.append(None if value is None or "NULL" in value else value)
        for name, value in found.items():
            if name not in self.by_attribute and name not in computed and name not in rest:
                rest[name] = value
        return values, rest

    def _today(self, item: AttributeMap) -> AttributeMap:
        info = self.info
        if not self.codec.sealed:
            return info.mapper.current(info, item)
        # What is encrypted stays so.
        if info.has_schema and is_outdated(info, item):
            raise BadLine(
                f"{info.name}: expected an item of today's schema, because it has encrypted attributes; "
                f"migrate the model first",
                info.name,
            )
        left_out = {info.schema_attribute} if info.versioned else set()
        return {name: value for name, value in item.items() if name not in left_out}

    # --- Reading ---

    def item(self, fields: AttributeMap, rest: AttributeMap) -> AttributeMap:
        """The item of a row, as it is to be stored.

        Args:
            fields: The values of its columns, by attribute.
            rest: The attributes of the last column.

        Raises:
            MappingError, BadLine: They make no object of the model.
        """
        info = self.info
        item = {**fields, **rest}
        try:
            if info.keys is not None and not item.keys() >= {*info.table.key}:
                item = item_of_fields(item, info, info.keys)
        except Refused as refusal:
            raise BadLine(
                f"{info.name}: expected {refusal.expected}, found {refusal.found}", info.name
            ) from None
        obj = self._loaded(item)
        lost = self._lost(obj)
        if lost and lost <= rest.keys():
            carry_on(obj, lost=())  # they are written whole, as they stand in the rest
        as_new(obj, info)
        return {**without_made(info, info.mapper.dump(obj), item), **rest}

    # --- Both ---

    def _loaded(self, item: AttributeMap) -> Any:
        """The object of an item of today's schema.

        Raises:
            MappingError: The class cannot read it.
        """
        info = self.info
        if info.versioned and info.schema_attribute not in item:
            item = {**item, info.schema_attribute: {"N": str(info.schema_version)}}
        return info.mapper.load(item, info.cls)

    def _lost(self, obj: Any) -> set[str]:
        """The attributes of an object within which there are some that a nested class does not know."""
        names = {path.split(".")[1].split("[")[0] for path in carried_by(obj).lost}
        return {self.by_name[each].attribute if each in self.by_name else each for each in names}


def _column(name: str, info: ModelInfo, model: Codec) -> Column:
    codec = (model.fields or {})[name]
    tag = codec.tag if codec.tag in ("S", "N", "B", "BOOL") and not codec.is_set else None
    return Column(
        name,
        info.names[name],
        codec,
        tag,
        hidden=codec.packed in (ENCRYPTED, IN_S3),
        empty=tag == "S" and not codec.optional and name in model.required,
        null=name in model.sparse,
    )


def as_new(obj: Any, info: ModelInfo) -> None:
    """Let the limits of fields hold whose large values are kept in S3, for what comes from no item."""
    for name, codec in (info.mapper.model_codec(type(obj)).fields or {}).items():
        if codec.packed == IN_S3 and (value := getattr(obj, name)) is not None:
            value._as_new()


def without_made(info: ModelInfo, dumped: AttributeMap, said: Collection[str]) -> AttributeMap:
    """An item without the version and time stamps that nothing has *said*: these are what the class has by
    default, and an item without them stays one.
    """
    if not info.moves:
        return dumped
    names = (info.version, info.created, info.updated)
    made = {info.names[name] for name in names if name}.difference(said)
    return {name: value for name, value in dumped.items() if name not in made}


# --- Values as JSON text --------------------------------------------------------------------------


def json_text(value: AttributeValue, codec: Codec) -> str:
    """A value as JSON text: plain where the codec's type tells what it was, else with its types."""
    with contextlib.suppress(Exception):  # what cannot be written or read so has types
        text = anything.plain_json(value)
        if alike(from_json_text(text, codec), value, codec):
            return text
    return f'{{"{TYPED}": {_encode(value).decode()}}}'


def alike(one: AttributeValue, other: AttributeValue, codec: Codec) -> bool:
    """Whether two values are one to the service, or to the field that they are of."""
    if comparable(one) == comparable(other):
        return True
    return same({"": as_written(one, codec)}, {"": as_written(other, codec)})


def from_json_text(text: str, codec: Codec) -> AttributeValue:
    """The value of a cell of JSON text.

    Raises:
        BadLine: It is none.
    """
    try:
        found = anything.parse_json(text)
        if isinstance(found, dict) and found.keys() == {TYPED}:
            return checked(found)[TYPED]
        return anything.from_plain(found, codec)
    except (Refused, ValueError, RecursionError) as error:
        raise BadLine(
            f"expected {codec.expected} as JSON text, found {shown(text)} ({error})"
        ) from error


def rest_text(rest: Mapping[str, AttributeValue]) -> str:
    """The last column: empty where there is nothing."""
    return _encode(rest).decode() if rest else ""


def rest_of(text: str) -> AttributeMap:
    """What stands in the last column.

    Raises:
        BadLine: It is not an item in DynamoDB JSON.
    """
    if not text:
        return {}
    try:
        return checked(msgspec.json.decode(text))
    except msgspec.DecodeError as error:
        raise BadLine(f"{REST}: expected attributes as DynamoDB JSON ({error})") from error

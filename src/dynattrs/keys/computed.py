"""The computed keys of one model: made of an item's fields when it is written, taken apart when read.

This is the one seam between templates and everything else. The mapper completes what it dumps and
restores what it loads; verbs ask for the parts of a key; updates ask which key attributes follow a
field; the planner asks for the templates.
"""

from __future__ import annotations

import enum
import re
import typing
import zlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, cast

import attrs

from dynattrs import limits, utf8
from dynattrs.errors import ImpossibleKey, MappingError, ModelError
from dynattrs.expressions.paths import did_you_mean
from dynattrs.mapper import Mapper
from dynattrs.mapper.classes import held
from dynattrs.mapper.codec import ANY, Codec
from dynattrs.mapper.numbers import fits
from dynattrs.mapper.scalars import PLAIN, binary
from dynattrs.mapper.size import value_size
from dynattrs.schema.field_rules import refused_in_key
from dynattrs.schema.model_info import OPAQUE, KeyField, never, rules_at, why_not_compared
from dynattrs.schema.slot_styles import (
    DATE,
    ID,
    INSTANT,
    TIME,
    Bytes,
    Number,
    Padded,
    Rest,
    Style,
    Truth,
    Unfit,
    Words,
    period,
)
from dynattrs.schema.table import (
    AttributeMap,
    AttributeValue,
    GlobalIndex,
    StoredItem,
    Table,
    key_attributes_of,
)
from dynattrs.schema.templates import Template, parse

_FIXED: Final[dict[str, Style]] = {"datetime": INSTANT, "date": DATE, "time": TIME, "UUID": ID}


@attrs.define(eq=False)
class ModelKeys:
    """How the keys of a model are made.

    Attributes:
        model: The class.
        table: Its table.
        written: The templates as they were written, by key attribute.
        names: Attribute names by field name.
        key_only: The fields that are stored in keys only.
        kinds: The discriminator's values for the class, where the table has one: all are read, and the
            first is written.
        apart: Whether all of its keys were found to differ from those of the table's other models.
    """

    model: type[object]
    table: Table
    mapper: Mapper
    written: Mapping[str, Any]
    names: Mapping[str, str]
    key_only: tuple[str, ...]
    kinds: tuple[str, ...]
    apart: bool = attrs.field(default=False, init=False)
    _templates: dict[str, Template] | None = attrs.field(default=None, init=False)
    _parts: tuple[KeyField, ...] = attrs.field(default=(), init=False)
    _codecs: dict[str, tuple[tuple[str, ...], Codec]] = attrs.field(factory=dict, init=False)
    _patterns: tuple[tuple[str, re.Pattern[str] | AttributeValue | None], ...] = attrs.field(
        default=(), init=False
    )
    #: What `complete` may change, with the bytes of the name.
    _sizes: tuple[tuple[str, int], ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        changed = dict.fromkeys((*self.attributes, *(self.names[each] for each in self.key_only)))
        self._sizes = tuple((name, len(name.encode())) for name in changed)

    @property
    def name(self) -> str:
        return self.model.__name__

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes of an item that are computed, and no fields."""
        discriminator = self.table.discriminator
        return (*self.written, *((discriminator,) if discriminator and self.kinds else ()))

    @property
    def templates(self) -> Mapping[str, Template]:
        """The templates by key attribute, the primary key's first. Parsed at the first use.

        Raises:
            ModelError: One does not fit the fields.
            Undefined: An annotation is not defined yet.
        """
        if self._templates is None:
            self._templates = self._bind()
        return self._templates

    @property
    def primary_fields(self) -> tuple[KeyField, ...]:
        """The fields that make the primary key, in the order in which it names them."""
        _ = self.templates
        return self._parts

    @property
    def patterns(self) -> tuple[tuple[str, re.Pattern[str] | AttributeValue | None], ...]:
        """The attributes of the primary key with what they look like: text by a pattern, another constant
        as it is, and None for everything.
        """
        _ = self.templates
        return self._patterns

    def error(self, problem: str, field: str | None = None) -> ModelError:
        return ModelError(self.name, problem, field)

    # --- Declaring ---

    def _bind(self) -> dict[str, Template]:
        found: dict[str, Template] = {}
        for attribute in self.table.key_attributes:
            if attribute not in self.written:
                continue
            written, kind = self.written[attribute], self.table.type_of(attribute)
            try:
                found[attribute] = parse(attribute, kind, written, self._resolve)
                self._check_size(found[attribute])
            except Unfit as unfit:
                hint = f"; {unfit.hint}" if unfit.hint else ""
                raise self.error(
                    f"{attribute}={written!r}: expected {unfit.expected}, found {unfit.found}{hint}"
                ) from None
        self._check(found)
        self._parts = tuple(self._primary_parts(found))
        self._patterns = tuple(
            (attribute, self._pattern(found.get(attribute))) for attribute in self.table.key
        )
        return found

    def most(self, attribute: str) -> int:
        """How many bytes a key attribute has at most."""
        sorts = {
            *self.table.key[1:],
            *(n for index in self.table.secondary_indexes for n in index.sort_key),
        }
        return limits.SORT_KEY_BYTES if attribute in sorts else limits.PARTITION_KEY_BYTES

    def _check_size(self, template: Template) -> None:
        """Refuse a template that no item has a key by.

        Raises:
            Unfit: It is empty, too long, or no number that the service holds.
        """
        found, most = repr(template.written), self.most(template.attribute)
        if template.tag == "N":
            if template.constant is not None and not fits(Decimal(template.constant["N"])):
                raise Unfit("a number that DynamoDB can hold (N)", found)
        elif template.tag == "B":
            if template.constant is not None and not 0 < len(template.constant["B"]) <= most:
                raise Unfit(f"1 to {most:,} bytes", f"{len(template.constant['B']):,}")
        else:
            texts = (
                p if isinstance(p, str) else "0" * (p.style.width or 0) for p in template.parts
            )
            for text in filter(None, template.parts):
                if isinstance(text, str) and not utf8.encodable(text):
                    raise Unfit(utf8.EXPECTED, utf8.found(text), utf8.HINT)
            least = sum(len(text.encode()) for text in texts)
            if least > most:
                raise Unfit(f"at most {most:,} bytes", f"{least:,} or more")

    @staticmethod
    def _pattern(template: Template | None) -> re.Pattern[str] | AttributeValue | None:
        if template is None:
            return None
        if template.tag == "S":
            return template.pattern
        return template.constant

    def resolved(self, name: str) -> tuple[tuple[str, ...], Codec]:
        """Where a field is stored, and how.

        Raises:
            Unfit: There is no such field.
        """
        known = self._codecs.get(name)
        if known is not None:
            return known
        codec = self.mapper.model_codec(self.model)
        steps: list[str] = []
        inside = self.name
        for part in name.split("."):
            fields = codec.fields
            if fields is None or part not in fields:
                hint = did_you_mean(part, fields).lstrip("; ") if fields else ""
                raise Unfit(f"a field of {inside}", f"{{{name}}}", hint)
            steps.append((codec.names or {}).get(part, part))
            codec = fields[part]
            inside = f"{inside}.{part}"
        self._codecs[name] = tuple(steps), codec
        return self._codecs[name]

    def _resolve(self, name: str, spec: str, words: Words) -> tuple[tuple[str, ...], Style]:
        steps, codec = self.resolved(name)
        return steps, self._style(name, codec, spec, words)

    def _style(self, name: str, codec: Codec, spec: str, words: Words) -> Style:
        # What a user's hooks store is taken for text, and checked every time.
        if codec.packed in OPAQUE:
            why = why_not_compared(codec.packed)
            raise Unfit(f"a field that is not {never(codec.packed)}", f"{{{name}}}", why)
        kinds = frozenset({"S"}) if codec.tags == ANY else codec.tags
        kind = next(iter(kinds)) if len(kinds) == 1 else None
        types: set[Any] = set() if codec.tags == ANY else self.mapper.types_of(codec.type)
        if kind == "S":
            if spec == "*":
                return Rest()
            type_ = next(iter(types)) if len(types) == 1 else None
            plain = PLAIN.get(type_) if isinstance(type_, type) else None
            # What is marked with another form has a text of its own.
            usual = plain is not None and plain.tag == "S" and plain is held(codec)
            own = getattr(type_, "__name__", "") if usual else ""
            if spec and own in ("datetime", "date"):
                return period(spec, date_only=own == "date")
            if not spec:
                if own in _FIXED:
                    return _FIXED[own]
                # Without letters in what ends it: such an end was never refused here.
                for choice in () if words.end[:1].isalnum() else _choices(types):
                    words.text(codec.dump(choice))
                return words
        if kind == "N":
            if not spec or spec == "d":
                return Number()
            match = re.fullmatch(r"0([1-9]\d{0,3})([dxX]?)", spec)
            if match and _integral(types):
                return Padded(width=int(match[1]), base=match[2] or "d")
        if kind == "BOOL" and not spec:
            return Truth()
        if kind == "B" and not spec:
            if self._in_text(name):
                raise Unfit("text, numbers or booleans in a key of text", f"{name!r}, bytes")
            return Bytes()
        if kind not in _SPECS:
            raise Unfit(
                "a field that is stored as text, a number or a boolean, and as nothing else",
                f"{{{name}}}, which is {codec.expected}",
            )
        raise Unfit(_SPECS[kind], f"{{{name}:{spec}}}")

    def _in_text(self, name: str) -> bool:
        """Whether a field of bytes stands in a template of a key attribute that is text."""
        return any(
            isinstance(written, str)
            and f"{{{name}" in written
            and self.table.type_of(attribute) == "S"
            for attribute, written in self.written.items()
        )

    def _check(self, found: Mapping[str, Template]) -> None:
        """Refuse keys that would be wrong for every item."""
        own = {*self.names.values(), self.table.discriminator}
        primary = [
            (template, slot)
            for attribute in self.table.key
            if (template := found.get(attribute)) is not None
            for slot in template.slots
        ]
        whole = {slot.steps for _, slot in primary if slot.style.exact}
        codec = self.mapper.model_codec(self.model)
        for template, slot in primary:
            made = f"{template.attribute}={template.written!r}"
            kept = self.resolved(slot.name)[1]
            if kept.optional:
                way = "remove `| None`"
                if kept.tags == ANY:
                    way = "write a type that is no type variable and not Any, such as str"
                raise self.error(
                    f"it is part of the key {made}, which every item has; {way}", slot.name
                )
            if refusal := refused_in_key(rules_at(codec, slot.name)):
                raise self.error(refusal, slot.name)
            if slot.steps not in whole:
                raise self.error(
                    f"{made} holds only a period of it, so two items would meet in one key; put "
                    f"{{{slot.name}}} into the primary key as well",
                    slot.name,
                )
        for name in self.key_only:
            if (self.names[name],) not in whole:
                raise self.error(
                    "it is stored in keys only (key_only=True), and the primary key does not hold "
                    "it; put it into a template of the primary key",
                    name,
                )
        for attribute, template in found.items():
            if attribute in self.table.key:
                continue
            lacking = {
                index.name: [each for each in key if each not in found and each not in own]
                for index in self.table.secondary_indexes
                if attribute in (key := key_attributes_of(self.table, index))
            } | {
                # An item without a filter is in the index, one without the others is not.
                index.name: [
                    each
                    for each in (index.partition_key, index.vector)
                    if each is not None and each not in found and each not in own
                ]
                for index in self.table.vector_indexes
                if attribute in index.search_attributes
            }
            if all(lacking.values()):
                names = " and ".join(each for several in lacking.values() for each in several)
                raise self.error(
                    f"{attribute}={template.written!r} is given and {names} is not, so "
                    f"no item would ever be in index {next(iter(lacking))!r}; give that as well"
                )

    def _primary_parts(self, found: Mapping[str, Template]) -> Iterable[KeyField]:
        by_attribute = {stored: name for name, stored in self.names.items()}
        seen: set[str] = set()
        for attribute in self.table.key:
            template = found.get(attribute)
            exact = [slot.name for slot in template.slots if slot.style.exact] if template else []
            for name in exact if template else [by_attribute[attribute]]:
                if name not in seen:
                    seen.add(name)
                    rules = rules_at(self.mapper.model_codec(self.model), name)
                    yield KeyField(name, *self.resolved(name), rules)

    # --- Writing ---

    def complete(self, item: AttributeMap) -> None:
        """Put the computed attributes into an item, and take out what is stored in keys only.

        Raises:
            MappingError: A field has no place in a key.
        """
        self.compute(item, self.templates.values())
        if self.kinds and self.table.discriminator is not None:
            item[self.table.discriminator] = {"S": self.kinds[0]}
        for name in self.key_only:
            item.pop(self.names[name], None)

    def complete_with_size(self, item: AttributeMap) -> int:
        """As `complete`, and by how many bytes the item has grown.

        Raises:
            MappingError: As `complete`.
            UnicodeEncodeError: A text has no UTF-8 form.
        """
        before = self._computed_size(item)
        self.complete(item)
        return self._computed_size(item) - before

    def _computed_size(self, item: AttributeMap) -> int:
        """The bytes of the attributes of an item that `complete` puts in, changes or takes out."""
        size = 0
        for name, bytes_ in self._sizes:
            if name in item:
                size += bytes_ + value_size(item[name], 1)
        return size

    def compute(self, item: AttributeMap, templates: Iterable[Template]) -> None:
        """Put some key attributes into an item that has all its fields.

        Raises:
            MappingError: A field has no place in a key.
        """
        for template in templates:
            value = self.value(template, item)
            if value is not None:
                item[template.attribute] = value
            elif template.attribute not in self.table.key:
                item.pop(template.attribute, None)
            else:
                slot = next(slot for slot in template.slots if slot.stored(item) is None)
                raise MappingError(
                    f"{self.name}.{slot.name}",
                    f"a value, it is part of the key {template.attribute}={template.written!r}",
                    "none",
                )

    def refresh(self, item: AttributeMap, changed: set[str]) -> None:
        """Make those key attributes of a complete item anew that some attributes are part of."""
        templates = [
            template
            for template in self.templates.values()
            if any(template.uses(attribute) for attribute in changed)
        ]
        if templates:
            whole = dict(self.restore(item))
            self.compute(whole, templates)
            for template in templates:
                if template.attribute in whole:
                    item[template.attribute] = whole[template.attribute]
                else:
                    item.pop(template.attribute, None)

    def value(self, template: Template, item: AttributeMap) -> AttributeValue | None:
        """A key attribute's value; None where the item is not in the index.

        Raises:
            MappingError: A field has no place in it.
        """
        try:
            value = template.of(item)
        except Unfit as unfit:
            raise self.impossible(template, unfit) from None
        shards = self.shards(template.attribute)
        if value is None or shards is None:
            return value
        return sharded(value, shard_of(self.primary_of(item), shards))

    def primary_of(self, item: AttributeMap) -> AttributeMap:
        """The primary key of an item that has all its fields."""
        key = {}
        for attribute in self.table.key:
            template = self.templates.get(attribute)
            value = self.value(template, item) if template is not None else item.get(attribute)
            if value is not None:
                key[attribute] = value
        return key

    def shards(self, attribute: str) -> int | None:
        """Over how many partition keys an index spreads this attribute; None if it does not."""
        for index in self.table.indexes:
            if isinstance(index, GlobalIndex) and attribute in index.partition_key:
                return index.write_shards
        return None

    def shard(self, key: AttributeMap, shards: int) -> int:
        """The shard of an item with a primary key."""
        return shard_of(key, shards)

    def impossible(self, template: Template, unfit: Unfit) -> ImpossibleKey:
        """What a template refused, with the field's name."""
        where = self.name if unfit.field is None else f"{self.name}.{unfit.field}"
        hint, begins = unfit.hint, template.parts[0]
        if isinstance(begins, str) and unfit.found[1:].startswith(begins):
            hint = f"keys are given by their fields: leave {begins!r} out"
        return ImpossibleKey(
            where,
            f"{unfit.expected} (in the key {template.attribute}={template.written!r})",
            unfit.found,
            hint=hint,
        )

    # --- Reading ---

    def restore(self, item: Mapping[str, AttributeValue]) -> AttributeMap:
        """An item with the fields that it has in its keys only.

        Raises:
            MappingError: A key was not made by this model's template.
        """
        if not self.key_only:
            return cast("AttributeMap", item)
        return {**item, **self._key_only_of(item)}

    def _key_only_of(self, item: Mapping[str, AttributeValue]) -> AttributeMap:
        read = self.read_key(item)
        found = ((self.names[name], read.get((self.names[name],))) for name in self.key_only)
        return {name: value for name, value in found if value is not None}

    def read_key(self, item: Mapping[str, AttributeValue]) -> dict[tuple[str, ...], AttributeValue]:
        """The stored values, by steps, that the primary key of an item holds.

        Raises:
            MappingError: It was not made by this model's template.
        """
        found: dict[tuple[str, ...], AttributeValue] = {}
        for attribute in self.table.key:
            template = self.templates.get(attribute)
            value = item.get(attribute)
            if template is None:
                if value is not None:
                    found[(attribute,)] = value
                continue
            try:
                found.update(template.read(value or {}))
            except Unfit as unfit:
                key = {name: item[name] for name in self.table.key if name in item}
                raise MappingError(
                    f"{self.name}[{attribute!r}]", unfit.expected, unfit.found, key, unfit.hint,
                    item,
                ) from None  # fmt: skip
        return found

    def matches(self, item: StoredItem) -> bool:
        """Whether the primary key of an item is one that this model makes."""
        for attribute, pattern in self.patterns:
            if pattern is None:
                continue
            value = item.get(attribute, {})
            if not value:
                return False
            if isinstance(pattern, re.Pattern):
                text = value.get("S")
                if text is None or pattern.fullmatch(text) is None:
                    return False
            elif _plain(value) != _plain(pattern):
                return False
        return True

    def following(self, steps: tuple[str | int, ...]) -> list[tuple[Template, str]]:
        """The templates with a slot at, above or below a place in the item, and that slot's name."""
        found = []
        for template in self.templates.values():
            for slot in template.slots:
                shared = min(len(slot.steps), len(steps))
                if slot.steps[:shared] == steps[:shared]:
                    found.append((template, slot.name))
                    break
        return found


_SPECS: Final = {
    "S": "no format for text, '*' for any text at the end, or a format of dates such as '%Y-%m'",
    "N": "no format for a number, or leading zeros for an int, such as '06d'",
    "BOOL": "no format for a boolean",
    "B": "no format for bytes",
}


def _choices(types: set[Any]) -> Iterable[Any]:
    """The values of an enum or a literal, which are known beforehand."""
    for each in types:
        if isinstance(each, type) and issubclass(each, enum.Enum):
            yield from each
        elif typing.get_origin(each) is typing.Literal:
            yield from (choice for choice in typing.get_args(each) if choice is not None)


def _integral(types: set[Any]) -> bool:
    def integral(each: object) -> bool:
        if isinstance(each, type) and issubclass(each, enum.Enum):
            return all(isinstance(member.value, int) for member in each)
        if typing.get_origin(each) is typing.Literal:
            return all(isinstance(choice, int) for choice in typing.get_args(each))
        return each is int

    return bool(types) and all(map(integral, types))


def _plain(value: Mapping[str, Any]) -> Any:
    ((tag, payload),) = value.items()
    if tag == "N":
        return tag, Decimal(payload)
    return tag, binary(payload) if tag == "B" else payload


# --- Shards -------------------------------------------------------------------------------------


def shard_of(key: Mapping[str, AttributeValue], shards: int) -> int:
    """The shard of an item, by its primary key: always the same one."""
    text = repr([(name, _plain_text(key[name])) for name in sorted(key)])
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) % shards


def _plain_text(value: Mapping[str, object]) -> str:
    ((tag, payload),) = value.items()
    if tag == "N":
        # Not by the caller's context, which may round, or refuse to.
        return Number().text({"N": payload})
    return binary(payload).hex() if tag == "B" else str(payload)


def sharded(value: AttributeValue, shard: int) -> AttributeValue:
    """A partition key with the number of its shard at the end."""
    return {"S": f"{value['S']}#{shard}"}

"""Code that makes whole requests to put objects: the JSON of their items, and the identity of their keys.

An item has more than its fields: the keys that templates make, a discriminator, a schema version, what
the object carries. All of that is written by one function, from the fields to the bytes. Keys are
texts and numbers in it until the end, because they are checked, and what an object carries may say
that its key is stored in another spelling.

What stands for single values is `json_code`'s.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from dynattrs import limits
from dynattrs.mapper import scalars, stored_json, time_to_live
from dynattrs.mapper.classes import ClassCodec, FieldCodec
from dynattrs.mapper.codec import ChoicesShape, Codec, OptionalShape
from dynattrs.mapper.json_code import Form, JsonWriter, literal, members_of, name_json
from dynattrs.mapper.key_rules import rules_of
from dynattrs.mapper.numbers import plain_number
from dynattrs.mapper.source import Source, indented
from dynattrs.mapper.stored_json import encode, leave_to_dump
from dynattrs.schema.model_info import DumpAsRequest, KeyRule, ModelInfo
from dynattrs.schema.slot_styles import (
    Fixed,
    Number,
    Padded,
    Period,
    Rest,
    Truth,
    Words,
    directives,
)
from dynattrs.schema.templates import Slot, Template, value_at

_PLAIN: Final = scalars.PLAIN
_INTS: Final = (_PLAIN[int], time_to_live.CODECS[int])
#: Codecs whose texts have the width and the letters that a slot wants.
_FIXED: Final = tuple(_PLAIN[each] for each in (dt.datetime, dt.date, dt.time, uuid.UUID))


# Measured (benchmarks/test_written_shapes.py): 12.0 -> 4.0 us an item of eleven attributes with nested
# classes, 15.0 -> 2.7 with key templates and an index, to the write that a batch gathers.
# tests/property/test_write_code.py holds it to `Mapper.dump` and what follows that.
def generate_dump_as_request(codec: ClassCodec, info: ModelInfo | None) -> DumpAsRequest:
    """The function that turns an instance into JSON and the identity of its key.

    The bytes of the JSON are never fewer than those that the service counts for the item (`size`): each
    name, text and binary is in it, and a number's text is longer than what it counts. So JSON that
    is small enough is of an item that is, and only a large one has to be measured.

    It raises anything where it leaves the work to the general codecs. Where a save changes the object, it
    takes the fields' new values, by their names, as well.
    """
    if info is None or not _is_regular(codec, info):
        return leave_to_dump
    return RequestWriter(codec, info).request()


def _is_regular(codec: ClassCodec, info: ModelInfo) -> bool:
    """Whether an item has each attribute from one source."""
    stored = {field.stored for field in codec.members}
    templates: Mapping[str, Template] = {} if info.keys is None else info.keys.templates
    computed = set(templates) if info.keys is None else {*info.keys.attributes}
    if info.upgrades:
        computed.add(info.schema_attribute)
    stamps = {info.names[name] for name in (info.created, info.updated) if name}
    primary = [templates[name] for name in info.table.key if name in templates]
    if any(template.uses(name) for template in primary for name in stamps):
        return False
    return computed.isdisjoint(stored) and all(
        name in stored or name in templates for name in info.table.key
    )


class RequestWriter(JsonWriter):
    """Generates the function for a model."""

    def __init__(self, codec: ClassCodec, info: ModelInfo) -> None:
        super().__init__(codec)
        self.names.update(
            Decimal=Decimal,
            MOST_BYTES=limits.ITEM_BYTES,
            Raw=msgspec.Raw,
            plain_number=plain_number,
        )
        self.codec, self.info = codec, info
        self.templates: Mapping[str, Template] = {} if info.keys is None else info.keys.templates
        #: Where the values of fields are, by attribute.
        self.values = {field.stored: f"v{at}" for at, field in enumerate(codec.members)}
        self.fields_by = {field.stored: field for field in codec.members}
        #: Where the key attributes are, and their types.
        self.keys: dict[str, tuple[str, str]] = {}

    def request(self) -> DumpAsRequest:
        codec, info = self.codec, self.info
        given = "value, table, make, moves" if info.moves else "value, table, make"
        source = Source("dump", given, self.names)
        cls, check = self.bind("cls", codec.record.cls), self.bind("check", codec.check_class)
        source.add(f"if type(value) is not {cls}: {check}(value)")
        for field in codec.members:
            source.add(*self._read(field))
        for index in info.table.vector_indexes:
            if index.vector in self.values:
                vector = self.values[index.vector]
                unlike = f"len({vector}) != {index.dimensions}"
                source.add(f"if {vector} is not None and {unlike}: raise Unusual")
        keys = [form for rule in rules_of(info) if (form := self._key(source, rule)) is not None]
        extra = self._carried(source) if codec.carries else None
        fields = [self.field(field, self.values[field.stored], "1") for field in self._others()]
        members = members_of([*keys, *fields, *self._constants()], extra)
        request = members.within(b'{"PutRequest":{"Item":{', b"}}}")
        identity = ["table"]
        for name in sorted(info.table.key):
            key, tag = self.keys[name]
            if tag == "N":
                # An int equals the Decimal that others make of its text.
                key = f"{key} if type({key}) is int else Decimal({key})"
            identity += repr(name), repr(tag), key
        source.add(
            f"found = {request.code}",
            # Only then it may be too large.
            "if len(found) > MOST_BYTES: measured(found)",
            f"return make(table, ({', '.join(identity)}), Raw(found), len(found), value)",
        )
        function: DumpAsRequest = source.function(codec.record.cls)
        return function

    def _others(self) -> list[FieldCodec]:
        """The fields that are stored, and no key attributes."""
        hidden = {*self.keys}
        if self.info.keys is not None:
            hidden.update(self.info.names[name] for name in self.info.keys.key_only)
        return [field for field in self.codec.members if field.stored not in hidden]

    def _read(self, field: FieldCodec) -> list[str]:
        value = self.values[field.stored]
        lines = [f"{value} = value.{field.name}"]
        info = self.info
        if field.name in (info.version, info.created, info.updated):
            # What it has is judged, though it is replaced.
            check = f"{self.bind('dump', field.codec.dump)}({value})"
            unlike = f"{value} is not None" if field.codec.optional else "True"
            if field.codec in _INTS:
                unlike = f"type({value}) is not int or not LEAST < {value} < MOST"
            lines += [
                f"if {field.name!r} in moves:",
                f"    if {unlike}: {check}",
                f"    {value} = moves[{field.name!r}]",
            ]
        hidden = () if info.keys is None else info.keys.key_only
        # Of text and ints their slots judge.
        if field.name in hidden and field.codec not in (_PLAIN[str], _PLAIN[int]):
            lines.append(f"{self.bind('dump', field.codec.dump)}({value})")
        return lines

    def _constants(self) -> list[tuple[Form, bool]]:
        found = []
        info = self.info
        kinds = () if info.keys is None else info.keys.kinds
        if kinds and info.table.discriminator is not None:
            form = Form(literal(encode({"S": kinds[0]})))
            found.append((form.within(name_json(info.table.discriminator), b""), True))
        if info.upgrades:
            form = Form(literal(encode({"N": str(info.schema_version)})))
            found.append((form.within(name_json(info.schema_attribute), b""), True))
        return found

    def _carried(self, source: Source) -> Form:
        """Lines for what the object carries, and the form of what follows of it."""
        names = tuple((name, self.keys[name][1]) for name in self.info.table.key)
        keys = ", ".join(self.keys[name][0] for name in self.info.table.key)
        source.add(
            f"carried = {self.carried_by(self.codec)}",
            "if carried is NOTHING_CARRIED:",
            "    extra = b''",
            "else:",
            f"    extra = carried_json({self.bind('kept_by', self.codec.kept_by)}(value))",
            f"    {keys}, = restored(carried, {self.codec.plain_key}, {names!r}, {keys})",
        )
        return Form(b"%b", ("extra",))

    # --- Keys ---

    def _key(self, source: Source, rule: KeyRule) -> tuple[Form, bool] | None:
        """The form of a key attribute, and whether it is always there. Lines that make it are added."""
        attribute, tag, enough, optional = rule
        key = f"k{len(self.keys)}"
        template, field = self.templates.get(attribute), self.fields_by.get(attribute)
        if template is not None:
            before, lines, absent = self._of_template(template, key)
        elif field is not None:
            value, codec = self.values[attribute], field.codec
            before, absent = [], []
            if isinstance(codec.shape, OptionalShape):
                codec = codec.shape.inner
            if optional and field.member.defaults_to_none:
                absent = [f"{value} is None"]
            lines = [f"{key} = {self._payload_of(codec, tag, value)}"]
        else:
            return None
        self.keys[attribute] = key, tag
        shards = None if self.info.keys is None else self.info.keys.shards(attribute)
        if template is not None and shards is not None:
            lines.append(f"{key} = '%s#%d' % ({key}, {self._shard()}({self._primary()}, {shards}))")
        if tag != "N":
            most = most_bytes(self.info, attribute)
            lines.append(f"if not 0 < len({key}) <= {enough}: fitting({key}, {most})")
        source.add(*before)
        if absent:
            missing = f"{key} = None" if optional else "raise Unusual"
            source.add(f"if {' or '.join(absent)}: {missing}", "else:", *indented(lines))
        else:
            source.add(*lines)
        payload = f"encode({key})"
        if tag == "N":
            payload = f"b'\"%d\"' % {key} if type({key}) is int else encode({key})"
        form = Form(b'{"%b":%%b}' % tag.encode(), (f"({payload})",))
        form = form.within(name_json(attribute), b"")
        if not absent or not optional:
            return form, True
        return Form(b"%b", (f"(b'' if {key} is None else {form.within(b',', b'').code})",)), False

    def _payload_of(self, codec: Codec, tag: str, value: str) -> str:
        """The code of what a codec stores under the tag of a key attribute."""
        if tag == "N":
            other = f"plain_number({self._by_codec(codec, tag)}({value}))"
            if codec not in _INTS:
                return other
            return f"{value} if type({value}) is int and LEAST < {value} < MOST else {other}"
        if tag == "B":
            other = f"{self._by_codec(codec, tag)}({value})"
            if codec is not _PLAIN[bytes]:
                return other
            return f"{value} if type({value}) is bytes else {other}"
        return self._text(codec, value)

    def _by_codec(self, codec: Codec, tag: str) -> str:
        return self._bound(f"key_{tag}", codec, lambda: stored_json.payload_by_codec(codec, tag))

    def _text(self, codec: Codec, value: str) -> str:
        """The code of the text that a codec stores."""
        other = f"{self._by_codec(codec, 'S')}({value})"
        if codec is _PLAIN[str]:
            return f"{value} if type({value}) is str else {other}"
        if codec is _PLAIN[uuid.UUID]:
            return f"encode({value})[1:-1].decode() if type({value}) is UUID else {other}"
        if codec is _PLAIN[dt.date]:
            return f"{value}.isoformat() if type({value}) is date else {other}"
        if codec is _PLAIN[dt.datetime]:
            return f"instant({value})[1:-1].decode()"
        if codec is _PLAIN[dt.time]:
            return f"time_of_day({value})[1:-1].decode()"
        return other

    # --- Templates ---

    def _of_template(self, template: Template, key: str) -> tuple[list[str], list[str], list[str]]:
        """Lines that find the values of the slots, lines that make the key of them, and when there is
        none.
        """
        tag = template.tag
        if template.constant is not None:
            payload = template.constant[tag]
            return [], [f"{key} = {plain_number(payload) if tag == 'N' else payload!r}"], []
        if tag != "S":
            before, absent, value, codec = self._slot(template.slots[0])
            if codec is not None:
                return before, [f"{key} = {self._payload_of(codec, tag, value)}"], absent
            made = f"{value}[{tag!r}]"
            return before, [f"{key} = {f'plain_number({made})' if tag == 'N' else made}"], absent
        found: tuple[list[str], list[str], list[str]] = [], [], []
        text = ""
        for place, part in enumerate(template.parts):
            if isinstance(part, str):
                text += _in_f_string(part)
                continue
            before, absent, value, codec = self._slot(part)
            lines, piece = self._piece(template, place, part, value, codec)
            for several, more in zip(found, (before, lines, absent), strict=True):
                several.extend(more)
            text += piece
        found[1].append(f"{key} = f'{text}'")
        return found

    def _slot(self, slot: Slot) -> tuple[list[str], list[str], str, Codec | None]:
        """Lines that find the value of a slot, when it has none, where it is, and its codec; without
        one it is an attribute value.
        """
        first, *steps = slot.steps
        field, value = self.fields_by[first], self.values[first]
        lines: list[str] = []
        codec = field.codec
        while steps and isinstance(codec, ClassCodec):
            stored = steps.pop(0)
            field = next(each for each in codec.members if each.stored == stored)
            inner = self.fresh()
            lines.append(f"{inner} = {value}.{field.name}")
            value, codec = inner, field.codec
        shape = codec.shape
        if not steps and isinstance(shape, OptionalShape) and not shape.inner.optional:
            return lines, [f"{value} is None"], value, shape.inner
        if not steps and not codec.optional:
            return lines, [], value, codec
        found = self.fresh()
        dump, at = self.bind("dump", codec.dump), self.bind("at", value_at)
        lines.append(f"{found} = {at}({{'': {dump}({value})}}, {('', *steps)!r})")
        return lines, [f"{found} is None"], found, None

    def _piece(
        self, template: Template, place: int, slot: Slot, value: str, codec: Codec | None
    ) -> tuple[list[str], str]:
        """Lines that make the text of a slot, and what stands for it in an f-string."""
        style, made = slot.style, self.fresh()
        ends = template.end(place)[:1]
        if codec is None:
            text = self.bind("text", template.text)
            return [f"{made} = {text}({place}, {value})"], f"{{{made}}}"
        if isinstance(style, (Words, Rest)) and codec.tags == {"S"}:
            text = self._text(codec, value)
            shape = codec.shape
            if isinstance(shape, ChoicesShape):
                texts = {each: stored["S"] for each, stored in shape.written.items()}
                found = f"{self.bind('texts', texts)}.get((type({value}), {value}))"
                text = f"{found} or {text}"
            checks = _held(style, made) if isinstance(style, Words) else []
            return [f"{made} = {text}", *checks], f"{{{made}}}"
        if isinstance(style, Fixed) and codec in _FIXED:
            return [f"{made} = {self._text(codec, value)}"], f"{{{made}}}"
        if isinstance(style, Period) and codec in _FIXED:
            pieces = (
                _in_f_string(part) if where is None else f"{{{made}[{where[0]}:{where[1]}]}}"
                for part, where in directives(style.format)
            )
            return [f"{made} = {self._text(codec, value)}"], "".join(pieces)
        if (
            isinstance(style, (Padded, Number))
            and codec in _INTS
            and ends not in set("-.0123456789")
        ):
            other = f"int({self._by_codec(codec, 'N')}({value}))"
            is_int = f"type({value}) is int and LEAST < {value} < MOST"
            lines = [f"{made} = {value} if {is_int} else {other}"]
            if isinstance(style, Number):
                return lines, f"{{{made}}}"
            lines.append(f"if not 0 <= {made} <= {style.most}: raise Unusual")
            return lines, f"{{{made}:0{style.width}{style.base}}}"
        if isinstance(style, Truth) and codec is _PLAIN[bool] and ends not in set("truefals"):
            lines = [f"if {value} is not True and {value} is not False: raise Unusual"]
            return lines, f"{{'true' if {value} else 'false'}}".replace("'", '"')
        text, dump = self.bind("text", template.text), self.bind("dump", codec.dump)
        return [f"{made} = {text}({place}, {dump}({value}))"], f"{{{made}}}"

    def _shard(self) -> str:
        assert self.info.keys is not None
        return self.bind("shard", self.info.keys.shard)

    def _primary(self) -> str:
        """The code of the primary key's attribute map."""
        parts = []
        for name in self.info.table.key:
            key, tag = self.keys[name]
            parts.append(f"{name!r}: {{{tag!r}: {f'str({key})' if tag == 'N' else key}}}")
        return f"{{{', '.join(parts)}}}"


def _held(words: Words, text: str) -> list[str]:
    """Lines that refuse text that would not end where it ends."""
    held = [f"{each!r} in {text}" for each in sorted(words.separators)]
    if len(words.end) == 1:
        held.append(f"{words.end!r} in {text}")
    elif words.end:
        held.append(f"({text} + {words.end!r}).find({words.end!r}) != len({text})")
    return [f"if {' or '.join(held)}: raise Unusual"] if held else []


def _in_f_string(text: str) -> str:
    """Text as it stands between the single quotes of an f-string."""
    plain = text.encode("unicode_escape").decode().replace("'", "\\'")
    return plain.replace("{", "{{").replace("}", "}}")


def most_bytes(info: ModelInfo, attribute: str) -> int:
    """How many bytes a key attribute has at most, in all of its roles."""
    found = []
    if attribute in info.table.key:
        is_sort = info.table.key.index(attribute)
        found.append(limits.SORT_KEY_BYTES if is_sort else limits.PARTITION_KEY_BYTES)
    for index in info.table.secondary_indexes:
        if attribute in getattr(index, "partition_key", ()):
            found.append(limits.PARTITION_KEY_BYTES)
        if attribute in index.sort_key:
            found.append(limits.SORT_KEY_BYTES)
    for each in info.table.vector_indexes:
        if attribute in each.search_attributes:
            is_key = attribute == each.partition_key
            found.append(limits.PARTITION_KEY_BYTES if is_key else limits.ITEM_BYTES)
    return min(found)

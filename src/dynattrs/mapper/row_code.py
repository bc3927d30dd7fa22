"""Code for rows: the structs that items are read into, and the lines that make objects of them.

The way by rows may refuse whatever it likes, and must never accept what the general way refuses or
reads differently. Everything is strict for that reason: exactly one type tag, the expected one, with
a payload of its JSON type. (msgspec's lax mode would make ints of text while it reads. It also makes
them of JSON numbers and floats, and of other texts than `int` does, and the text would be gone.)

Payloads stay text in rows, numbers too, so that a row is the item that was read. Fields without a fast
form (`Any`, types with hooks of their own, …) stay attribute values inside the row and go
through their codec, field by field. What reads the values is `value_rows`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from dynattrs.deferral import deferred
from dynattrs.mapper import scalars
from dynattrs.mapper.anything import native_map
from dynattrs.mapper.carried import Carried, carry
from dynattrs.mapper.classes import ClassCodec, FieldCodec
from dynattrs.mapper.key_spelling import NAMES as KEY_NAMES
from dynattrs.mapper.noticed import checks, keep
from dynattrs.mapper.number_lists import builtins_of
from dynattrs.mapper.read_code import carries_unknown, is_required
from dynattrs.mapper.source import Source, indented
from dynattrs.mapper.value_rows import ValueReader, checked, renamed, struct_of
from dynattrs.schema.model_info import ComputedKeys

if TYPE_CHECKING:
    from dynattrs.mapper import key_rows
    from dynattrs.mapper.key_rows import Taken
else:
    # Imported, with all styles of slots, for models whose keys are made of fields.
    key_rows = deferred("dynattrs.mapper.key_rows")


# Measured (benchmarks/test_rows.py): 4.6 -> 1.2 us an item of eleven attributes, from JSON to object;
# tests/property/test_read_code.py holds it to `Mapper.load`.
def generate_row(
    codec: ClassCodec,
    base: type[object],
    learned: tuple[str, ...],
    also: frozenset[str],
    types: Mapping[str, str],
    attributes: Mapping[str, str] | None,
    keys: ComputedKeys | None,
    other: Callable[[Any], Any],
) -> tuple[Any, Callable[[Any], Any]]:
    """The struct that items of a class are read into, and the function that makes an instance of it.

    Args:
        codec: The class's.
        base: What the struct derives from.
        learned: Attributes that the class does not know, and that have a place nevertheless.
        also: As for `RowReader`.
        types: As for `RowReader`.
        attributes: As for `RowReader`.
        keys: As for `RowReader`.
        other: Makes an instance of what the function does not.

    Raises:
        ValueError: An attribute's name cannot be that of a struct's member.
    """
    # What a class drops has a place too: an error shows the item as it is stored.
    known = codec.known if carries_unknown(codec) else codec.known | also
    if attributes is not None:
        known = frozenset(attributes.values()) | also
    return _RowCode().function(codec, base, learned, known, types, attributes, keys, other)


class _RowCode(ValueReader):
    """Generates the row of one class, with the lines that read it."""

    def function(
        self,
        codec: ClassCodec,
        base: Any,
        learned: tuple[str, ...],
        known: frozenset[str],
        types: Mapping[str, str],
        attributes: Mapping[str, str] | None,
        keys: ComputedKeys | None,
        other: Callable[[Any], Any],
    ) -> tuple[Any, Callable[[Any], Any]]:
        """As `generate_row`."""
        hidden = set() if keys is None else {keys.names[name] for name in keys.key_only}
        # The attributes of the fields.
        stored = {
            each.stored: (attributes or {}).get(each.stored, each.stored) for each in codec.members
        }
        taken_from_keys = [own for own, name in stored.items() if name in hidden]
        members, places = self.fields(codec, known, learned, attributes, taken_from_keys, types)
        body: list[str] = []
        taken: dict[str, list[str]] = {}
        payloads: dict[str, Taken] = {}
        if keys is not None:
            body, payloads = key_rows.from_keys(
                keys, partial(self._payload, places, types), self.bind
            )
            taken = {
                field.stored: self._taken(field, payloads[stored[field.stored]], f"a{position}")
                for position, field in enumerate(codec.members)
                if stored[field.stored] in payloads
            }
        body += self.construction(codec, taken)
        if learned and carries_unknown(codec):
            self.names.update(carry=carry, Carried=Carried, native_map=native_map)
            body += ["extra = {}"]
            for name in learned:
                body += [f"v = row.{places[name]}", f"if v is not UNSET: extra[{name!r}] = v"]
            body += ["if extra: carry(instance, Carried(native_map(extra)))"]
        conditions: list[str] = []
        payload = partial(self._payload_of, codec, payloads, places, types)
        if attributes is not None:
            payload = partial(self._payload, places, types)
        own = self._own(keys, payload)
        if attributes is None:
            body += self._odd(codec, places, payload)
            conditions = [*_another_class(codec, places), *_not_current(codec, places)]
        namespace: dict[str, Any] = {"places": places, "code": self, "codec": codec}
        namespace["whole"] = not taken_from_keys
        if conditions:
            ordinary = Source("ordinary", "row", self.names)
            ordinary.add(f"return not ({' or '.join(conditions)})")
            namespace["ordinary"] = ordinary.function("rows")
        if own is not None:
            namespace["own"] = own
        struct = struct_of(
            codec.record.cls.__name__, members, base, rename=renamed(places), namespace=namespace
        )
        self.read_again()
        self.names.update(Row=struct, other=other)
        source = Source("build", "row", self.names)
        unlike = "".join(f" or {each}" for each in conditions)
        source.add(
            f"if type(row) is not Row{unlike}:", "    return other(row)", "try:",
            *indented([*body, "return instance"]),
            # Not in the handler: what calls the program's code again would raise in this one's context.
            "except Exception:", "    pass", "return other(row)",
        )  # fmt: skip
        return struct, source.function(codec.record.cls)

    def column(self, codec: ClassCodec, position: int) -> Callable[[Any], list[Any]]:
        """What gives the values that one field has in the objects of many rows.

        It raises where the general way has to decide, as does the function that makes an object.
        """
        field, target = codec.members[position], self.local("a")
        if is_required(field):
            read, value = self.required(field, position)
            body = [*read, f"found.append({value})"]
        else:
            before, absent, _ = self.optional(field, position)
            default = self._default(codec, field)
            unknown = "raise Unreadable"
            body = [
                *before,
                f"if {absent}:", f"    {unknown if default is None else f'{target} = {default}'}",
                "else:", *indented(self._read(field, self.local("v"), target)),
                f"found.append({target})",
            ]  # fmt: skip
        source = Source("column", "rows", self.names)
        source.add("found = []", "for row in rows:", *indented(body), "return found")
        self.read_again()
        made: Callable[[Any], list[Any]] = source.function(codec.record.cls)
        return made

    def _payload(
        self, places: Mapping[str, str], types: Mapping[str, str], attribute: str, tag: str
    ) -> str:
        """The payload of an attribute, which is not a field as a rule."""
        place = places[attribute]
        if place[0] == "f":
            return f"row[{attribute!r}][{tag!r}]"
        return f"row.{place}.{tag}" if types.get(attribute) == tag else f"row.{place}[{tag!r}]"

    def _payload_of(
        self,
        codec: ClassCodec,
        taken: Mapping[str, Taken],
        places: Mapping[str, str],
        types: Mapping[str, str],
        attribute: str,
        tag: str,
    ) -> str:
        """The payload of any attribute that the class knows."""
        if attribute in taken and taken[attribute].tag == tag:
            return taken[attribute].payload
        field = next((each for each in codec.members if each.stored == attribute), None)
        if field is None:
            return self._payload(places, types, attribute, tag)
        parts = self.tags[field]
        if len(parts) == 1 and parts[0].tag == tag:
            return f"row.{places[attribute]}.{tag}"
        return f"row[{attribute!r}][{tag!r}]"

    def _own(
        self, keys: ComputedKeys | None, payload: Callable[[str, str], str]
    ) -> Callable[[Any], bool] | None:
        """What says of a row that it is of the model, and of no subclass, for sure."""
        if keys is None:
            return None
        conditions = []
        if keys.kinds and keys.table.discriminator is not None:
            kinds = self.bind("kinds", frozenset(keys.kinds))
            conditions = [f"{payload(keys.table.discriminator, 'S')} in {kinds}"]
        elif keys.written and keys.table.discriminator is None:
            for attribute, pattern in keys.patterns:
                if not isinstance(pattern, re.Pattern):
                    return None
                text = payload(attribute, "S")
                conditions.append(f"{self.bind('like', pattern.fullmatch)}({text}) is not None")
        if not conditions:
            return None
        source = Source("own", "row", self.names)
        source.add(
            "try:",
            f"    return {' and '.join(conditions)}",
            "except Exception:",
            "    return False",
        )
        own: Callable[[Any], bool] = source.function("rows")
        return own

    def _odd(
        self, codec: ClassCodec, places: Mapping[str, str], payload: Callable[[str, str], str]
    ) -> list[str]:
        """The lines that let an instance carry what it does not tell of its item."""
        conditions = []
        for check in checks(codec):
            value, there = (
                f"row[{check.attribute!r}]",
                f"row.{places[check.attribute]} is not UNSET",
            )
            conditions.append(check.written(self.bind, payload, value=value, there=there))
        if not conditions or codec.model is None:
            return []
        names = {"keep": partial(keep, codec, codec.model), "builtins_of": builtins_of}
        self.names.update(KEY_NAMES, **names)
        return [f"if {' or '.join(conditions)}: keep(instance, builtins_of(row))"]

    def _taken(self, field: FieldCodec, taken: Taken, target: str) -> list[str]:
        """The lines for a value that was taken out of a key."""
        if taken.number is not None and field.codec is scalars.PLAIN[int]:
            return [f"{target} = {taken.number}"]
        for part in self.tags[field]:
            if part.tag == taken.tag and part.payload is str:
                return checked(part, taken.payload, target)
        load = self.bind("load", field.codec.load)
        return [f"{target} = {load}({{{taken.tag!r}: {taken.payload}}})"]


def _another_class(codec: ClassCodec, places: Mapping[str, str]) -> Iterator[str]:
    """What is true of an item that another class may have to read, or none."""
    keys = codec.keys
    if keys is not None and keys.kinds and keys.table.discriminator is not None:
        place = f"row.{places[keys.table.discriminator]}"
        unlike = (f"{place}.S != {kind!r}" for kind in keys.kinds)
        yield f"{place} is not UNSET and {' and '.join(unlike)}"


def _not_current(codec: ClassCodec, places: Mapping[str, str]) -> Iterator[str]:
    """What is true of an item that is stored otherwise than its model would store it today."""
    info = codec.model
    if info is None:
        return
    place = places.get(info.schema_attribute)
    # Where it is not a field, it is known, or was learned from an item that has it.
    if place is not None and info.schema_attribute not in info.names.values():
        absent = "" if info.upgrades else f"row.{place} is not UNSET and "
        yield f"{absent}row.{place} != { ({'N': str(info.schema_version)})!r}"
    for name in info.formerly:
        yield f"row.{places[name]} is not UNSET"

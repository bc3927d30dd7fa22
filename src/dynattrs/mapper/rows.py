"""Rows: items read from a reply's bytes in one pass, which objects are made of without a dict between.

For each class that is read a msgspec struct is generated, a `Row`, whose members are the attributes
of its items in wire form. A row can be turned into the attribute map that it was read from, which the
general codecs read whenever anything is not as expected. The code that makes objects of rows is
`row_code`'s; the replies around the items are the business of those who read them.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, Final, cast

import msgspec
from msgspec import UNSET

from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.number_lists import builtins_of
from dynattrs.mapper.row_code import generate_row
from dynattrs.mapper.source import Source, bind
from dynattrs.mapper.value_rows import NO_TYPES, text_of
from dynattrs.schema.model_info import ComputedKeys
from dynattrs.schema.table import AttributeMap, AttributeValue

#: How many attributes that a class does not know get a place in its rows, and in how many steps.
#: What is beyond goes through the general codecs.
MOST_LEARNED: Final = 64
MOST_STEPS: Final = 8


class Row(msgspec.Struct, gc=False):
    """An item in wire form. `row["title"]` is an attribute value, as in an attribute map."""

    #: The members by the names of the attributes.
    places: ClassVar[dict[str, str]] = {}
    #: What made its type, what reads such a row, and what makes an object of it.
    reader: ClassVar[Any] = None
    decode: ClassVar[Callable[[Any], Any]]
    made: ClassVar[Callable[[Any], Any]]
    #: What generated its code, for which class, and whether all fields are read of attributes of theirs.
    code: ClassVar[Any] = None
    codec: ClassVar[Any] = None
    whole: ClassVar[bool] = False

    def ordinary(self) -> bool:
        """Whether an object of the class itself is made of it, as it is written today."""
        return True

    def own(self) -> bool:
        """Whether it is sure, by the discriminator or the key, that it is of the model that it was read
        as, and not of a subclass.
        """
        return False

    def __getitem__(self, name: str) -> AttributeValue:
        value = getattr(self, self.places[name])
        if value is UNSET:
            raise KeyError(name)
        found: AttributeValue = value if type(value) is dict else builtins_of(value)
        return found

    def get(self, name: str, default: AttributeValue, /) -> AttributeValue:
        try:
            return self[name]
        except KeyError:
            return default


@cache
def peek(names: tuple[str, ...], types: tuple[str, ...] | None = None) -> Callable[[Any], Row]:
    """What takes some attributes out of the bytes of an item, whatever else that has.

    Args:
        names: The attributes.
        types: Their type tags, where only an item is read that has these.

    Raises:
        ValueError: A name cannot be that of a struct's member.
    """
    places = {name: f"k{position}" for position, name in enumerate(names)}
    values: list[Any] = [Any] * len(names) if types is None else [*map(text_of, types)]
    struct = msgspec.defstruct(
        "Peek", [(place, each, UNSET) for place, each in zip(places.values(), values, strict=True)],
        bases=(Row,), gc=False, eq=False, namespace={"places": places},
        rename={place: name for name, place in places.items()}, kw_only=True,
    )  # fmt: skip
    return cast("Callable[[Any], Row]", msgspec.json.Decoder(struct).decode)


def teller(
    names: tuple[str, ...],
    types: tuple[str, ...],
    patterns: Iterable[tuple[Any, Mapping[str, re.Pattern[str]]]],
) -> Callable[[Any], Any]:
    """What says of the bytes of an item what the keys tell that it is.

    Args:
        names: The key attributes.
        types: Their type tags.
        patterns: What an item is, with what its key attributes look like then; the first one counts.

    Raises:
        ValueError: A name cannot be that of a struct's member.
    """
    bound: dict[str, Any] = {"decode": peek(names, types)}
    source = Source("tell", "raw", bound)
    source.add("row = decode(raw)")
    known = list(patterns)
    how_often = Counter((name, look.pattern) for _, looks in known for name, look in looks.items())
    tests: dict[tuple[str, str], str] = {}
    for what, looks in known:
        conditions = []
        for name, look in looks.items():
            test, key = f"{bind(bound, 'like', look.fullmatch)}(row.k{names.index(name)}.S)", (
                name, look.pattern,
            )  # fmt: skip
            if how_often[key] > 1:
                if key not in tests:
                    tests[key] = f"t{len(tests)}"
                    source.add(f"{tests[key]} = {test}")
                test = tests[key]
            conditions.append(test)
        source.add(f"if {' and '.join(conditions)}: return {bind(bound, 'what', what)}")
    source.add("raise LookupError")
    found: Callable[[Any], Any] = source.function("keys")
    return found


def attribute_map(item: Any) -> AttributeMap:
    """The attribute map that a row was read from; what is none already stays."""
    if isinstance(item, Row):
        found: AttributeMap = builtins_of(item)
        return found
    as_it_is: AttributeMap = item
    return as_it_is


class RowReader:
    """The rows of one class. Safe between threads: what is generated changes in one step.

    Attributes that the class does not know have no place in its rows at first; an item that has one
    is refused as a row. `learn` gives them a place.

    Args:
        codec: The class's.
        load: The general way to read it.
        also: Attributes to have a place although the class does not know them and will not carry
            them: those of the table's keys, which cursors are made of.
        types: The type tags of attributes that always have the same, where they are not fields.
        attributes: For a projection: what the items call the attributes of the class, by their
            stored names.
        keys: For a projection: how the keys of its model are made, where that has templates or kinds.

    Raises:
        ValueError: The class has no rows: an attribute's name cannot be that of a struct's member.
    """

    def __init__(
        self,
        codec: ClassCodec,
        load: Callable[[AttributeMap], Any],
        also: Iterable[str] = (),
        types: Mapping[str, str] = NO_TYPES,
        attributes: Mapping[str, str] | None = None,
        keys: ComputedKeys | None = None,
    ) -> None:
        self._codec = codec
        self._load = load
        self._also = frozenset(also)
        self._types = types
        self.attributes = attributes
        self._keys = codec.keys if attributes is None else keys
        self._lock = threading.Lock()
        self._steps = 0
        self._learned: tuple[str, ...] = ()
        #: The type of the rows, and what makes an object of one, or of an attribute map; it raises as
        #: `Mapper.load` does. Both belong together, whatever another thread learns meanwhile.
        self.current = self._make(())
        #: What decodes whole replies, by the kind of reply; made and kept by who needs it.
        self.decoders: dict[str, Any] = {}

    @property
    def learns(self) -> bool:
        """Whether `learn` may still change something."""
        return (
            self._codec.unknown != "forbid"
            and self.attributes is None
            and self._steps < MOST_STEPS
            and len(self._learned) < MOST_LEARNED
        )

    def _fresh(self, names: Iterable[str]) -> list[str]:
        known = self._codec.known.union(self._learned)
        return [name for name in dict.fromkeys(names) if name not in known]

    def learn(self, names: Iterable[str]) -> bool:
        """Give attributes that the class does not know a place in its rows; the most important
        ones first.

        Returns:
            Whether rows have changed. They do not where such attributes are forbidden, and not
            without end.
        """
        if not self.learns:
            return False
        with self._lock:
            fresh = self._fresh(names)
            if not fresh or not self.learns:
                return False
            self._steps += 1
            learned = (*self._learned, *fresh)[:MOST_LEARNED]
            try:
                self.current = self._make(learned)
            except ValueError:  # a name that cannot be that of a struct's member
                return False
            self._learned = learned
            return True

    def _make(self, learned: tuple[str, ...]) -> tuple[type[Row], Callable[[Any], Any]]:
        row, build = generate_row(
            self._codec,
            Row,
            learned,
            self._also,
            self._types,
            self.attributes,
            self._keys,
            self.other,
        )
        row.reader, row.made = self, staticmethod(build)
        row.decode = staticmethod(msgspec.json.Decoder(row).decode)
        return row, build

    def other(self, item: Any) -> Any:
        """The object of what is not a row of the current kind, or of a row that cannot be read."""
        reader = getattr(item, "reader", None)
        # A row of a subclass knows itself what it is.
        if reader is not None and reader is not self and issubclass(reader.cls, self.cls):
            return item.made(item)
        return self._load(attribute_map(item))

    @property
    def cls(self) -> type[Any]:
        """The class of the objects."""
        return self._codec.record.cls

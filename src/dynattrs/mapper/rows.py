"""Rows: items read from a reply's bytes in one pass, which objects are made of without a dict between.

For each class that is read a msgspec struct is generated, a `Row`, whose members are the attributes
of its items in wire form. A row can be turned into the attribute map that it was read from, which the
general codecs read whenever anything is not as expected. The code that makes objects of rows is
`row_code`'s; the replies around the items are the business of those who read them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, Final, TypeAlias, cast

import attrs
import msgspec
from msgspec import UNSET, to_builtins

from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.row_code import generate_row
from dynattrs.schema.table import AttributeMap, AttributeValue

# For where `type` is a property.
RowType: TypeAlias = "type[Row]"

#: How many attributes that a class does not know get a place in its rows, and in how many steps.
#: What is beyond goes through the general codecs.
MOST_LEARNED: Final = 64
MOST_STEPS: Final = 8


class Row(msgspec.Struct, gc=False):
    """An item in wire form. `row["title"]` is an attribute value, as in an attribute map."""

    #: The members by the names of the attributes.
    places: ClassVar[dict[str, str]] = {}

    def __getitem__(self, name: str) -> AttributeValue:
        value = getattr(self, self.places[name])
        if value is UNSET:
            raise KeyError(name)
        found: AttributeValue = value if type(value) is dict else to_builtins(value)
        return found

    def get(self, name: str, default: AttributeValue, /) -> AttributeValue:
        try:
            return self[name]
        except KeyError:
            return default


@cache
def peek(names: tuple[str, ...]) -> Callable[[Any], Row]:
    """What takes some attributes out of the bytes of an item, whatever else that has.

    Raises:
        ValueError: A name cannot be that of a struct's member.
    """
    places = {name: f"k{position}" for position, name in enumerate(names)}
    struct = msgspec.defstruct(
        "Peek", [(place, Any, UNSET) for place in places.values()], bases=(Row,), gc=False, eq=False,
        namespace={"places": places}, rename={place: name for name, place in places.items()},
        kw_only=True,
    )  # fmt: skip
    return cast("Callable[[Any], Row]", msgspec.json.Decoder(struct).decode)


def attribute_map(item: Any) -> AttributeMap:
    """The attribute map that a row was read from; what is none already stays."""
    if isinstance(item, Row):
        found: AttributeMap = to_builtins(item)
        return found
    return cast("AttributeMap", item)


@attrs.frozen(eq=False, repr=False)
class _Made:
    """What was generated for the rows of a class, with the attributes it has learned."""

    type: type[Row]
    build: Callable[[Any], Any]
    learned: tuple[str, ...] = ()


class RowReader:
    """The rows of one class. Safe between threads: what is generated changes in one step.

    Attributes that the class does not know have no place in its rows at first; an item that has one
    is refused as a row. `learn` gives them a place.

    Args:
        codec: The class's.
        load: The general way to read it.
        also: Attributes to have a place although the class does not know them and will not carry
            them: those of the table's keys, which cursors are made of.
        attributes: For a projection: what the items call the attributes of the class, by their
            stored names.

    Raises:
        ValueError: The class has no rows: an attribute's name cannot be that of a struct's member.
    """

    def __init__(
        self,
        codec: ClassCodec,
        load: Callable[[AttributeMap], Any],
        also: Iterable[str] = (),
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        self._codec = codec
        self._load = load
        self._also = frozenset(also)
        self._attributes = attributes
        self._lock = threading.Lock()
        self._steps = 0
        self._made = self._make(())
        #: What decodes whole replies, by the kind of reply; made and kept by who needs it.
        self.decoders: dict[str, Any] = {}

    @property
    def type(self) -> type[Row]:
        return self._made.type

    @property
    def build(self) -> Callable[[Any], Any]:
        """Makes an object of a row, or of an attribute map.

        Raises:
            MappingError: As `Mapper.load`.
        """
        return self._made.build

    @property
    def current(self) -> tuple[RowType, Callable[[Any], Any]]:
        """`type` and `build` that belong together, whatever another thread learns meanwhile."""
        made = self._made
        return made.type, made.build

    @property
    def learns(self) -> bool:
        """Whether `learn` may still change something."""
        return (
            self._codec.unknown != "forbid"
            and self._attributes is None
            and self._steps < MOST_STEPS
            and len(self._made.learned) < MOST_LEARNED
        )

    def _fresh(self, learned: Collection[str], names: Iterable[str]) -> list[str]:
        return [
            name
            for name in dict.fromkeys(names)
            if name not in learned and name not in self._codec.known
        ]

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
            made = self._made
            fresh = self._fresh(made.learned, names)
            if not fresh or not self.learns:
                return False
            self._steps += 1
            learned = (*made.learned, *fresh)[:MOST_LEARNED]
            try:
                self._made = self._make(learned)
            except ValueError:  # a name that cannot be that of a struct's member
                return False
            return True

    def _make(self, learned: tuple[str, ...]) -> _Made:
        made = generate_row(self._codec, Row, learned, self._also, self._attributes, self.other)
        return _Made(*made, learned)

    def other(self, item: Any) -> Any:
        """The object of what is no row of the current kind, or of a row that cannot be read."""
        return self._load(attribute_map(item))

"""Code that writes objects: one generated straight-line function for each class and purpose.

One walk over the fields makes both: the attribute map, and the attribute map with the bytes that the
service counts for it. (The JSON of the request to put it, which gathered writes wait as, is
`request_code`'s.)

Each knows the usual types of values. The first hands everything else to the field's codec, because it
is what `Codec.dump` stands for. The other may raise at anything: `Mapper.dump` and what follows
it then do the work, and write the error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import attrs

from dynattrs import limits
from dynattrs.mapper import scalars, time_to_live
from dynattrs.mapper.carried import NOTHING_CARRIED, carried_by
from dynattrs.mapper.classes import ClassCodec, DumpMap, FieldCodec
from dynattrs.mapper.codec import Codec, ListShape, OptionalShape, SetShape
from dynattrs.mapper.key_rules import restore_key
from dynattrs.mapper.number_lists import NumberLists, number_lists
from dynattrs.mapper.size import item_size, value_size
from dynattrs.mapper.source import Source, bind, indented
from dynattrs.mapper.stored_json import Unusual
from dynattrs.schema.table import AttributeMap

#: Makes the attribute map of an instance, and counts its bytes.
DumpWithSize: TypeAlias = Callable[[Any], tuple[AttributeMap, int]]

_STR: Final = scalars.PLAIN[str]
_INT: Final = scalars.PLAIN[int]
_BYTES: Final = scalars.PLAIN[bytes]


def generate_dump(codec: ClassCodec) -> DumpMap:
    """The function that turns an instance into its attribute map."""
    function: DumpMap = _MapWriter().function(codec)
    return function


# Measured (benchmarks/test_rows.py): 5.1 -> 3.3 us an item of eleven attributes, dumped and measured
# by a save; tests/property/test_sizes.py holds it to `Mapper.dump` and `item_size`.
def generate_dump_with_size(codec: ClassCodec) -> DumpWithSize:
    """The function that turns an instance into its attribute map and counts the bytes of it.

    It raises anything where it leaves the work to the general codecs.
    """
    function: DumpWithSize = _SizedMapWriter().function(codec)
    return function


@attrs.frozen
class _Usual:
    """How a value of a usual type, `each`, is stored.

    Attributes:
        condition: When it is of that type.
        tag: The type tag of what is stored.
        payload: The expression of the payload.
        size: That of the payload's bytes.
        before: Lines that are run first.
    """

    condition: str
    tag: str
    payload: str
    size: str
    before: tuple[str, ...] = ()


_TEXT_SIZE: Final = "(len(each) if each.isascii() else len(each.encode()))"
_NUMBER_SIZE: Final = "len(text.strip('-0.')) // 2 + 2"

_WHOLE: Final = _Usual(
    "type(each) is int and LEAST < each < MOST", "N", "(text := str(each))", _NUMBER_SIZE
)
_SCALARS: Final[dict[Codec, _Usual]] = {
    _STR: _Usual("type(each) is str", "S", "each", _TEXT_SIZE),
    _INT: _WHOLE,
    time_to_live.CODECS[int]: _WHOLE,
    scalars.PLAIN[float]: _Usual(
        "type(each) is float and (1e-130 <= each < 1e126 or 1e-130 <= -each < 1e126)",
        "N", "(text := repr(each))", _NUMBER_SIZE,
    ),
    scalars.PLAIN[bool]: _Usual("each is True or each is False", "BOOL", "each", "1"),
    _BYTES: _Usual("type(each) is bytes", "B", "each", "len(each)"),
}  # fmt: skip


class _MapWriter:
    """Generates functions that make attribute maps: the walk over the fields that all have."""

    #: Whether the functions may raise where another value than expected is valid as well.
    may_raise = False
    #: Whether they count the bytes, in `size`.
    counts = False

    def __init__(self) -> None:
        self.names: dict[str, Any] = {
            "LEAST": -(10**limits.NUMBER_DIGITS),
            "MOST": 10**limits.NUMBER_DIGITS,
            "NOTHING_CARRIED": NOTHING_CARRIED,
            "SETS": (set, frozenset),
            "SETS_OR_NONE": (set, frozenset, type(None)),
            "Unusual": Unusual,
            "carried_by": carried_by,
            "item_size": item_size,
            "restore_key": restore_key,
            "value_size": value_size,
        }

    def bind(self, stem: str, value: Any) -> str:
        return bind(self.names, stem, value)

    def function(
        self, codec: ClassCodec, depth: int = 1, outer: tuple[ClassCodec, ...] = ()
    ) -> Any:
        """The function for a class.

        Args:
            codec: The class's.
            depth: How deep its instances stand: 1 for an item.
            outer: The classes around it.
        """
        source = Source("dump", self.parameters(depth), self.names)
        cls, check = self.bind("cls", codec.record.cls), self.bind("check", codec.check_class)
        source.add(f"if type(value) is not {cls}: {check}(value)", *self.begin(codec))
        for position, field in enumerate(codec.members):
            place = self.place(field, position)
            lines = self.field(field, place, depth, (*outer, codec))
            source.add(f"each = value.{field.name}")
            if field.always_set:
                # What is falsy and no set goes to its codec, which refuses it.
                absent = "SETS_OR_NONE" if field.member.defaults_to_none else "SETS"
                lines = [f"if each or not isinstance(each, {absent}):", *indented(lines)]
            elif field.member.defaults_to_none:
                lines = ["if each is not None:", *indented(lines)]
            else:
                source.add(*lines)
                continue
            source.add(*lines, *self.left_out(place))
        source.add(*self.end(codec, depth))
        return source.function(codec.record.cls)

    def field(
        self, field: FieldCodec, place: str, depth: int, outer: tuple[ClassCodec, ...]
    ) -> list[str]:
        """The lines that store `each`."""
        # A member of a map costs a byte more than an attribute of the item.
        size = len(field.stored.encode()) + (depth > 1)
        general = self.general(field.codec, place, size, depth)
        codec = field.codec
        lines: list[str] = []
        if isinstance(codec.shape, OptionalShape):
            codec = codec.shape.inner
            if not field.member.defaults_to_none:
                null = self.store(place, "NULL", "True", f"{size} + 1")
                lines = ["if each is None:", *indented(null)]
        usual = self.usual(codec, depth, outer)
        if usual is None:
            return general
        store = self.store(place, usual.tag, usual.payload, f"{size} + {usual.size}")
        return [
            *lines,
            f"{'elif' if lines else 'if'} {usual.condition}:",
            *indented([*usual.before, *store]),
            "else:",
            *indented(general),
        ]

    def usual(self, codec: Codec, depth: int, outer: tuple[ClassCodec, ...]) -> _Usual | None:
        """How `each` is stored if it is as usual; None where nothing is."""
        if not self.may_raise and codec is not _STR:
            return None
        if codec.dump is scalars.dump_bool:  # which reads other forms, too
            codec = scalars.PLAIN[bool]
        if codec in _SCALARS:
            return _SCALARS[codec]
        shape = codec.shape
        only_text = ("    if type(each) is not str: raise Unusual",)
        counted = (f"    size += {_TEXT_SIZE}",) if self.counts else ()
        if isinstance(shape, SetShape) and shape.element is _STR:
            before = ("members = [*each]", "for each in members:", *only_text, *counted)
            return _Usual("type(each) in SETS and each", "SS", "members", "0", before)
        if isinstance(shape, ListShape) and shape.element is _STR:
            member = f"    members.append({self.value('S', 'each')})"
            before = ("members = []", "for each in each:", *only_text, *counted, member)
            return _Usual("type(each) is list", "L", "members", "3 + len(members)", before)
        many = number_lists(shape.element) if isinstance(shape, ListShape) else None
        if many is not None and isinstance(shape, ListShape):
            return self.numbers(many, shape)
        if isinstance(codec, ClassCodec) and codec not in outer and depth < limits.NESTING_DEPTH:
            nested = self.bind("nested", self.function(codec, depth + 1, outer))
            condition = f"type(each) is {self.bind('cls', codec.record.cls)}"
            if not self.counts:
                return _Usual(condition, "M", f"{nested}(each)", "")
            return _Usual(
                condition, "M", "inner", "3 + bytes_", (f"inner, bytes_ = {nested}(each)",)
            )
        return None

    # --- What attribute maps have of their own ---

    def numbers(self, many: NumberLists, shape: ListShape) -> _Usual:
        """How a list of numbers is stored, or an array."""
        condition, members = self.members(shape)
        before = (
            f"texts = {self.bind('texts', many.texts)}({members})",
            'members = [{"N": text} for text in texts]',
        )
        # (Each is a member, too, which counts one.)
        size = "3 + 3 * len(texts) + sum([len(text.strip('-0.')) // 2 for text in texts])"
        return _Usual(condition, "L", "members", size, before)

    def members(self, shape: ListShape) -> tuple[str, str]:
        """When `each` is a list that the shape's codec takes, and the expression of its members."""
        if shape.members is None:
            return "type(each) is list or type(each) is tuple", "each"
        return "each is not None", f"{self.bind('members', shape.members)}(each)"

    def parameters(self, depth: int) -> str:
        return "value"

    def begin(self, codec: ClassCodec) -> list[str]:
        return ["item = {}"]

    def place(self, field: FieldCodec, position: int) -> str:
        return f"item[{field.stored!r}]"

    def left_out(self, place: str) -> list[str]:
        return []

    def value(self, tag: str, payload: str) -> str:
        return f"{{{tag!r}: {payload}}}"

    def store(self, place: str, tag: str, payload: str, size: str) -> list[str]:
        return [f"{place} = {self.value(tag, payload)}"]

    def general(self, codec: Codec, place: str, size: int, depth: int) -> list[str]:
        return [f"{place} = {self.bind('dump', codec.dump)}(each)"]

    def end(self, codec: ClassCodec, depth: int) -> list[str]:
        if not codec.carries:
            return ["return item"]
        kept_by = self.bind("kept_by", codec.kept_by)
        kept = [f"item.update({kept_by}(value))"]
        if codec.plain_key:
            kept.append("restore_key(value, item)")
        return ["if carried_by(value) is not NOTHING_CARRIED:", *indented(kept), "return item"]


class _SizedMapWriter(_MapWriter):
    """Generates functions that make attribute maps and count their bytes."""

    may_raise = True
    counts = True

    def begin(self, codec: ClassCodec) -> list[str]:
        return ["item = {}", "size = 0"]

    def store(self, place: str, tag: str, payload: str, size: str) -> list[str]:
        return [*super().store(place, tag, payload, size), f"size += {size}"]

    def general(self, codec: Codec, place: str, size: int, depth: int) -> list[str]:
        return [
            f"{place} = stored = {self.bind('dump', codec.dump)}(each)",
            f"size += {size} + value_size(stored, {depth})",
        ]

    def end(self, codec: ClassCodec, depth: int) -> list[str]:
        if not codec.carries:
            return ["return item, size"]
        size = "item_size(kept)" if depth == 1 else f"value_size({{'M': kept}}, {depth - 1}) - 3"
        return [
            "if carried_by(value) is not NOTHING_CARRIED:",
            f"    kept = {self.bind('kept_by', codec.kept_by)}(value)",
            "    item.update(kept)",
            f"    size += {size}",
            *(["    size += restore_key(value, item)"] if codec.plain_key else []),
            "return item, size",
        ]

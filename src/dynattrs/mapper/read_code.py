"""Code that reads objects: one generated straight-line function for each class.

The walk over the fields is here, and the code for attribute maps, whose values the fields' codecs read.
`row_code` has the code for rows.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping
from functools import partial
from types import CodeType
from typing import Any, Final

import attrs
from msgspec import UNSET

from dynattrs.mapper.anything import native_map
from dynattrs.mapper.carried import Carried, carry, set_attribute
from dynattrs.mapper.class_kinds import MISSING
from dynattrs.mapper.classes import ClassCodec, FieldCodec, LoadMap
from dynattrs.mapper.codec import NeedsTrail
from dynattrs.mapper.source import Source, bind, indented
from dynattrs.schema.table import AttributeMap

# To checkers the arguments of annotations are types that they know.
_LIST: Final[Any] = list
_DICT: Final[Any] = dict

# `attrs.Factory` is a class that its stubs declare as a function.
_FACTORY: Final[Any] = attrs.Factory


def generate_load(codec: ClassCodec) -> LoadMap:
    """The function that turns an attribute map into an instance."""
    reader = MapReader()
    body = reader.construction(codec)
    if codec.unknown != "drop":
        reader.names.update(known=codec.known.issuperset, keep=_keeper(codec))
        body.append("if not known(item): keep(instance, item)")
    source = Source("load", "item", reader.names)
    source.add(*body, "return instance")
    function: LoadMap = source.function(codec.record.cls)
    return function


def _keeper(codec: ClassCodec) -> Callable[[Any, AttributeMap], None]:
    known = codec.known

    def keep(instance: Any, item: AttributeMap) -> None:
        if not carries_unknown(codec):
            raise NeedsTrail
        extra = {name: value for name, value in item.items() if name not in known}
        carry(instance, Carried(native_map(extra)))

    return keep


def carries_unknown(codec: ClassCodec) -> bool:
    return codec.carries and codec.unknown == "keep"


class MapReader:
    """Generates the lines that make an instance, here of the attribute map `item`."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"UNSET": UNSET, "set_attribute": set_attribute}
        #: What the names of local variables end with: an object inside another one has its own.
        self.suffix = ""

    def bind(self, stem: str, value: Any) -> str:
        return bind(self.names, stem, value)

    def required(self, field: FieldCodec, position: int) -> tuple[list[str], str]:
        """The lines that read a value that has to be there, and the expression that it has then."""
        return [], f"{self.bind('load', field.codec.load)}(item[{field.stored!r}])"

    def optional(self, field: FieldCodec, position: int) -> tuple[list[str], str, list[str]]:
        """The lines to be run first, what is true where a value is absent, and the lines that read it
        into `a` with the position.
        """
        load = self.bind("load", field.codec.load)
        read = f"{self.local('a', position)} = {load}(item[{field.stored!r}])"
        return [], f"{field.stored!r} not in item", [read]

    def local(self, stem: str, position: int | str = "") -> str:
        """A local variable's name."""
        return f"{stem}{position}{self.suffix}"

    def construction(
        self, codec: ClassCodec, taken: Mapping[str, list[str]] | None = None
    ) -> list[str]:
        """The lines that make the local `instance`.

        Args:
            codec: The class's.
            taken: Lines for fields that are not read in the ordinary way, by stored names; they leave
                the value in `a` with the position.
        """
        lines: list[str] = []
        values: dict[str, str] = {}
        later: list[str] = []
        instance, name_ = self.local("instance"), self.local("name")
        # Names of the dicts for what is given to the constructor, or set after it, where it is there.
        dicts: set[str] = set()
        for position, field in enumerate(codec.members):
            member, target = field.member, self.local("a", position)
            if taken and field.stored in taken:
                lines += taken[field.stored]
            elif is_required(field):
                read, values[member.argument] = self.required(field, position)
                lines += read
                continue
            else:
                before, absent, read = self.optional(field, position)
                default = self._default(codec, field)
                lines += before
                if default is None:
                    # The constructor makes this default, perhaps out of the other fields.
                    into = self.local("rest" if member.init else "later")
                    dicts.add(into)
                    name = member.argument if member.init else field.name
                    lines += [
                        f"if not ({absent}):",
                        *indented([*read, f"{into}[{name!r}] = {target}"]),
                    ]
                    continue
                lines += [f"if {absent}: {target} = {default}", "else:", *indented(read)]
            if member.init:
                values[member.argument] = target
            else:
                later.append(f"set_attribute({instance}, {field.name!r}, {target})")
        after = self.local("later")
        if after in dicts:
            later.append(
                f"for {name_} in {after}: set_attribute({instance}, {name_}, {after}[{name_}])"
            )
        made = self._call(codec, values, rest=self.local("rest") in dicts, later=bool(later))
        return [*(f"{name} = {{}}" for name in sorted(dicts)), *lines, *made, *later]

    def _default(self, codec: ClassCodec, field: FieldCodec) -> str | None:
        """What stands for an absent attribute, or None where only the constructor knows."""
        if field.always_set:
            return f"{self.bind('load', field.codec.load)}({{'L': []}})"
        default = field.member.default
        if not field.member.init or codec.record.lazy_defaults:
            return None
        if not isinstance(default, _FACTORY):
            return "None" if default is None else self.bind("default", default)
        return None if default.takes_self else self.bind("default", default.factory) + "()"

    def _call(
        self, codec: ClassCodec, values: dict[str, str], *, rest: bool, later: bool
    ) -> list[str]:
        """The lines that make the instance."""
        record, instance = codec.record, self.local("instance")
        if not rest and not later and _only_assigns(codec):
            new = self.bind("new", partial(object.__new__, record.cls))
            stores = [
                f"{instance}.{field.name} = {values[field.member.argument]}"
                for field in codec.members
            ]
            return [f"{instance} = {new}()", *stores]
        build = self.bind("build", record.build)
        arguments: list[str] = []
        # By position where that is known to be the same: it saves the call a dict.
        given = dict(values)
        for name in _positional(codec):
            if name not in given:
                break
            arguments.append(given.pop(name))
        arguments += [f"{name}={value}" for name, value in given.items() if _is_name(name)]
        odd = [f"{name!r}: {value}" for name, value in given.items() if not _is_name(name)]
        if odd:
            arguments.append(f"**{{{', '.join(odd)}}}")
        if rest:
            arguments.append(f"**{self.local('rest')}")
        return [f"{instance} = {build}({', '.join(arguments)})"]


def is_required(field: FieldCodec) -> bool:
    return field.member.default is MISSING and field.member.init and not field.always_set


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _positional(codec: ClassCodec) -> tuple[str, ...]:
    """The constructor's arguments that may be given by position, in their order."""
    cls = codec.record.cls
    code = getattr(cls.__init__, "__code__", None)
    if codec.record.build is not cls or not attrs.has(cls) or not isinstance(code, CodeType):
        return ()
    return code.co_varnames[1 : code.co_argcount]


def _only_assigns(codec: ClassCodec) -> bool:
    """Whether the constructor does nothing but assign its arguments to the fields.

    Judged by the names in the code that attrs has generated: validators, converters, hooks, cached
    hashes and frozen classes all bring names of their own.
    """
    cls, record = codec.record.cls, codec.record
    code = getattr(cls.__init__, "__code__", None)
    names = {member.name for member in record.members}
    return (
        attrs.has(cls)
        and record.build is cls
        and isinstance(code, CodeType)
        and code.co_filename.startswith("<attrs generated")
        and set(code.co_names) <= {*names, "NOTHING", *(f"__attr_factory_{name}" for name in names)}
        and names <= set(code.co_names)
        and all(member.init and _is_name(member.name) for member in record.members)
        and cls.__setattr__ is object.__setattr__
        and cls.__new__ is object.__new__
        and type(cls).__call__ is type.__call__
    )

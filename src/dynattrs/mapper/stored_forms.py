"""The stored forms of another library, for all fields of a model: what `forms=` of `@model` says.

A mapper has a variant for each such set of forms (`Codecs.formed`), whose codecs are these where they
differ from its own. The classes inside of a model's fields are stored in the model's forms, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_origin

import attrs

from dynattrs.errors import ModelError
from dynattrs.late_classes import frozen
from dynattrs.mapper.annotations import SETS, UNIONS, FormMark, arms, show_type
from dynattrs.mapper.class_kinds import MISSING, NO_VALUE, Member, Record
from dynattrs.mapper.classes import held
from dynattrs.mapper.codec import Codec, Refused, parts_inside

if TYPE_CHECKING:
    from dynattrs.schema.model_info import ModelInfo
    from dynattrs.schema.table import AttributeValue

#: Where the marks of forms are, which programs without them do not load.
MARKS: Final = "dynattrs.mapper.pynamodb_marks"

_BINARY: Final = frozenset({"B", "BS"})


@frozen(repr=False)
class Forms:
    """How PynamoDB stores the fields of a model: `@model("songs", forms=pynamodb.forms)`.

    `pynamodb.forms` is what PynamoDB 5 and 6 have in common. Called, it gives forms with other options:
    `pynamodb.forms(version=6, lenient=True)`.

    Attributes:
        version: The oldest major version of PynamoDB among the other programs, 5 or 6.
        lenient: Whether a field without a default whose attribute is absent, or NULL, is read as None, as
            PynamoDB reads it. Such an object cannot be saved before the field has a value.
    """

    version: int = 5
    lenient: bool = False

    def __call__(self, *, version: int | None = None, lenient: bool | None = None) -> Forms:
        """These forms with other options.

        Raises:
            ModelError: The version is neither 5 nor 6.
        """
        version = self.version if version is None else version
        if version not in (5, 6) or type(version) is not int:
            raise ModelError("forms", f"version={version!r}: PynamoDB's major version, 5 or 6")
        if lenient is not None and type(lenient) is not bool:
            raise ModelError("forms", f"lenient={lenient!r}: True or False")
        return attrs.evolve(
            self, version=version, lenient=self.lenient if lenient is None else lenient
        )

    def __repr__(self) -> str:
        said = [
            *([f"version={self.version}"] if self.version != 5 else []),
            *(["lenient=True"] if self.lenient else []),
        ]
        return f"pynamodb.forms({', '.join(said)})" if said else "pynamodb.forms"

    # --- What the mapper asks ---

    @property
    def json(self) -> FormMark:
        """What `Json` says in such a model."""
        found: FormMark = _marks().Json
        return found

    @property
    def scalars(self) -> Mapping[Any, Codec]:
        """The codecs of plain types that are stored otherwise."""
        found: Mapping[Any, Codec] = _marks().SCALARS
        return found

    @property
    def json_scalars(self) -> Mapping[Any, Codec]:
        """The same inside of JSON."""
        found: Mapping[Any, Codec] = _marks().JSON_SCALARS
        return found

    @property
    def in_any(self) -> Mapping[type[object], Callable[[Any], AttributeValue]]:
        """How scalars are stored that no annotation speaks of, and refuses them."""
        found: Mapping[type[object], Callable[[Any], AttributeValue]] = _marks().IN_ANY
        return found if self.version < 6 else {}

    def told(self, value: object, stored: AttributeValue) -> AttributeValue:
        """Judges how a set without an annotation would be stored.

        Raises:
            Refused: PynamoDB 5 stores it otherwise.
        """
        if self.version < 6 and isinstance(value, (set, frozenset)):
            raise Refused(
                "a list, where no annotation says that it is a set", show_type(type(value)),
                "PynamoDB 5 reads a set inside a raw map, and writes it back as a list",
            )  # fmt: skip
        return stored

    def own(self, type_: object) -> Codec | None:
        """The codec of a plain type that has none in every place.

        Raises:
            Refused: It has none.
        """
        if type_ is not bytes or self.version >= 6:
            return self.scalars.get(type_)
        raise Refused(
            "bytes as a field of the model itself", "bytes inside of a list, a map or another class",
            "PynamoDB 5 adds a layer of base64 to them with each save, PynamoDB 6 writes them as they "
            "are: store them in a field of their own, or say pynamodb.forms(version=6) where no "
            "program with PynamoDB 5 is left; in a class for as_ write Annotated[bytes, "
            "pynamodb.LegacyBinary]",
        )  # fmt: skip

    def top_level(self, member: Member) -> Member:
        """A field of a model itself, where bytes are PynamoDB's.

        Raises:
            Refused: Version 6 has two forms, and the field does not say which one it is in.
        """
        if get_origin(member.type) is Annotated or not _is_binary(member.type):
            return member
        if self.version >= 6:
            raise Refused(
                "bytes that say how they are stored", show_type(member.type),
                "PynamoDB 6 asks for it as well: Annotated[..., pynamodb.LegacyBinary] is "
                "legacy_encoding=True, Annotated[..., pynamodb.Binary] is legacy_encoding=False",
            )  # fmt: skip
        return attrs.evolve(member, type=Annotated[member.type, _marks().LegacyBinary])

    def element(self, codec: Codec) -> Codec:
        """The codec of the members of a list: an empty set is NULL there.

        Raises:
            Refused: It may be None as well, which is NULL, too.
        """
        if not codec.is_set:
            return codec
        if codec.optional:
            raise _set_or_none(codec.type)
        found: Codec = _marks().null_where_empty(codec)
        return found

    def record(self, record: Record) -> Record:
        """A class whose fields may be absent where PynamoDB leaves them out.

        Raises:
            Refused: A set may be None: PynamoDB stores neither that nor an empty one.
        """
        members = []
        for member in record.members:
            may_be_none = type(None) in arms(member.type)
            if may_be_none and any(map(_is_set, arms(member.type))):
                raise _set_or_none(member.type, member.name)
            if member.default is not MISSING or not member.init:
                members.append(member)
            elif may_be_none:
                members.append(attrs.evolve(member, default=None))
            elif self.lenient and not any(map(_is_set, arms(member.type))):
                members.append(attrs.evolve(member, default=NO_VALUE))
            else:
                members.append(member)
        return attrs.evolve(record, members=tuple(members))


def _set_or_none(type_: object, name: str = "") -> Refused:
    return Refused(
        "a set that is never None",
        show_type(type_) + (f" as {name}" if name else ""),
        "PynamoDB stores an empty set as it stores None, so the two would be read as one: declare "
        "set[...] with factory=set, which is read as empty where nothing is stored",
    )


def _is_set(type_: Any) -> bool:
    if get_origin(type_) is Annotated:
        return _is_set(get_args(type_)[0])
    return (get_origin(type_) or type_) in SETS


def _is_binary(type_: Any) -> bool:
    """Whether a type is `bytes`, or a set of them, or None besides."""
    if get_origin(type_) in UNIONS:
        return all(each is type(None) or _is_binary(each) for each in get_args(type_))
    return type_ is bytes or (_is_set(type_) and get_args(type_) == (bytes,))


def check_forms(info: ModelInfo, codec: Codec) -> None:
    """Refuse binaries where PynamoDB cannot hold them.

    Raises:
        ModelError: There is one.
    """
    if MARKS not in sys.modules:
        return
    legacy, forms = _marks().LEGACY, info.forms
    only_raw = isinstance(forms, Forms) and forms.version < 6
    for name, each in (codec.fields or {}).items():
        own = held(each)
        if own.is_set or own.packed:
            continue
        for inside in parts_inside(own, set()):
            if inside is legacy or (only_raw and inside.tag in _BINARY and not inside.packed):
                raise ModelError(
                    info.name,
                    "bytes inside of a list, a map or another class: PynamoDB 5 adds a layer of base64 "
                    "to them with each save, and PynamoDB 6 writes them as they are; store them in a "
                    "field of their own",
                    name,
                )


def _marks() -> Any:
    from importlib import import_module

    return import_module(MARKS)

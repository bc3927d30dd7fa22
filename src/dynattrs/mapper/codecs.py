"""Which codec a type gets.

A type with hooks that people registered on the converter goes through these, everything else
through generated codecs. cattrs asks for codecs too: for the types without registered hooks
for, `structure` and `unstructure` are made of them.
"""

from __future__ import annotations

import enum
import sys
import threading
import typing
from collections.abc import Callable
from decimal import Decimal
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    TypeVar,
    cast,
    get_args,
    get_origin,
)

import attrs
import cattrs
from cattrs.errors import StructureHandlerNotFoundError

from dynattrs import foreign_names as foreign
from dynattrs import utf8
from dynattrs.deferral import deferred
from dynattrs.errors import ModelError
from dynattrs.mapper import (
    anything,
    containers,
    defaults,
    marks,
    scalars,
    time_to_live,
    wrappers,
)
from dynattrs.mapper.annotations import (
    DECORATED,
    DICTS,
    LISTS,
    SETS,
    SUBCLASSABLE,
    UNIONS,
    WRAPPERS,
    arms,
    is_array,
    is_ndarray,
    is_ours,
    is_typed_dict,
    marked,
    show_type,
)
from dynattrs.mapper.class_kinds import Member, Record, check_defaults, record_of, rules_of
from dynattrs.mapper.classes import ClassCodec, FieldCodec, Generators, typed_dict_codec
from dynattrs.mapper.codec import (
    ANY,
    Codec,
    Refused,
    Trail,
    as_model_error,
    explain_dump,
    explain_load,
    show,
    under,
)
from dynattrs.mapper.forgetful import ForgetfulConverter
from dynattrs.mapper.hints import field_types, is_class, unaliased
from dynattrs.mapper.placeholders import Placeholder
from dynattrs.mapper.redefinitions import let_go, mentioning
from dynattrs.quoting import quoted
from dynattrs.schema.definitions import Definitions
from dynattrs.schema.model_info import info_of, model_info
from dynattrs.schema.table import AttributeValue

if TYPE_CHECKING:
    from typing_extensions import Self

    from dynattrs.mapper import (
        arrays,
        pydantic_classes,
        read_code,
        unions,
        variants,
        write_code,
    )
    from dynattrs.mapper.stored_forms import Forms
else:
    # What few models have.
    arrays = deferred("dynattrs.mapper.arrays")
    pydantic_classes = deferred("dynattrs.mapper.pydantic_classes")
    unions = deferred("dynattrs.mapper.unions")
    variants = deferred("dynattrs.mapper.variants")
    # Imported, with msgspec, when the first object is written or read.
    read_code = deferred("dynattrs.mapper.read_code")
    write_code = deferred("dynattrs.mapper.write_code")

# cattrs dispatches these by class before it asks any predicate.
_BY_CLASS: Final = (str, bytes, int, float, bool, Decimal, enum.Enum, *scalars.TEXTS)

_GENERATORS: Final = Generators(
    dump=lambda codec: write_code.generate_dump(codec),  # noqa: PLW0108 - not imported yet
    load=lambda codec: read_code.generate_load(codec),  # noqa: PLW0108
)


class Codecs(ForgetfulConverter):
    """A cattrs `Converter` that knows the codec of every type, and makes each once."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._lock = threading.RLock()
        self._codecs: dict[Any, Codec] = {}
        # What is being made: not to be seen by other threads, and dropped where one part fails.
        self._making: dict[Any, Codec] = {}
        # Types with registered hooks, and their codecs without these.
        self._customised: set[Any] = set()
        self._owns: dict[Any, Codec] = {}
        self._definitions = Definitions()
        super().__init__(*args, **options)
        self._scalars, self._check_name = scalars.PLAIN, anything.check_name
        self._any = anything.any_codec(self.codec)
        self._codecs[Any] = self._any
        # The same for what stands in JSON, made when a type asks for it, and what that belongs to.
        self._in_json: Self | None = None
        self._outside: Codecs = self
        #: The stored forms of another library, what has the codecs of these, and what they differ from.
        self.forms: Forms | None = None
        self._formed: dict[Forms, Codecs] = {}
        self._usual: Any = self
        for cls in _BY_CLASS:
            self._own_class(cls)
        super().register_unstructure_hook_factory(is_ours, self._unstructure_factory)
        super().register_structure_hook_factory(is_ours, self._structure_factory)
        foreign.HOOKS.made(self._keep_own_hooks)

    def _keep_own_hooks(self) -> None:
        """Let `copy` hand on only what is registered from now on."""
        foreign.UNSTRUCTURE_SKIP.replace(self, foreign.UNSTRUCTURE_HOOKS.of(self).get_num_fns())
        foreign.STRUCTURE_SKIP.replace(self, foreign.STRUCTURE_HOOKS.of(self).get_num_fns())

    def model_codec(self, model: object) -> Codec:
        """The codec of a class whose objects are items.

        Raises:
            ModelError: It is none, or one of its annotations cannot be stored or resolved.
        """
        found = self._codecs.get(model)
        if isinstance(found, ClassCodec):
            return found
        cls = get_origin(model) or model
        if not isinstance(cls, type):
            raise ModelError(show_type(model), "a class is expected, with @model or with fields")
        try:
            codec = self.codec(model)
        except Refused as refusal:
            raise as_model_error(cls, refusal) from None
        if "M" not in codec.tags or codec is self._any:
            raise ModelError(
                cls.__name__, "its objects are not items: an item is a class with fields"
            )
        return codec

    def codec(self, type_: object) -> Codec:
        """How values of *type_* are stored.

        Raises:
            Refused: The type has no stored form (turned into `ModelError` by declarations).
            Undefined: An annotation inside is not defined yet.
        """
        try:
            return self._codecs[type_]
        except KeyError:
            pass
        except TypeError:  # not hashable, such as Annotated with a dict inside
            return self._make(type_)
        with self._lock:
            found = self._codecs.get(type_) or self._making.get(type_)
            if found is not None:
                return found
            outermost = not self._making
            before = self._codecs
            placeholder = self._making[type_] = Placeholder(type_)
            try:
                codec = self._making[type_] = self._make(type_)
                placeholder.fill(codec)
                # A hook that was registered in the meantime has made all of this stale.
                if outermost and self._codecs is before:
                    self._codecs.update(self._making)
            finally:
                if outermost:
                    self._making = {}
            return codec

    @property
    def in_json(self) -> Self:
        """What gives the codecs of types inside of JSON, by the same hooks (see `json_values`)."""
        if self._outside is not self:
            return self
        with self._lock:
            if self._in_json is not None:
                return self._in_json
            made: Self = variants.for_json(self)
            self._in_json = made
            return made

    @property
    def usual(self) -> Self:
        """What gives the codecs of types where no other library's forms are asked for."""
        found: Self = self._usual if self._outside is self else self._usual.in_json
        return found

    def formed(self, forms: Forms | None) -> Self:
        """What gives the codecs of types in the stored forms of another library, by the same hooks."""
        if self.forms == forms:
            return self
        root: Self = self._usual
        with self._lock:
            if forms is not None and forms not in root._formed:
                root._formed[forms] = variants.with_forms(root, forms)
            return root if forms is None else cast("Self", root._formed[forms])

    def _begin_anew(self) -> None:
        """Have nothing of what the mapper had that this one is a copy of."""

    def _make(self, type_: object) -> Codec:
        cls = get_origin(type_) or type_
        if isinstance(cls, type):
            self._meet(cls)
        if self._is_customised(type_):
            self._customised.add(type_)
            # Hooks make the objects of a class by its constructor, as a rule.
            check_defaults(get_origin(type_) or type_)
            return self._custom(type_)
        return self._build(type_)

    def _name(self, type_: object, codec: Codec) -> None:
        """Let the codecs of its parts find the unfinished codec of a type that holds itself."""
        if type_ in self._making:
            self._making[type_] = codec

    def _build(self, type_: Any) -> Codec:
        if type_ in (Any, object):
            return self._any
        if type_ is None:
            return scalars.PLAIN[type(None)]
        if is_class(type_) and type_ in self._scalars:
            own = None if self.forms is None or self._outside is not self else self.forms.own(type_)
            return own or self._scalars[type_]
        if isinstance(type_, TypeVar):
            return self.codec(type_.__bound__ if type_.__bound__ is not None else Any)
        if hasattr(type_, "__supertype__"):
            return self.codec(type_.__supertype__)
        if (named := unaliased(type_)) is not None:
            return self.codec(named)
        origin, arguments = get_origin(type_), get_args(type_)
        if origin is Annotated:
            return marks.marked_codec(self, type_)
        if origin in UNIONS:
            return self._union(type_, arguments)
        if origin is typing.Literal:
            return scalars.literal_codec(type_, arguments, self._any.dump)
        if getattr(origin, "_name", getattr(origin, "__name__", "")) in WRAPPERS and arguments:
            return self.codec(arguments[0])
        if is_array(type_):
            return arrays.array_codec(self, type_, None)
        if is_ndarray(type_):
            return arrays.ndarray_codec(self, type_)
        found = self._container(type_, origin or type_, arguments)
        if found is not None:
            return found
        if is_typed_dict(origin or type_):
            return self._typed_dict(type_)
        if is_class(type_) and issubclass(type_, enum.Enum):
            return scalars.enum_codec(type_, self._any.dump)
        root = pydantic_classes.root_of(type_) if "pydantic" in sys.modules else None
        if root is not None:
            return wrappers.root_codec(type_, self.codec(root[0]), root[1])
        record = record_of(type_)
        if record is not None:
            return self._class(type_, record)
        for base in SUBCLASSABLE:
            if is_class(type_) and issubclass(type_, base):
                return wrappers.subclass_codec(type_, self._scalars[base])
        return self._from_cattrs(type_)

    def _union(self, type_: object, arguments: tuple[object, ...]) -> Codec:
        arms = tuple(self.codec(arm) for arm in arguments if arm is not type(None))
        if not arms:
            return scalars.PLAIN[type(None)]
        inner = arms[0] if len(arms) == 1 else unions.union_codec(type_, arms)
        return containers.optional_codec(type_, inner) if type(None) in arguments else inner

    def _container(
        self, type_: object, origin: object, arguments: tuple[object, ...]
    ) -> Codec | None:
        if origin is tuple:
            if not arguments and type_ is not tuple:
                return containers.tuple_codec(type_, ())
            if arguments == ((),):
                return containers.tuple_codec(type_, ())
            if not arguments or (len(arguments) == 2 and arguments[1] is Ellipsis):
                return containers.list_codec(
                    type_, self.codec(arguments[0] if arguments else Any), tuple
                )
            return containers.tuple_codec(type_, tuple(map(self.codec, arguments)))
        try:
            makers = [makers.get(origin) for makers in (LISTS, SETS, DICTS)]
        except TypeError:
            return None
        element = self.codec(arguments[0]) if any(makers) and arguments else self._any
        if makers[0] and self.forms is not None and self._outside is self:
            element = self.forms.element(element)
        if makers[0]:
            return containers.list_codec(type_, element, makers[0])
        if makers[1]:
            return containers.set_codec(type_, element, makers[1])
        if makers[2]:
            key, value = map(self.codec, arguments or (str, Any))
            return containers.dict_codec(type_, key, value, makers[2], self._check_name)
        return None

    def _typed_dict(self, type_: Any) -> Codec:
        cls = get_origin(type_) or type_
        types = field_types(type_)
        # What each annotation says wins over `__required_keys__`, which is wrong for annotations
        # that are strings.
        required = {
            name
            for name, hint in types.items()
            if marked(hint, "Required")
            or (name in cls.__required_keys__ and not marked(hint, "NotRequired"))
        }
        members: dict[str, Codec] = {}
        codec = typed_dict_codec(
            type_, types, members, frozenset(required), self._any, self._check_name
        )
        self._name(type_, codec)
        members.update({name: self.codec(hint) for name, hint in types.items()})
        return codec

    def _class(self, type_: object, record: Record) -> ClassCodec:
        info = info_of(record.cls)
        if info is not None and info.forms != self.forms and self._outside is self:
            # A model is stored in its own forms, whichever mapper is asked.
            formed = self.formed(cast("Forms | None", info.forms))
            return cast("ClassCodec", formed.codec(type_))
        if self.forms is not None and self._outside is self:
            record = self.forms.record(record)
        if info is None and not vars(record.cls).keys() & DECORATED:
            _refuse_undecorated(record.cls)
        codec = ClassCodec(
            type_, record, _GENERATORS,
            unknown=info.unknown if info else None, carries=info.carries if info else False,
            keys=info.keys if info else None,
            evolves=info if info is not None and info.has_schema else None, model=info,
            null_is_absent=self.forms is not None,
        )  # fmt: skip
        self._name(type_, codec)
        members = []
        stored: dict[str, str] = {}
        for member in record.members:
            try:
                member_codec = self.member_codec(member, of_model=info is not None)
            except Refused as refusal:
                raise under(f".{member.name}", refusal, record.cls) from refusal
            if not member.stored:
                raise under(
                    f".{member.name}", Refused("a stored name that is not empty", "''"), record.cls
                )
            if not utf8.encodable(member.stored):
                name = Refused(f"a stored name, {utf8.EXPECTED}", utf8.found(member.stored))
                raise under(f".{member.name}", name, record.cls)
            if member.stored in stored:
                raise under(
                    f".{member.name}",
                    Refused(
                        "a stored name of its own",
                        f"{member.stored!r}, which {stored[member.stored]} has already",
                        "give one of the two another name with field(name=...)",
                    ),
                    record.cls,
                )
            stored[member.stored] = member.name
            members.append(FieldCodec(member, member_codec))
        codec.fill(tuple(members))
        return codec

    def member_codec(self, member: Member, *, of_model: bool = True) -> Codec:
        """The codec of one field, with what `dynattrs.field` says of it; *of_model* where it is an attribute
        of an item.
        """
        if self.forms is not None and of_model and self._outside is self:
            member = self.forms.top_level(member)
        codec = self._time_to_live(member) if member.options.ttl else self.codec(member.type)
        defaults.refuse_uncalled(member.default, codec, converted=member.converted)
        if codec.is_set and not codec.optional:
            defaults.refuse_full(member.default)
        defaults.refuse_shared(member.default)
        return codec

    def _time_to_live(self, member: Member) -> Codec:
        whole, types = self.codec(member.type), self.types_of(member.type)
        found = time_to_live.CODECS.get(next(iter(types))) if len(types) == 1 else None
        if found is not None and not whole.optional:
            return found
        if found is not None:
            return containers.optional_codec(member.type, found)
        raise Refused(
            "a datetime or a number as the time to live",
            show_type(member.type),
            "the service reads whole epoch seconds",
        )

    def types_of(self, type_: object) -> set[Any]:
        """The types of the values of an annotation, None apart: `{int}` for `Count | None`."""
        return {self.codec(arm).type for arm in arms(type_) if arm is not type(None)}

    # --- cattrs ---

    def _is_customised(self, type_: object) -> bool:
        """Whether registered hooks speak for *type_*."""
        try:
            # Not kept: it would keep the class, too.
            dump: Any = self.get_unstructure_hook(type_, cache_result=False)
            load: Any = self.get_structure_hook(type_, cache_result=False)
        except StructureHandlerNotFoundError:
            return False
        except TypeError:
            return False
        ours = (getattr(dump, "__dynattrs__", False), getattr(load, "__dynattrs__", False))
        if all(ours):
            return False
        return is_ours(type_) or not self._is_cattrs_own(dump)

    @staticmethod
    def _is_cattrs_own(hook: object) -> bool:
        return (getattr(hook, "__module__", None) or "").partition(".")[0] == "cattrs"

    def _custom(self, type_: object) -> Codec:
        """A type that goes through cattrs hooks, in the plain form."""
        unstructure = self.get_unstructure_hook(type_)
        structure = self.get_structure_hook(type_)
        # Hooks speak of DynamoDB's plain form, inside of JSON too.
        anything_codec = self._outside._any

        def dump(value: object) -> AttributeValue:
            return anything_codec.dump(unstructure(value))

        def load(value: AttributeValue) -> Any:
            return structure(anything.load_any(value), type_)

        def dump_at(value: object, trail: Trail) -> AttributeValue:
            try:
                plain = unstructure(value)
            except Exception as error:
                raise Refused(
                    f"a {show_type(type_)}", show(value), f"its hook raised {quoted(error, 200)}"
                ) from error
            return anything_codec.dump_at(plain, trail)

        names = self._renamed(type_, structure) or self._renamed(type_, unstructure)
        return Codec(
            type_, ANY, dump, load, expected=f"a {show_type(type_)}", dump_at=dump_at, names=names,
            fields=self._custom_fields(type_) if names is not None else None,
            rules=rules_of(get_origin(type_) or type_),
        )  # fmt: skip

    def _renamed(self, type_: object, hook: object) -> dict[str, str] | None:
        """The stored names of a class whose hooks cattrs generated with `override(rename=...)`."""
        overrides = getattr(hook, "overrides", None)
        cls = get_origin(type_) or type_
        if overrides is None or not isinstance(cls, type) or not attrs.has(cls):
            return None
        return {
            field.name: getattr(overrides.get(field.name), "rename", None) or field.name
            for field in attrs.fields(cls)
        }

    def _custom_fields(self, type_: object) -> dict[str, Codec]:
        return {name: self.codec(hint) for name, hint in field_types(type_).items()}

    def _own_codec(self, type_: object) -> Codec:
        """The codec of a type as if it had no registered hooks, which may wrap ours."""
        codec = self.codec(type_)
        if type_ not in self._customised:
            return codec
        with self._lock:
            own = self._owns.get(type_)
            if own is None:
                own = self._owns[type_] = self._build(type_)
            return own

    def _from_cattrs(self, type_: object) -> Codec:
        """A type that dynattrs does not know and cattrs may."""
        try:
            self.get_structure_hook(type_)
        except StructureHandlerNotFoundError:
            scalar = wrappers.scalar_codec(type_)
            if scalar is not None:
                return scalar
            raise Refused(
                "a type that can be stored",
                show_type(type_),
                "register an unstructure and a structure hook for it on the mapper before the "
                "class is declared",
            ) from None
        return self._custom(type_)

    def _own_class(self, cls: type[object]) -> None:
        super().register_unstructure_hook(cls, self._unstructure_factory(None))
        super().register_structure_hook(cls, self._structure_factory(None))

    def _unstructure_factory(self, type_: object) -> Callable[[Any], Any]:
        def unstructure(value: object) -> Any:
            codec = self._own_codec(type(value) if type_ is None else type_)
            try:
                return anything.load_any(codec.dump(value))
            except Exception:
                trail = Trail(show_type(codec.type))
            return anything.load_any(explain_dump(codec, value, trail))

        unstructure.__dynattrs__ = True  # type: ignore[attr-defined]
        return unstructure

    def _structure_factory(self, type_: object) -> Callable[[Any, Any], Any]:
        def structure(value: object, target: object) -> Any:
            codec = self._own_codec(target if type_ is None else type_)
            stored = anything.ANY_CODEC.dump(value)
            try:
                return codec.load(stored)
            except Exception:
                trail = Trail(show_type(codec.type))
            return explain_load(codec, stored, trail)

        structure.__dynattrs__ = True  # type: ignore[attr-defined]
        return structure

    def _forget(self) -> None:
        """Drop the codecs: what they were made of may have changed."""
        with self._lock:
            for each in self._relatives():
                each._codecs = {Any: each._any} if hasattr(each, "_any") else {}
                each._customised = set()
                each._owns = {}
                each._in_json = None
                each._begin_anew()

    def _relatives(self) -> tuple[Codecs, ...]:
        """All that have the same hooks, without what is for JSON."""
        root: Codecs = getattr(self, "_usual", self)
        return (root, *getattr(root, "_formed", {}).values())

    def _meet(self, cls: type[object]) -> None:
        """Let go of what was made for former definitions of a class, the first time it is met."""
        with self._lock:
            stale = self._definitions.meet(cls)
            if stale:
                self._let_go(stale)

    def _let_go(self, stale: set[type[object]]) -> None:
        # A function of its own: see `writing.buffer` on loops and locks.
        for relative in self._relatives():
            for each in (relative, relative._in_json):
                if each is not None:
                    let_go(stale, each._codecs, each._kept())
                    each._customised -= mentioning(each._customised, stale)
        foreign.HOOKS.made(self._clear_found_hooks)

    def _kept(self) -> tuple[dict[Any, Any], ...]:
        return self._codecs, self._owns

    def _clear_found_hooks(self) -> None:
        """Let cattrs forget which hooks it found for which classes."""
        foreign.UNSTRUCTURE_HOOKS.of(self).clear_cache()
        foreign.STRUCTURE_HOOKS.of(self).clear_cache()

    def copy(self, *args: Any, **options: Any) -> Self:
        """Another mapper with the same hooks, as cattrs' `Converter.copy`."""
        other = super().copy(*args, **options)
        for cls in _BY_CLASS:
            if getattr(other.get_unstructure_hook(cls), "__dynattrs__", False):
                cattrs.Converter.register_unstructure_hook(
                    other, cls, other._unstructure_factory(None)
                )
            if getattr(other.get_structure_hook(cls), "__dynattrs__", False):
                cattrs.Converter.register_structure_hook(other, cls, other._structure_factory(None))
        other._forget()
        return other


def _refuse_undecorated(cls: type[object]) -> None:
    """Refuse a subclass of a model that has no fields of its own, whatever it annotates."""
    if any(info_of(base) is not None for base in cls.__mro__[1:]):
        model_info(cls)

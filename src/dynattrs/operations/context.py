"""What all verbs of a session share: names of tables, settings, and how writes are prepared."""

from __future__ import annotations

import copy
import functools
import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar

import attrs

from dynattrs import limits
from dynattrs.errors import ConditionFailed, MappingError, ModelError, OutcomeUnknown
from dynattrs.events import Events, Retry, error_name, tell
from dynattrs.keys.discriminator import subclasses
from dynattrs.mapper.classes import carried_by, carry
from dynattrs.mapper.codec import show
from dynattrs.mapper.size import TooDeep, item_size
from dynattrs.models.hooks import NO_HOOKS, SessionHooks, through
from dynattrs.operations.flows import Environment, Flow, Pause, pause_before
from dynattrs.operations.writing.pace import Pace, Progress
from dynattrs.schema.model_info import ModelInfo, ModelMapper, info_of, model_info
from dynattrs.schema.table import AttributeMap, Table

R = TypeVar("R")

#: A model's mapper, its real table, and the models with unique fields among its items: more of these
#: may be declared later.
Packs: TypeAlias = "tuple[ModelMapper, str, list[ModelInfo]]"

_log = logging.getLogger("dynattrs")


@attrs.define(eq=False, repr=False)
class Core:
    """Settings that the handles of one session share.

    Attributes:
        environment: Clock and randomness.
        deadline: How long to go on without any acknowledgement.
        concurrency: How many batches may be in flight.
        table_prefix: Put before the declared name of every table.
        tables: Names to use in place of declared ones, before any prefix.
        cursor_secret: What cursors are signed with.
        on_progress: Told how far a block or a `save_all` is.
        pace: How many batches may be under way at the moment.
        hooks: What is called with the objects of every model.
        events: Who listens to what happens.
    """

    environment: Environment
    deadline: timedelta
    concurrency: int
    table_prefix: str = ""
    tables: Mapping[str, str] = attrs.field(factory=dict)
    cursor_secret: bytes | None = attrs.field(default=None, repr=False)
    on_progress: Callable[[Progress], object] | None = None
    hooks: SessionHooks = NO_HOOKS
    events: Events = attrs.field(factory=Events)
    pace: Pace = attrs.field(
        init=False, default=attrs.Factory(lambda self: Pace(self.concurrency), takes_self=True)
    )
    #: What is known of each model whose objects become JSON at once.
    packing: dict[type[Any], Packs] = attrs.field(factory=dict, init=False)
    #: How many transactions each caller has open.
    transactions: Counter[Hashable] = attrs.field(factory=Counter)

    def table_name(self, table: Table) -> str:
        """The real name of a declared table. A name in `tables` is taken as it is."""
        renamed = self.tables.get(table.name)
        return renamed if renamed is not None else self.table_prefix + table.name

    def after_load(self, info: ModelInfo) -> Callable[[Any], Any] | None:
        """What every object of a model goes through when it was read; None if nothing."""
        if info.table.discriminator is not None:
            # What was read may be of a subclass.
            return self.after_load_of([info, *subclasses(info)])
        hooks = (*info.after_load, *self.hooks.after_load)
        if not hooks:
            return None
        return lambda obj: through(hooks, "after_load", obj, carries=info.carries)

    def after_load_of(self, infos: Iterable[ModelInfo]) -> Callable[[Any], Any] | None:
        """The same for objects of several models, each through the hooks of its own."""
        by_class = {info.cls: (info, (*info.after_load, *self.hooks.after_load)) for info in infos}
        if not any(hooks for _, hooks in by_class.values()):
            return None

        def finish(obj: Any) -> Any:
            info, hooks = by_class[type(obj)]
            return through(hooks, "after_load", obj, carries=info.carries)

        return finish

    def loaded(self, info: ModelInfo, obj: Any) -> Any:
        """One object that was read, after the hooks."""
        finish = self.after_load(info)
        return obj if finish is None else finish(obj)

    def before_save(self, info: ModelInfo, obj: Any) -> Any:
        """An object that is to be saved, after the hooks; only frozen ones are replaced."""
        if not self.saves_through_hooks(info):
            return obj
        hooks = (*info.before_save, *self.hooks.before_save)
        replaceable = is_frozen(info)
        return through(hooks, "before_save", obj, carries=info.carries, replaceable=replaceable)

    def saves_through_hooks(self, info: ModelInfo) -> bool:
        return bool(info.before_save or self.hooks.before_save)

    def pause_before(
        self,
        attempt: int,
        operation: str,
        tables: Iterable[str],
        count: int,
        error: BaseException | str,
    ) -> Pause:
        """How long to wait before sending again, of which listeners are told."""
        pause = pause_before(attempt, self.environment)
        if self.events.retry:
            name = error if isinstance(error, str) else error_name(error)
            names = tuple(dict.fromkeys(tables))
            event = Retry(None, operation, names, count, attempt, name, pause.seconds, "dynattrs")
            tell(self.events.retry, event)
        return pause

    def packs(self, cls: type[Any]) -> Packs | None:
        """What is to be known of a model whose objects may become JSON at once.

        Not those that a save changes first, and none of which there is something to say.
        """
        info = info_of(cls)
        keeps = info is not None and (info.carries or info.unknown != "keep")
        if info is None or not keeps or info.moves or info.guarding:
            return None
        if self.saves_through_hooks(info):
            return None
        found = info.mapper, self.table_name(info.table), info.guarding
        self.packing[cls] = found
        return found


@attrs.define(eq=False, repr=False)
class Encoded:
    """An object as it is at the moment of a `save`.

    Attributes:
        item: The attribute map to be stored, with the new version and time stamps.
        size: The item's bytes.
        moves: The fields that the save changes, with their new values.
        given: What was given to `save`, where a hook returned *obj* in its place.
    """

    info: ModelInfo
    obj: Any
    item: AttributeMap
    size: int = 0
    moves: dict[str, Any] = attrs.field(factory=dict)
    given: Any = None

    @property
    def source(self) -> Any:
        """The very object that was given to `save`."""
        return self.obj if self.given is None else self.given

    def stored(self) -> Any:
        """The object as it is stored. A frozen one is copied, others are returned as they are:
        they change when the service has said yes (`settle`).
        """
        if self.moves and is_frozen(self.info):
            return _moved(copy.copy(self.obj), self.moves)
        return self.obj

    def settle(self) -> None:
        """The service has said yes: move version and time stamps of a mutable object."""
        _settle(self.info, self.obj, self.moves)

    def settling(self) -> Callable[[], None]:
        """`settle`, for who keeps it and should not keep the item with it."""
        return functools.partial(_settle, self.info, self.obj, self.moves)


def _settle(info: ModelInfo, obj: Any, moves: Mapping[str, Any]) -> None:
    settle_edit(obj)
    if moves and not is_frozen(info):
        _moved(obj, moves)


def _moved(obj: Any, moves: Mapping[str, Any]) -> Any:
    for name, value in moves.items():
        # Neither validators nor hooks: these are the library's fields.
        object.__setattr__(obj, name, value)
    return obj


def settle_edit(obj: Any) -> None:
    """What *obj* holds is stored: edits of it begin at what it is now."""
    carried = carried_by(obj)
    if carried.base is not None:
        carry(obj, attrs.evolve(carried, base=None))


def is_frozen(info: ModelInfo) -> bool:
    parameters = getattr(info.cls, "__dataclass_params__", None)
    if parameters is not None:
        return bool(parameters.frozen)
    # How attrs marks a frozen class, one that inherits it included.
    return getattr(info.cls.__setattr__, "__name__", "") == "_frozen_setattrs"


def encode(core: Core, obj: Any) -> Encoded:
    """An object as the item to store, after the hooks, with what a save changes.

    Raises:
        MappingError: A value has no place in DynamoDB, or the item is over 400 KB.
        ModelError: *obj* is no model.
    """
    info = info_of(type(obj)) or _refuse(obj)
    if not info.carries and info.unknown == "keep":
        raise MappingError(
            info.name,
            "a class that can keep attributes it does not know",
            "a class mapped with map_class, which cannot",
            hint="saving could erase attributes of the stored item; "
            "say unknown='drop' in map_class",
        )
    mapper = info.mapper
    given, obj = obj, core.before_save(info, obj)
    if info.moves:
        encoded = Encoded(info, obj, mapper.dump(obj))
        stamp(core, encoded)
        encoded.size = check_size(info, encoded.item)
    else:
        try:
            item, size = mapper.dump_sized(obj)
        except (TooDeep, UnicodeEncodeError):
            item, size = mapper.dump(obj), limits.ITEM_BYTES + 1
        # It measures once more, to say what is wrong.
        size = size if size <= limits.ITEM_BYTES else check_size(info, item)
        encoded = Encoded(info, obj, item, size)
    if obj is not given:
        encoded.given = given
    return encoded


def _refuse(obj: Any) -> ModelInfo:
    if isinstance(obj, type):
        raise ModelError(
            obj.__name__, f"an object is saved, not its class; write {obj.__name__}(...)"
        )
    if not any(info_of(base) is not None for base in type(obj).__mro__):
        raise ModelError(type(obj).__name__, f"an object of a model is expected, found {show(obj)}")
    return model_info(type(obj))  # which says what is missing


def stamp(core: Core, encoded: Encoded) -> None:
    """Put the next version and the time stamps into the item, and remember them for the object."""
    info, obj = encoded.info, encoded.obj
    now = core.environment.now()
    if info.version is not None:
        encoded.moves[info.version] = (getattr(obj, info.version) or 0) + 1
    if info.created is not None and getattr(obj, info.created) is None:
        encoded.moves[info.created] = now
    if info.updated is not None:
        encoded.moves[info.updated] = now
    codec = info.mapper.codec(info.cls)
    for name, value in encoded.moves.items():
        encoded.item[info.names[name]] = (codec.fields or {})[name].dump(value)
    if info.keys is not None:
        info.keys.refresh(encoded.item, {info.names[name] for name in encoded.moves})


def check_size(info: ModelInfo, item: AttributeMap) -> int:
    """The item's size in bytes.

    Raises:
        MappingError: It is over 400 KB, or nested more than 32 levels deep.
    """
    try:
        size = item_size(item)
    except TooDeep:
        raise MappingError(
            _culprit(info, item, TooDeep),
            f"at most {limits.NESTING_DEPTH} levels of lists and maps",
            "more",
            hint="store the inner part as Annotated[..., Json]",
        ) from None
    except UnicodeEncodeError as error:
        raise MappingError(
            _culprit(info, item, UnicodeEncodeError),
            "text that has a UTF-8 form",
            f"a lone surrogate, {error.object[error.start]!r}",
            hint="it is half of a character: decode the text with errors='replace'",
        ) from None
    if size > limits.ITEM_BYTES:
        raise MappingError(
            info.name,
            f"an item of at most {limits.ITEM_BYTES:,} bytes",
            f"one of {size:,}",
            hint="split it, or store a large field as Annotated[..., Compressed]",
        )
    return size


def _culprit(info: ModelInfo, item: AttributeMap, kind: type[Exception]) -> str:
    """The field whose value cannot be measured."""
    by_attribute = {stored: name for name, stored in info.names.items()}
    for attribute, value in item.items():
        try:
            item_size({attribute: value})
        except kind:
            return f"{info.name}.{by_attribute.get(attribute, attribute)}"
    return info.name


def take_over(info: ModelInfo, source: Any, target: Any) -> None:
    """Give *target* the fields of *source*, and what that carries."""
    for name in info.names:
        # Past validators and hooks: the values come from the class's own constructor.
        object.__setattr__(target, name, getattr(source, name))
    if info.carries:
        carry(target, carried_by(source))


def with_found(core: Core, info: ModelInfo, flow: Flow[R]) -> Flow[R]:
    """A flow whose errors carry the item found, if any, as it is after the hooks.

    A hook that raises then is logged: it must not hide why the write was refused.
    """
    finish = core.after_load(info)
    return flow if finish is None else _with_found(info, finish, flow)


def _with_found(info: ModelInfo, finish: Callable[[Any], Any], flow: Flow[R]) -> Flow[R]:
    try:
        return (yield from flow)
    except (ConditionFailed, OutcomeUnknown) as error:
        if type(error.item) is info.cls:
            error.item = quietly(finish, error.item)
        raise


def quietly(finish: Callable[[Any], Any], obj: Any) -> Any:
    """An object of an error after the hooks, or as it was read where one of them raises."""
    try:
        return finish(obj)
    except Exception:
        _log.exception("an after_load hook failed on the item of an error")
        return obj

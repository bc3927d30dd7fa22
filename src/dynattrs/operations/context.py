"""What all verbs of a session share: names of tables, settings, and how writes are prepared."""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from dynattrs.deferral import deferred
from dynattrs.events import Events, HotPartition, Retry, error_name, tell
from dynattrs.keys.discriminator import subclasses
from dynattrs.late_classes import define, field, frozen
from dynattrs.mapper.defaults import is_frozen as is_frozen_class
from dynattrs.models.hooks import NO_HOOKS, SessionHooks, through
from dynattrs.operations.flows import Environment, Pause, forget_at_fork, pause_before
from dynattrs.operations.item_keys import keeping_key
from dynattrs.schema.declared_models import DeclaredModels
from dynattrs.schema.definitions import KnownByClass
from dynattrs.schema.hot_keys import HotKeys, digest_of
from dynattrs.schema.model_info import Kinds, ModelInfo, ModelMapper
from dynattrs.schema.table import Table

if TYPE_CHECKING:
    from dynattrs.operations.reading.objects import Objects
    from dynattrs.operations.writing import pace as places
    from dynattrs.operations.writing import partitions
    from dynattrs.operations.writing.buffer import Buffer
    from dynattrs.operations.writing.ledger import Progress
    from dynattrs.operations.writing.pace import Pace
    from dynattrs.operations.writing.partitions import HotPartitions, Partition
else:
    # What a program that gathers no writes, and is not throttled, never needs.
    places = deferred("dynattrs.operations.writing.pace")
    partitions = deferred("dynattrs.operations.writing.partitions")

R = TypeVar("R")


@frozen(eq=False, repr=False)
class Packing:
    """What is to be known of a model whose objects may become JSON at once.

    Attributes:
        info, mapper, table: The model, its mapper, its real table.
        guarding: The models with unique fields among its items.
        members, declared: The models of the table, and how many there were. (More of both may be declared
            later.)
        kinds: What tells its keys from others'.
        changes: Whether a save changes its objects.
    """

    info: ModelInfo
    mapper: ModelMapper
    table: str
    guarding: list[ModelInfo]
    members: DeclaredModels
    declared: int
    kinds: Kinds | None
    changes: bool


_log = logging.getLogger("dynattrs")


class TableNames(dict[str, str]):
    """The real names of tables by the declared ones, each made when it is first asked for."""

    def __init__(self, prefix: str, renamed: Mapping[str, str]) -> None:
        super().__init__(renamed)
        self._prefix = prefix

    def __missing__(self, declared: str) -> str:
        return self.setdefault(declared, self._prefix + declared)


@define(eq=False, repr=False, slots=False)
class Core:
    """Settings that the handles of one session share.

    Attributes:
        environment: Clock and randomness.
        deadline: How long to go on without any acknowledgement.
        concurrency: How many batches may be in flight.
        table_prefix: Put before the declared name of every table.
        tables: Names to use instead of declared ones, before any prefix.
        cursor_secret: What cursors are signed with.
        on_progress: Told how far a batch or a `save_all` is.
        hooks: What is called with the objects of every model.
        events: Who listens to what happens.
    """

    environment: Environment
    deadline: timedelta
    concurrency: int
    table_prefix: str = ""
    tables: Mapping[str, str] = field(factory=dict)
    cursor_secret: bytes | None = field(default=None, repr=False)
    on_progress: Callable[[Progress], object] | None = None
    hooks: SessionHooks = NO_HOOKS
    events: Events = field(factory=Events)
    #: The partition keys that were throttled most.
    hot_keys: HotKeys = field(factory=HotKeys, init=False)
    #: What `writing.batch` knows of each model whose objects become JSON at once.
    packing: KnownByClass[Packing] = field(factory=KnownByClass, init=False)
    #: What `reading.query` knows of each model that is queried alone.
    subjects: KnownByClass[Objects[Any]] = field(factory=KnownByClass, init=False)
    #: The real names of tables.
    table_names: TableNames = field(
        init=False,
        default=attrs.Factory(lambda c: TableNames(c.table_prefix, c.tables), takes_self=True),
    )
    #: The open batches' buffers, and who has opened each.
    gathering: dict[Buffer, Hashable] = field(factory=dict, init=False)
    #: The buffers of each `save_all` that is still taking objects, and who has called it.
    taking: dict[Buffer, Hashable] = field(factory=dict, init=False)
    #: By their real names, the tables that were asked for; None where nothing makes them when they are.
    declared: dict[str, Table] | None = field(default=None, init=False)
    #: How many transactions each caller has open.
    transactions: Counter[Hashable] = field(factory=Counter)
    #: What is made when it is first asked for. Copies of the settings share it.
    _made: dict[str, Any] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        forget_at_fork(self.hot_keys)

    # `setdefault` gives two threads the same one.

    @cached_property
    def pace(self) -> Pace:
        """How many batches may be under way at the moment."""
        made: Pace = self._made.setdefault("pace", places.Pace(self.concurrency))
        return made

    @cached_property
    def hot(self) -> HotPartitions:
        """The partitions that have throttled its writes."""
        made: HotPartitions = self._made.setdefault("hot", partitions.HotPartitions(self.hot_keys))
        return made

    @cached_property
    def hot_reads(self) -> HotPartitions:
        """The partitions that have throttled its reads."""
        partitions_of_reads = partitions.HotPartitions(self.hot_keys)
        made: HotPartitions = self._made.setdefault("hot reads", partitions_of_reads)
        return made

    def table_name(self, table: Table) -> str:
        """The real name of a declared table. A name in `tables` is taken as it is."""
        if self.declared is not None:
            self.declared[self.table_names[table.name]] = table
        return self.table_names[table.name]

    def after_load(self, info: ModelInfo) -> Callable[[Any], Any] | None:
        """What every object of a model goes through when it was read; None if nothing."""
        if info.keys is not None:
            # What was read may be of a subclass.
            return self.after_load_of([info, *subclasses(info)])
        hooks = (*info.after_load, *self.hooks.after_load)
        if not hooks:
            return None
        run = functools.partial(through, hooks, "after_load", carries=info.carries)
        return keeping_key(info, run)

    def after_load_of(self, infos: Iterable[ModelInfo]) -> Callable[[Any], Any] | None:
        """The same for objects of several models, each through the hooks of its own."""
        by_class: dict[type[object], Callable[[Any], Any] | None] = {}
        for info in infos:
            hooks = (*info.after_load, *self.hooks.after_load)
            run = functools.partial(through, hooks, "after_load", carries=info.carries)
            by_class[info.cls] = keeping_key(info, run) if hooks else None
        if not any(by_class.values()):
            return None

        def finish(obj: object) -> Any:
            hooked = by_class[type(obj)]
            return obj if hooked is None else hooked(obj)

        return finish

    def loaded(self, info: ModelInfo, obj: R) -> R:
        """One object that was read, after the hooks."""
        finish = self.after_load(info)
        return obj if finish is None else finish(obj)

    def before_save(self, info: ModelInfo, obj: object) -> Any:
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
        until: float,
    ) -> Pause:
        """How long to wait before sending again, at the latest at *until*; listeners are told."""
        pause = pause_before(attempt, self.environment)
        left = max(0.0, until - self.environment.monotonic())
        pause = Pause(min(pause.seconds, left))
        self._tell_retry(attempt, operation, tables, count, error, pause.seconds)
        return pause

    def _tell_retry(
        self,
        attempt: int,
        operation: str,
        tables: Iterable[str],
        count: int,
        error: BaseException | str,
        seconds: float,
    ) -> None:
        if self.events.retry:
            name = error if isinstance(error, str) else error_name(error)
            names = tuple(dict.fromkeys(tables))
            event = Retry(None, operation, names, count, attempt, name, seconds, "dynattrs")
            tell(self.events.retry, event)

    def tell_hot(
        self,
        partition: Partition,
        count: int,
        operation: str,
        error: BaseException,
        attempt: int = 0,
    ) -> None:
        """Tell listeners that so many items wait for their partition alone, after so many attempts of one
        flow that have achieved nothing.
        """
        now = self.environment.monotonic()
        hot = self.hot if operation == "BatchWriteItem" else self.hot_reads
        rate = hot.rate(partition, now)
        seconds = max(0.0, rate.next_at - now)
        self._tell_retry(max(attempt, rate.failed), operation, partition[:1], count, error, seconds)
        if self.events.hot_partition:
            table, attribute, tag, value = partition
            digest = digest_of(tag, value)
            event = HotPartition(operation, table, attribute, digest, count, seconds)
            tell(self.events.hot_partition, event)


def is_frozen(info: ModelInfo) -> bool:
    if info.frozen is None:
        info.frozen = is_frozen_class(info.cls)
    return info.frozen

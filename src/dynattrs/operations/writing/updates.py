"""One UpdateItem: actions, the conditions they run under, and what comes back.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

import attrs

from dynattrs.deferral import deferred
from dynattrs.errors import ConditionError, ConditionFailed, MappingError, NoSuchItem
from dynattrs.expressions.computed import Arithmetic, IfNotExists, operands
from dynattrs.expressions.conditions import Condition, Value
from dynattrs.expressions.paths import Path, data_of, stored_at
from dynattrs.expressions.placeholders import Placeholders
from dynattrs.expressions.updates import Action, Put, check_overlap, one_by_one, render_update
from dynattrs.keys.kinds import check_own_key, is_other, subclass_of
from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.codec import load_value
from dynattrs.mapper.equality import same
from dynattrs.mapper.named import answering, name_object
from dynattrs.operations.conditions import (
    add_condition,
    as_condition,
    attribute_path,
    check_model,
    check_models,
    exists,
    field_path,
    joined,
    no_item,
    of_kind,
    stored_today,
    with_condition,
)
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Decode, Flow
from dynattrs.operations.item_keys import key_in, plain_key
from dynattrs.operations.reading.objects import decoder, made_of
from dynattrs.operations.refusals import (
    FAILURES,
    ConditionFalse,
    check_constant,
    check_current,
    condition_failed,
    disowned,
    found_object,
    item_exists,
    past_conflicts,
)
from dynattrs.operations.writing import outcomes
from dynattrs.operations.writing.as_read import MOST_TRIES, as_stored, dumped
from dynattrs.operations.writing.following_keys import (
    CREATED,
    check_key_untouched,
    following,
    keeps_out,
)
from dynattrs.operations.writing.index_keys import check_whole
from dynattrs.operations.writing.new_items import NewItem
from dynattrs.operations.writing.spellings import as_spelled, located
from dynattrs.operations.writing.stated_values import check_stated, of_object
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.mapper import vector_rules
else:
    vector_rules = deferred("dynattrs.mapper.vector_rules")

R = TypeVar("R")

Returns: TypeAlias = Literal["new", "old", "changed", "changed_old"] | None

#: What the service is asked for; for all others the new item.
_ASKED_FOR: Final = {"old": "ALL_OLD", "changed_old": "ALL_OLD", None: "NONE"}


@attrs.define(eq=False)
class Prepared:
    """An update that is ready to be sent.

    Attributes:
        table: The table's real name.
        info: The model.
        key: The item's primary key.
        stated: The actions as the caller gave them.
        done: All that the update does: these, and what it does for the version and time stamps.
        version: The condition that the stored version is the object's.
        asked: What the caller's condition and the version ask; None if nothing.
        needed: That, and what the library asks besides.
        upsert: Whether it makes an item where there is none.
        new: That item; None where the condition is one that only a stored item can fulfil.
        wanted: The condition under which it is made: the caller's and the version's.
        renews: Whether it brings an item of an older schema up to date.
        tries: How often it was asked in another stored form.
        spelled: The condition that names and members are stored as they are called; None if there
            are none that may be called otherwise.
        sent: What the update does, with these names and members.
    """

    table: str
    info: ModelInfo
    key: AttributeMap
    stated: Sequence[Action]
    done: Sequence[Action]
    version: Condition | None
    asked: Condition | None
    needed: Condition | None
    upsert: bool = False
    new: NewItem | None = None
    wanted: Condition | None = None
    renews: bool = False
    tries: int = 0
    spelled: Condition | None = None
    sent: Sequence[Action] = ()

    @property
    def acts(self) -> Sequence[Action]:
        """All that the update does, by the names that are stored."""
        return encrypting(self.info, self.key, self.sent or self.done)

    def as_stored(self, core: Core, item: AttributeMap | None) -> Prepared | None:
        """The same, whose conditions and actions speak of what was read in the form that *item* has it in,
        for which they were false; None where that is no reason for it.

        Raises:
            ConditionError: What is stored goes with no such action.
        """
        if self.tries == MOST_TRIES or not item:
            return None
        found = as_stored(core, self.info, item, self.asked, self.needed)
        if found is None and self.spelled is None:
            return None
        asked, needed = found or (self.asked, self.needed)
        again = attrs.evolve(self, asked=asked, needed=needed, tries=self.tries + 1)
        if self.spelled is not None:
            sent, spelled = as_spelled(self.info, self.done, item)
            again = attrs.evolve(again, sent=sent, spelled=spelled)
        return again if found is not None or again.under() != self.under() else None

    def under(self, further: Condition | None = None) -> dict[str, Any]:
        """The parameters of UpdateItem, under a further condition."""
        placeholders = Placeholders()
        parameters: dict[str, Any] = {
            "TableName": self.table,
            "Key": self.key,
            "UpdateExpression": render_update(self.acts, placeholders),
        }
        add_condition(parameters, joined(self.needed, self.spelled, further), placeholders)
        placeholders.into(parameters)
        return parameters

    def making(self, further: Condition | None = None) -> dict[str, Any]:
        """The parameters of PutItem that make the item where there is none.

        Args:
            further: What says that there is none; None for what usually does.
        """
        assert self.new is not None
        parameters = {"TableName": self.table, "Item": self.new.encoded.item}
        none = no_item(self.info) if further is None else further
        return with_condition(parameters, joined(none, self.wanted))


@attrs.define(eq=False)
class InTransaction:
    """An update as an action of a transaction.

    One request cannot try both: that an item is there, which is updated, and that there is none. It begins
    with the one, and says in which form to send the transaction again where that was wrong.

    Attributes:
        core: Settings.
        prepared: The update.
        turns: Whether it says so; otherwise who sends it knows which of both it is.
        of_subclass: The update of an item of a subclass that is written otherwise; None where its class
            is known.
    """

    core: Core
    prepared: Prepared
    turns: bool = True
    of_subclass: Callable[[ModelInfo], Prepared] | None = None
    _further: Condition | None = None
    _making: bool = False

    def under(self, further: Condition | None) -> dict[str, Any]:
        """The action on an item that is there, under a further condition."""
        self._further, self._making = further, False
        return self._request()

    def making(self, further: Condition | None) -> dict[str, Any]:
        """The action where there is no item."""
        self._further, self._making = further, True
        return self._request()

    def _request(self) -> dict[str, Any]:
        if self._making:
            return {"Put": self.prepared.making(self._further)}
        return {"Update": self.prepared.under(self._further)}

    def again(self, item: AttributeMap | None) -> dict[str, Any] | None:
        """The action in the form that is right for what is stored, where its condition was false of that;
        None where no other form is.
        """
        if item and self.of_subclass is not None:
            own = subclass_of(self.prepared.info, item)
            if own is not None:
                self.prepared, self._making = self.of_subclass(own), False
                return self._request()
        if item and not self._making:
            return self._as_stored(item)
        if not self.turns or bool(item) is not self._making or self.prepared.new is None:
            return None
        self._making = not self._making
        return self._request()

    def _as_stored(self, item: AttributeMap) -> dict[str, Any] | None:
        """The action in the form that *item* has what was read in; None where it has another value."""
        again = self.prepared.as_stored(self.core, item)
        if again is None:
            return None
        self.prepared = again
        return self.under(self._further)


def prepare(
    core: Core,
    info: ModelInfo,
    key: AttributeMap,
    actions: Sequence[object],
    *,
    version: Condition | None,
    when: object,
    upsert: bool,
    seen: bool = False,
    obj: object = None,
) -> Prepared:
    """The request of an update. An item that was *seen* is not made, also with *upsert*.

    Raises:
        MappingError: A value has no place in DynamoDB, or a validator refuses it. It names the item.
        StaleKey: A key of an index would no longer be that of its item.
        ConditionError: Actions that DynamoDB would refuse.
        ConditionFailed: The condition is false without asking.
        ImpossibleKey: An item would be made whose key is another model's.
    """
    try:
        stated, on_new = checked(info, actions, obj, upsert=upsert)
        upsert = upsert and not seen
        if upsert:
            check_own_key(info, key)
    except MappingError as error:
        name_object(error, info, obj, key)
        raise
    asked = joined(as_condition(when, info, alone=False), version)
    check_constant("UpdateItem", info, key, asked)
    done = [*stated, *(each for each in stamps(core, info) if not keeps_out(info, each))]
    follows = following(info, key, obj, done)
    done += follows.actions
    wanted, asked = asked, joined(asked, follows.still)
    needed = joined(exists(info), of_kind(info, key=key), stored_today(info), asked)
    table = core.table_name(info.table)
    # An object that has a version was stored, and what it says is asked of the stored one.
    makes = upsert and not (obj is not None and info.version and getattr(obj, info.version))
    new = NewItem(core, info, key, [*stated, *on_new], obj) if makes else None
    sent, spelled = as_spelled(info, done, None)
    if spelled is not None and obj is not None:
        sent, spelled = as_spelled(info, done, dumped(info, obj), sure=False)
    return Prepared(
        table, info, key, stated, done, version, asked, needed, upsert, new, wanted,
        spelled=spelled, sent=sent,
    )  # fmt: skip


def or_new(
    core: Core,
    prepared: Prepared,
    change: Callable[[], Flow[R]],
    make: Callable[[], Flow[R | None]],
) -> Flow[R]:
    """Change an item where there is one, or make it: in turns, while others delete it or make it first.

    Args:
        core: Settings.
        prepared: The update.
        change: Changes it; NoSuchItem where there is none.
        make: Makes it; None where there is one.

    Raises:
        NoSuchItem: There is none, and what is asked is not true of that.
        ConditionFailed: Others made and deleted it all the time until the session's deadline.
    """
    environment = core.environment
    until = environment.monotonic() + core.deadline.total_seconds()
    attempt = 0
    while True:
        try:
            return (yield from change())
        except NoSuchItem:
            if prepared.new is None:
                raise
        made = yield from make()
        if made is not None:
            return made
        attempt += 1
        if environment.monotonic() >= until:
            raise (yield from _race_lost(core, prepared, attempt))
        why = "ConditionalCheckFailed"
        yield core.pause_before(attempt, "PutItem", (prepared.table,), 1, why, until)


def _race_lost(core: Core, prepared: Prepared, tries: int) -> Flow[ConditionFailed]:
    """The error where others came first each time, with the item that is there in the end."""
    info, key = prepared.info, prepared.key
    reading = {"TableName": prepared.table, "Key": key, "ConsistentRead": True}
    found = (yield Call("get_item", reading)).get("Item")
    asked = f"that others do not make and delete the item meanwhile, as in {tries} tries,"
    item = None if found is None else found_object(info, found)
    return ConditionFailed("PutItem", info.name, plain_key(info, key), asked, item)


def make_new(core: Core, prepared: Prepared) -> Flow[AttributeMap | None]:
    """Make the item of an upsert; None where there is one.

    Raises:
        NoSuchItem: What is asked is not true where there is none.
        OutcomeUnknown: A reply was lost, and nothing tells whether the item was made.
    """
    info, key = prepared.info, prepared.key
    assert prepared.new is not None
    item = prepared.new.encoded.item
    try:
        yield from past_conflicts(core, Call("put_item", prepared.making()))
    except ConditionFalse as error:
        if not error.item:
            raise NoSuchItem(info.name, plain_key(info, key)) from error
        if not error.uncertain or is_other(info, error.item):
            return None
        if same(error.item, item):
            return item
        if not outcomes.repeatable(prepared.stated):
            raise outcomes.unknown(error, info, key, error.item) from error
        return None
    except FAILURES as error:
        if not error.uncertain:
            raise
        raise outcomes.unknown(error, info, key) from error
    return item


def send(
    core: Core, prepared: Prepared, *, returns: str | None = None, decode: Decode | None = None
) -> Flow[dict[str, Any]]:
    """Send an update; the response, with the item that is stored where an earlier attempt did it.

    Raises:
        NoSuchItem: There is none.
        ConditionFailed: What is asked is not so.
        OutcomeUnknown: A reply was lost, and nothing tells whether it was done.
    """
    info, key, asked = prepared.info, prepared.key, prepared.asked
    parameters = prepared.under()
    if returns is not None:
        parameters["ReturnValues"] = returns
    # A second time the old item would be the new one.
    once = returns == "ALL_OLD" or not outcomes.repeatable(prepared.stated)
    repeat = prepared.version is not None or not once
    call = Call("update_item", parameters, repeat=repeat, decode=decode)
    try:
        return (yield from past_conflicts(core, call))
    except ConditionFalse as error:
        # The service returns the item that was found: that tells "no such item" from "not so".
        if prepared.upsert and (taken := taken_by_another(prepared, error)) is not None:
            raise taken from error
        disowned(info, error)
        if not prepared.renews:
            check_current(info, key, error, stored=False)
            check_whole(info, prepared.asked, error)
        again = prepared.as_stored(core, error.item)
        if again is not None:
            return (yield from send(core, again, returns=returns, decode=decode))
        false = prepared.spelled if asked is None else asked
        if false is None or not error.item:
            raise NoSuchItem(info.name, plain_key(info, key)) from error
        if not outcomes.update_was_applied(info, key, prepared.version, prepared.acts, error):
            raise condition_failed(error, info, key, false) from error
        if returns == "ALL_OLD":
            raise outcomes.unknown(error, info, key, error.item) from error
        return {"Attributes": error.item}
    except FAILURES as error:
        if not error.uncertain or (asked is None and not once):
            raise
        raise outcomes.unknown(error, info, key) from error


def taken_by_another(prepared: Prepared, error: ConditionFalse) -> ConditionFailed | None:
    """The error for an item of another model where an update was to make one; None where there is none."""
    info = prepared.info
    if not error.item or not is_other(info, error.item):
        return None
    return item_exists(error, info, prepared.key, no_item(info))


def update(
    core: Core,
    prepared: Prepared,
    returns: Returns,
    make: Callable[[Core, Prepared], Flow[AttributeMap | None]] = make_new,
) -> Flow[Any]:
    """Send an update; the result is what *returns* asks for. *make* makes the item of an upsert."""
    check_returns(returns)
    info = prepared.info
    values = _ASKED_FOR.get(returns, "ALL_NEW")
    decode = decoder(info, info.cls, "Attributes") if returns in ("new", "old") else None

    def change() -> Flow[Any]:
        return (yield from send(core, prepared, returns=values, decode=decode)).get("Attributes")

    def new() -> Flow[Any]:
        made = yield from make(core, prepared)
        return made if made is None or values != "ALL_OLD" else {}

    item: Any = yield from or_new(core, prepared, change, new)
    return returned(core, prepared, returns, item)


def check_returns(returns: object) -> None:
    if returns not in ("new", "old", "changed", "changed_old", None):
        raise ConditionError(
            f"returns={returns!r}: write 'new', 'old', 'changed', 'changed_old' or None"
        )


def returned(core: Core, prepared: Prepared, returns: Returns, item: AttributeMap | None) -> Any:
    """What an update gives, of the item that it returns: an object, or the values at the places that
    its actions changed, by what the places are called. Before there was an item these were None.

    Raises:
        MappingError: They cannot be read.
    """
    info = prepared.info
    if returns is None or (not item and returns != "changed_old"):
        return None
    item = item or {}
    with answering():
        if returns in ("changed", "changed_old"):
            return {
                data_of(each.path).label: _changed(info, each.path, item)
                for each in prepared.stated
            }
        return core.loaded(info, made_of(info, info.cls, item))


def _changed(info: ModelInfo, path: Path, item: AttributeMap) -> Any:
    """The value of an item at the place that an action changed; None where there is nothing."""
    data = data_of(path)
    value = stored_at(item, located(info, item, data.steps))
    if value is not None:
        return load_value(data.label, data.form, value, key_in(info, item), item)
    # A set that has lost its last member is absent, and reads as empty.
    always_set = data.is_field and data.form.is_set and not data.form.optional
    return data.form.load({"L": []}) if always_set else None


def checked(
    info: ModelInfo, actions: Sequence[object], obj: object, *, upsert: bool
) -> tuple[list[Action], list[Action]]:
    """The actions, refused where the service would refuse them: those on an item that is there, and those
    on a new one only.

    Raises:
        ConditionError: There is none; one is no action, of another model, changes a key attribute,
            or two change the same place; one is for new items, and none is made.
        MappingError: The validator of a field refuses what would be stored there.
    """
    if not actions:
        raise ConditionError(
            f"update of {info.name}: no action is given; write set_(...), remove(...), add(...) or "
            f"delete(...)"
        )
    stated: list[Action] = []
    for each in one_by_one(actions):
        if not isinstance(each, Action):
            instead = (
                f"{each}.to(value)" if isinstance(each, Put) else f"set_({info.name}.…, value)"
            )
            raise ConditionError(f"update of {info.name}: {each!r} is no action; write {instead}")
        if each.value is None or type(each.value) is Value:
            check_model(each.path, info, each)
        else:
            check_models((each.path, *operands(each.value)), info, each)
        each = of_object(info, each, obj)  # noqa: PLW2901
        data = data_of(each.path)
        attribute = data.steps[0]
        if attribute in info.table.key:
            raise ConditionError(
                f"{each}: {data.label} is part of the key, which never changes; save the object "
                f"under its new key and delete the old one"
            )
        check_key_untouched(info, each)
        if info.version is not None and attribute == info.names[info.version]:
            raise ConditionError(f"{each}: {data.label} is the version; every update raises it")
        if attribute in (info.names.get(info.created or ""), info.names.get(info.updated or "")):
            raise ConditionError(f"{each}: {data.label} is a time stamp; every update sees to it")
        _check_index_key(info, each)
        if each.clause == "REMOVE" and data.required:
            none = f"set_({data.label}, None) stores None" if data.form.optional else "set_ it"
            raise ConditionError(
                f"{each}: {data.label} has no default, so the item could not be read without it; "
                f"{none}, or give the field a default"
            )
        if each.on_insert and not upsert:
            raise ConditionError(f"{each} is for the item that an upsert makes; write upsert=True")
        stated.append(each)
    check_overlap(stated)
    on_new = [each for each in stated if each.on_insert]
    stated = [each for each in stated if not each.on_insert]
    if not stated:
        raise ConditionError(
            f"update of {info.name}: {on_new[0]} alone does nothing to an item that is there; add an "
            f"action for that, or use insert(...), which raises ItemExists then"
        )
    check_stated(info, stated, obj)
    return stated, on_new


def _check_index_key(info: ModelInfo, action: Action) -> None:
    """An index key that is empty is refused by the service, with a message that names no field."""
    data = data_of(action.path)
    attribute = str(data.steps[0])
    if info.table.vector_indexes and (problem := vector_rules.refused(info, action)) is not None:
        raise ConditionError(f"{action}: {data.label} {problem}")
    if len(data.steps) != 1 or attribute not in info.table.key_attributes:
        return
    value = action.value
    if isinstance(value, Value):
        kind = info.table.type_of(attribute)
        if kind not in value.stored or value.stored[kind] in ("", b""):
            raise ConditionError(
                f"{action}: {data.label} is the key of an index and goes with a {kind} that is not "
                f"empty; remove(...) leaves the item out of the index"
            )


def stamps(core: Core, info: ModelInfo) -> list[Action]:
    """What every update changes: the version goes up, time stamps and the schema version are set."""
    actions = []
    codec = info.mapper.model_codec(info.cls)
    fields = codec.fields or {}
    if info.upgrades:
        path = attribute_path(info, (info.schema_attribute,), info.schema_attribute).path
        schema = Value({"N": str(info.schema_version)}, info.schema_version)
        actions.append(Action("SET", path, schema, "the schema version"))
    if info.version is not None:
        path = field_path(info, info.version).path
        zero, one = (Value(fields[info.version].dump(number), number) for number in (0, 1))
        raised = Arithmetic("+", IfNotExists(path, zero), one)
        actions.append(Action("SET", path, raised, "the version goes up"))
    stamped = info.updated is not None or info.created is not None
    now = core.environment.now() if stamped else None
    for name, keep in ((info.updated, False), (info.created, True)):
        if name is not None:
            path = field_path(info, name).path
            value = Value(fields[name].dump(now), now)
            operand = IfNotExists(path, value) if keep else value
            written = CREATED if keep else f"the time stamp {name}"
            actions.append(Action("SET", path, operand, written))
    return actions


def encrypting(info: ModelInfo, key: AttributeMap, acts: Sequence[Action]) -> Sequence[Action]:
    """The actions with the values of encrypted fields as they are stored in the item with a key."""
    codec = info.mapper.model_codec(info.cls)
    if not isinstance(codec, ClassCodec) or not codec.sealed:
        return acts
    from dynattrs.mapper.encrypted import sealed_value

    def encrypted(act: Action) -> Action:
        value = act.value
        if not isinstance(value, Value):
            return act
        stored = sealed_value(info, key, str(act.steps[0]), value.stored)
        return attrs.evolve(act, value=Value(stored, value.written))

    return [encrypted(act) for act in acts]

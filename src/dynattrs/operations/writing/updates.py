"""One UpdateItem: actions, the conditions they run under, and what comes back.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from dynattrs.deferral import deferred
from dynattrs.errors import (
    ConditionError,
    ConditionFailed,
    InvalidRequest,
    MappingError,
    NoSuchItem,
)
from dynattrs.expressions.computed import Arithmetic, IfNotExists, operands
from dynattrs.expressions.conditions import Condition, Value
from dynattrs.expressions.paths import Path, data_of, stored_at
from dynattrs.expressions.updates import Action, Put, check_overlap, one_by_one
from dynattrs.keys.kinds import check_own_key, is_other
from dynattrs.mapper.codec import load_value
from dynattrs.mapper.equality import same
from dynattrs.mapper.named import answering, name_object
from dynattrs.operations.conditions import (
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
from dynattrs.operations.writing import outcomes, parents
from dynattrs.operations.writing.as_read import MOST_TRIES, dumped
from dynattrs.operations.writing.following_keys import (
    CREATED,
    check_key_untouched,
    following,
    keeps_out,
)
from dynattrs.operations.writing.index_keys import check_whole
from dynattrs.operations.writing.new_items import NewItem
from dynattrs.operations.writing.prepared import Prepared, decrypted
from dynattrs.operations.writing.spellings import as_spelled, located
from dynattrs.operations.writing.stated_values import check_stated, of_object
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap

if TYPE_CHECKING:
    from dynattrs.mapper import vector_rules
    from dynattrs.models import partial
else:
    vector_rules = deferred("dynattrs.mapper.vector_rules")
    partial = deferred("dynattrs.models.partial")

R = TypeVar("R")

Returns: TypeAlias = Literal["new", "old", "changed", "changed_old"] | None

#: What the service is asked for; for all others the new item.
_ASKED_FOR: Final = {"old": "ALL_OLD", "changed_old": "ALL_OLD", None: "NONE"}


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
    model: Any = None,
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
    try:
        new = NewItem(core, info, key, [*stated, *on_new], obj) if makes else None
    except MappingError as error:
        name_object(error, info, obj, key)
        raise
    sent, spelled = as_spelled(info, done, None)
    if spelled is not None and obj is not None:
        sent, spelled = as_spelled(info, done, dumped(info, obj), sure=False)
    return Prepared(
        table, info, key, stated, done, version, asked, needed, upsert, new, wanted,
        spelled=spelled, sent=sent, model=model,
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
        if not outcomes.repeatable(prepared.stated, prepared.done):
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
    once = returns == "ALL_OLD" or not outcomes.repeatable(prepared.stated, prepared.done)
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
        # After a lost reply what was asked may be false because it was done.
        in_doubt = error.uncertain and asked is not None
        try:
            again = prepared.as_stored(core, error.item)
        except ConditionError:
            done = in_doubt and outcomes.update_was_applied(
                info, key, prepared.version, prepared.acts, error
            )
            if not done:
                yield from check_asked(core, prepared, error.item)
                raise
            again = None
        if again is not None and not in_doubt:
            return (yield from send(core, again, returns=returns, decode=decode))
        false: Condition | str | None = prepared.false
        if false is None or not error.item:
            raise NoSuchItem(info.name, plain_key(info, key)) from error
        false = prepared.overtaken(core, error.item) or false
        if not outcomes.update_was_applied(info, key, prepared.version, prepared.acts, error):
            if again is not None:
                return (yield from send(core, again, returns=returns, decode=decode))
            raise condition_failed(error, info, key, false, model=prepared.model) from error
        if returns == "ALL_OLD":
            raise outcomes.unknown(error, info, key, error.item) from error
        return {"Attributes": error.item}
    except MappingError:  # it was not sent, as it has no JSON
        prepared.check_values()
        raise
    except FAILURES as error:
        if error.uncertain and (asked is not None or once):
            raise outcomes.unknown(error, info, key) from error
        if isinstance(error, InvalidRequest):
            prepared.check_values()
        tried = prepared.rounds == parents.MOST_ROUNDS or prepared.tries == MOST_TRIES
        if tried or not parents.may_be_unfit(error, prepared.acts):
            raise
        reading = {"TableName": prepared.table, "Key": key, "ConsistentRead": True}
        item = (yield Call("get_item", reading)).get("Item")
        if not item:
            raise NoSuchItem(info.name, plain_key(info, key)) from error
        again = prepared.made_for(core, item)
        if again.is_like(prepared):
            prepared.check_computed(item, error)
            raise
        return (yield from send(core, again, returns=returns, decode=decode))


def check_asked(core: Core, prepared: Prepared, item: AttributeMap | None) -> Flow[None]:
    """Ask only the caller's condition, after an update whose actions do not go with the *item* that is
    stored: a false condition is told first.

    Raises:
        ConditionFailed: It is false.
    """
    if prepared.asked is not None and item:
        yield from send(core, prepared.asking_only(core, item))


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
    model = info.cls if prepared.model is None else prepared.model
    decode = decoder(info, model, "Attributes") if returns in ("new", "old") else None

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
            item = decrypted(info, prepared.key, item)
            return {
                data_of(each.path).label: _changed(info, each.path, item)
                for each in prepared.stated
            }
        model = info.cls if prepared.model is None else prepared.model
        return core.loaded(info, made_of(info, model, item))


def _changed(info: ModelInfo, path: Path, item: AttributeMap) -> Any:
    """The value of an item at the place that an action changed; None where there is nothing."""
    data = data_of(path)
    value = stored_at(item, located(info, item, data.steps))
    if value is not None:
        return load_value(data.label, data.form, value, key_in(info, item), item)
    # A set that has lost its last member is absent, and reads as empty.
    always_set = data.is_field and data.form.is_set and not data.form.optional
    return data.form.load({"L": []}) if always_set else None


def _action_for(given: object, info: ModelInfo) -> str:
    """What to write for something that is not an action."""
    if isinstance(given, Put):
        return f"{given}.to(value)"
    if isinstance(given, partial.Partial):
        return "*changes.actions() for a Partial `changes`"
    if isinstance(given, list | tuple) and all(isinstance(each, Action) for each in given):
        return "each action as an argument, *actions for a list"
    if isinstance(given, Mapping) and given and all(name in info.names for name in given):
        return ", ".join(f"set_({info.name}.{name}, value)" for name in given)
    return f"set_({info.name}.…, value)"


def checked(
    info: ModelInfo, actions: Sequence[object], obj: object, *, upsert: bool
) -> tuple[list[Action], list[Action]]:
    """The actions, refused where the service would refuse them: those on an item that is there, and those
    on a new one only.

    Raises:
        ConditionError: There is none; one is not an action, of another model, changes a key attribute,
            or two change the same place; one is for new items, and none is made.
        MappingError: The validator of a field refuses what would be stored there.
    """
    if not actions:
        raise ConditionError(
            f"update of {info.name}: no action is given; pass set_(...), remove(...), add(...) or "
            f"delete(...); to write fields that you assigned, enter session.edit(obj) before you assign "
            f"them, or call session.save(obj)"
        )
    stated: list[Action] = []
    moved = (info.names.get(info.created or ""), info.names.get(info.updated or ""))
    for each in one_by_one(actions):
        if not isinstance(each, Action):
            raise ConditionError(
                f"update of {info.name}: {each!r} is not an action; write {_action_for(each, info)}"
            )
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
            raise ConditionError(
                f"{each}: {data.label} is the version, which every update raises by "
                f"itself; leave the action out"
            )
        if attribute in moved:
            raise ConditionError(
                f"{each}: {data.label} is a timestamp, which every update sets by itself; "
                f"leave the action out"
            )
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
            f"update of {info.name}: {on_new[0]} alone changes nothing if the item exists; add an action "
            f"for that case, or use insert(...), which then raises ItemExists"
        )
    check_stated(info, stated, obj)
    return stated, on_new


def _check_index_key(info: ModelInfo, action: Action) -> None:
    """An index key that is empty is refused by the service, with a message that names no field."""
    if not (info.table.vector_indexes or info.table.indexes):
        return
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
    if not (info.upgrades or info.version or info.created or info.updated):
        return []
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

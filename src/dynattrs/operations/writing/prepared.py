"""An update that is ready to be sent, alone or in a transaction, and what it becomes of a known item.

It is made of what the caller has stated, and says in which form that is right for what is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from dynattrs.errors import ConditionError, MappingError
from dynattrs.expressions.conditions import Condition, Value
from dynattrs.expressions.placeholders import Placeholders
from dynattrs.expressions.updates import Action, render_update
from dynattrs.keys.kinds import is_other, subclass_of
from dynattrs.mapper.classes import ClassCodec
from dynattrs.operations.conditions import (
    add_condition,
    joined,
    no_item,
    with_condition,
)
from dynattrs.operations.context import Core
from dynattrs.operations.flows import Call, Flow
from dynattrs.operations.writing import parents, stated_values
from dynattrs.operations.writing.as_read import MOST_TRIES, as_stored
from dynattrs.operations.writing.new_items import NewItem
from dynattrs.operations.writing.spellings import as_spelled, is_plain
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap


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
        parents: The condition that what the actions are in is stored as they need it; None where that
            is not asked.
        rounds: How often they were written for what was stored.
        sent: What the update does, with these names and members; None for *done*.
        model: The class that its results become, with its arguments; None for the model's own.
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
    parents: Condition | None = None
    rounds: int = 0
    sent: Sequence[Action] | None = None
    model: Any = None

    @property
    def acts(self) -> Sequence[Action]:
        """All that the update does, by the names that are stored."""
        return encrypting(self.info, self.key, self._written)

    @property
    def _written(self) -> Sequence[Action]:
        return self.done if self.sent is None else self.sent

    def asking_parents(self) -> Prepared:
        """The same, which asks that there is what its actions are in: for who is told no more of an update
        that is in nothing than that it failed.
        """
        if not parents.are_inside(self._written):
            return self
        asking = attrs.evolve(self, parents=parents.asked_of(self.info, self._written))
        return asking if asking.has_room() else self

    def has_room(self) -> bool:
        """Whether all that is asked has room in an expression."""
        try:
            self._under(self._written)
        except ConditionError:
            return False
        return True

    def made_for(self, core: Core, item: AttributeMap) -> Prepared:
        """The same, with the names that *item* has, and with what its actions are in where it lacks that.

        Raises:
            ConditionError: What is stored goes with no such action.
        """
        info, rounds = self.info, self.rounds
        sent, spelled = as_spelled(info, self.done, item)
        if is_other(info, item):
            return attrs.evolve(self, sent=sent, spelled=spelled)
        for only_missing in (False, True):
            done, asked = parents.with_parents(core, info, sent, item, only_missing=only_missing)
            made = attrs.evolve(self, sent=done, spelled=spelled, parents=asked, rounds=rounds + 1)
            if made.has_room():
                break
        return made

    def check_values(self) -> None:
        """Say which action was refused for a value that no item can hold.

        Raises:
            MappingError: It names the place.
        """
        stated_values.check_values(self.info, self.key, self._written)

    def check_computed(self, item: AttributeMap, error: Exception) -> None:
        """Say which action the service has refused for what is stored.

        Raises:
            ConditionError: One cannot be computed of that.
        """
        parents.check_computed(self.info, self._written, item, error)

    def overtaken(self, core: Core, item: AttributeMap) -> str | None:
        """What to say where others have changed what the actions are in, in every round."""
        if self.rounds < parents.MOST_ROUNDS:
            return None
        if self.made_for(core, item).is_like(self):
            return None
        return (
            f"that others do not make or remove what {listed(self.stated)} is in meanwhile, as in "
            f"{self.rounds} tries,"
        )

    def as_stored(self, core: Core, item: AttributeMap | None) -> Prepared | None:
        """The same, whose conditions and actions speak of what was read in the form that *item* has it in,
        for which they were false; None where that is no reason for it.

        Raises:
            ConditionError: What is stored goes with no such action.
        """
        if self.tries == MOST_TRIES or not item:
            return None
        found = as_stored(core, self.info, item, self.asked, self.needed)
        varies = self.spelled is not None or self.parents is not None
        if found is None and not varies:
            return None
        asked, needed = found or (self.asked, self.needed)
        again = attrs.evolve(self, asked=asked, needed=needed, tries=self.tries + 1)
        if varies:
            if self.rounds == parents.MOST_ROUNDS:
                return None
            again = again.made_for(core, item)
        return again if found is not None or not again.is_like(self) else None

    def asking_only(self, core: Core, item: AttributeMap) -> Prepared:
        """The same without its actions: it changes nothing, and fails where what the caller asks is false."""
        asked, needed = as_stored(core, self.info, item, self.asked, self.needed) or (
            self.asked,
            self.needed,
        )
        return attrs.evolve(
            self,
            asked=asked,
            needed=needed,
            stated=(),
            done=(),
            sent=(),
            spelled=None,
            parents=None,
        )

    @property
    def false(self) -> Condition | None:
        """What may be false of an item that is there; None for nothing."""
        return next((x for x in (self.asked, self.spelled, self.parents) if x is not None), None)

    def under(self, further: Condition | None = None) -> dict[str, Any]:
        """The parameters of UpdateItem, under a further condition."""
        return self._under(self.acts, further)

    def is_like(self, other: Prepared) -> bool:
        """Whether both ask and do the same. (What is encrypted is never the same twice.)"""
        return self._under(self._written) == other._under(other._written)

    def _under(self, acts: Sequence[Action], further: Condition | None = None) -> dict[str, Any]:
        placeholders = Placeholders()
        parameters: dict[str, Any] = {
            "TableName": self.table,
            "Key": self.key,
        }
        expression = render_update(acts, placeholders)
        if expression:  # removals from what is not there leave nothing to do
            parameters["UpdateExpression"] = expression
        asked = joined(self.needed, self.spelled, self.parents, further)
        add_condition(parameters, asked, placeholders)
        placeholders.into(parameters)
        return parameters

    def action(self, further: Condition | None = None) -> dict[str, Any]:
        """The same as an action of a transaction, which takes no update that does nothing."""
        parameters = self.under(further)
        return {"Update" if "UpdateExpression" in parameters else "ConditionCheck": parameters}

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
        """The action where the item is missing."""
        self._further, self._making = further, True
        return self._request()

    def unfit(self, error: Exception) -> Flow[None]:
        """Say where the action was refused for what it gives, or for what is stored.

        Raises:
            MappingError: It gives a value that no item can hold.
            ConditionError: It cannot be computed of what is stored.
        """
        prepared = self.prepared
        prepared.check_values()
        if isinstance(error, MappingError) or self._making or all(map(is_plain, prepared.done)):
            return
        reading = {"TableName": prepared.table, "Key": prepared.key, "ConsistentRead": True}
        item = (yield Call("get_item", reading)).get("Item")
        if item:
            prepared.check_computed(item, error)

    def _request(self) -> dict[str, Any]:
        if self._making:
            return {"Put": self.prepared.making(self._further)}
        return self.prepared.action(self._further)

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
        try:
            again = self.prepared.as_stored(self.core, item)
        except ConditionError as error:
            raise Unfit(error, self.prepared, item) from None
        if again is None:
            return None
        self.prepared = again
        return self.under(self._further)


class Unfit(Exception):
    """What is stored goes with no such action: the *error* is raised where what the caller asks is true.

    Attributes:
        error: Says so.
        prepared: The update.
        item: What is stored.
    """

    def __init__(
        self, error: ConditionError, prepared: Prepared, item: AttributeMap | None
    ) -> None:
        super().__init__()
        self.error = error
        self.prepared = prepared
        self.item = item


def listed(actions: Sequence[object]) -> str:
    return ", ".join(map(str, actions))


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


def decrypted(info: ModelInfo, key: AttributeMap, part: AttributeMap) -> AttributeMap:
    """A part of the item with a key, whose encrypted attributes can be read.

    Raises:
        MappingError: One was not encrypted for this item.
    """
    codec = info.mapper.model_codec(info.cls)
    if not isinstance(codec, ClassCodec) or not codec.sealed:
        return part
    from dynattrs.mapper.encrypted import unsealed

    found = unsealed(info, {**part, **key}, codec.sealed)
    return {name: value for name, value in found.items() if name in part}

"""The item that an upsert makes where there is none: whole, as a save of its object would store it.

It begins with what the key says and what the fields have by default, or with the object that was given.
The actions are done to that, and an object of the class is made of the result, so that converters,
validators, `__attrs_post_init__` and hooks have their say. What cannot become an item is refused before
anything is sent, whether or not there is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs

from dynattrs.errors import ConditionError, MappingError
from dynattrs.expressions.computed import operands
from dynattrs.expressions.conditions import PathOperand
from dynattrs.expressions.paths import Path, data_of
from dynattrs.expressions.updates import Action
from dynattrs.mapper.class_kinds import MISSING, NO_VALUE, record_of
from dynattrs.mapper.classes import ClassCodec, FieldCodec
from dynattrs.mapper.codec import Trail, explain_dump
from dynattrs.mapper.key_rules import check_keys
from dynattrs.operations.context import Core
from dynattrs.operations.item_keys import stored_parts
from dynattrs.operations.writing.applied import NotComputed, applied
from dynattrs.operations.writing.as_read import dumped
from dynattrs.operations.writing.encoding import Encoded, check_size, stamp
from dynattrs.operations.writing.parents import with_parents
from dynattrs.schema.field_rules import ReadsObject
from dynattrs.schema.model_info import ModelInfo
from dynattrs.schema.table import AttributeMap, AttributeValue

# `attrs.Factory` is a class that its stubs declare as a function.
_FACTORY: Final[Any] = attrs.Factory


class NewItem:
    """What an upsert stores where there is no item.

    Args:
        core: Settings.
        info: The model.
        key: The item's primary key.
        actions: What the caller asked for.
        obj: The object that was given; None where only its key was.

    Attributes:
        size: The item's bytes, before the hooks.

    Raises:
        ConditionError: A field without a default has no value, or an action cannot be done.
        MappingError: The class refuses a value, or it has no place in DynamoDB.
    """

    def __init__(
        self,
        core: Core,
        info: ModelInfo,
        key: AttributeMap,
        actions: Sequence[Action],
        obj: object,
    ) -> None:
        self._core = core
        self._info = info
        self._encoded: Encoded | None = None
        self._changed = {str(each.steps[0]) for each in actions}
        begun = self._begun(key, actions) if obj is None else dumped(info, obj)
        try:
            done, _ = with_parents(core, info, actions, begun, new=True)
            self._made = applied(done, begun)
        except NotComputed as refused:
            raise ConditionError(
                f"{refused.action}: upsert=True makes a whole {info.name} if the item does not exist, and "
                f"this cannot be computed then: {refused.why}; give the field a default, or write "
                f"if_not_exists(...)"
            ) from None
        # What no action changes the constructor gives its defaults, after all that is known.
        known = self._changed.union(begun if obj is not None else _roots(info, key), info.table.key)
        self._check_complete()
        self._obj = self._object({n: v for n, v in self._made.items() if n in known})
        whole = self._stamped(self._obj, self._with_changes(self._dumped(self._obj)))
        self.size = whole.size
        if not core.saves_through_hooks(info):
            self._encoded = whole

    @property
    def encoded(self) -> Encoded:
        """The item to be put, always the same one; the hooks are called when it is first asked for."""
        if self._encoded is None:
            before = self._dumped(self._obj)
            obj = self._core.before_save(self._info, self._obj)
            self._encoded = self._stamped(obj, self._with_changes(self._dumped(obj), before))
        return self._encoded

    def _stamped(self, obj: object, item: AttributeMap) -> Encoded:
        encoded = Encoded(self._info, obj, item)
        stamp(self._core, encoded)
        encoded.size = check_size(self._info, item)
        return encoded

    # --- What it begins with ---

    def _begun(self, key: AttributeMap, actions: Sequence[Action]) -> AttributeMap:
        """The fields of the key, and the defaults of what the actions speak of."""
        info = self._info
        item: AttributeMap = {}
        spoken = [path for each in actions for path in (each.path, *operands(each.value))]
        names = {_root(each) for each in spoken}
        parts = stored_parts(info, key)
        names.update(steps[0] for steps in parts if len(steps) > 1)
        for field in self._members():
            if field.stored in names:
                value = self._default(field, actions)
                if value is not None:
                    item[field.stored] = value
        for steps, value in parts.items():
            place = item
            for step in steps[:-1]:
                place = place.setdefault(step, {"M": {}})["M"]
            place[steps[-1]] = value
        item.update(key)
        return item

    def _members(self) -> Iterator[FieldCodec]:
        codec: Any = self._info.mapper.model_codec(self._info.cls)
        if isinstance(codec, ClassCodec):
            yield from codec.members
            return
        record = record_of(self._info.cls)
        for member in () if record is None else record.members:
            if codec.fields and member.name in codec.fields:
                member = attrs.evolve(member, stored=self._info.names[member.name])  # noqa: PLW2901
                yield FieldCodec(member, codec.fields[member.name])

    def _default(self, field: FieldCodec, actions: Sequence[Action]) -> AttributeValue | None:
        """What an object without a value has in a field, as it is stored; None for nothing."""
        default = field.member.default
        if default is MISSING or default is NO_VALUE:
            return None
        if isinstance(default, _FACTORY) and default.takes_self:
            self._check_unneeded(field, actions)
            return None
        value = default.factory() if isinstance(default, _FACTORY) else default
        rules = self._info.mapper.model_codec(self._info.cls).rules.get(field.name)
        if rules is not None:
            try:
                value = rules.stored(value)
            except ReadsObject:
                self._check_unneeded(field, actions)
                return None
            except Exception as error:
                raise Trail(f"{self._info.name}.{field.name}").error(error) from error
        if field.left_out(value):
            return None
        return explain_dump(field.codec, value, Trail(f"{self._info.name}.{field.name}"))

    def _check_unneeded(self, field: FieldCodec, actions: Sequence[Action]) -> None:
        """Refuse actions that need a default which is made of the object: too little of that is known."""
        model = self._info.name
        if needing := [each for each in actions if self._needs(each, field.stored)]:
            raise ConditionError(
                f"{needing[0]}: upsert=True makes a whole {model} if the item does not exist, and "
                f"{model}.{field.name} is made of the object then (takes_self=True), so this cannot be "
                f"computed; set the whole field"
            )

    @staticmethod
    def _needs(action: Action, stored: str) -> bool:
        """Whether an action depends on what is stored in an attribute."""
        if action.steps[0] == stored and (
            len(action.steps) > 1 or action.clause in ("ADD", "DELETE")
        ):
            return True
        return any(_root(each) == stored for each in operands(action.value))

    # --- What becomes of it ---

    def _check_complete(self) -> None:
        info = self._info
        only = () if info.keys is None else info.keys.key_only
        missing = [
            field.name
            for field in self._members()
            if field.stored not in self._made
            and (field.member.default is MISSING or field.member.default is NO_VALUE)
            and field.member.init
            and not field.always_set
            and field.name not in only
        ]
        if missing:
            names = " and ".join(f"{info.name}.{name}" for name in missing)
            raise ConditionError(
                f"update of {info.name}: upsert=True makes a whole {info.name} if the item does not exist, "
                f"and {names} would have no value then; add set_({info.name}.{missing[0]}, ...), give the "
                f"field a default, or use insert(...)"
            )

    def _object(self, item: AttributeMap) -> Any:
        info = self._info
        if info.upgrades:
            item = {**item, info.schema_attribute: {"N": str(info.schema_version)}}
        try:
            return info.mapper.load(item, info.cls)
        except MappingError as error:
            _say_why(error)
            raise

    def _dumped(self, obj: object) -> AttributeMap:
        try:
            return self._info.mapper.dump(obj)
        except MappingError as error:
            _say_why(error)
            raise

    def _with_changes(self, item: AttributeMap, before: AttributeMap | None = None) -> AttributeMap:
        """An item of the object, with what the actions have made exactly as it would be made of an item
        that is there; what a hook has changed since *before* stays.
        """
        info = self._info
        changed = {n for n in self._changed if before is None or before.get(n) == item.get(n)}
        for name in changed:
            if name in self._made:
                item[name] = self._made[name]
            else:
                item.pop(name, None)
        if info.keys is not None:
            info.keys.refresh(item, changed)
        check_keys(info, item)
        codec = info.mapper.model_codec(info.cls)
        if isinstance(codec, ClassCodec) and codec.sealed:
            from dynattrs.mapper.encrypted import seal

            seal(info, item)
        return item


def _root(place: Path | PathOperand) -> str:
    """The attribute that a place is in."""
    return str((place if isinstance(place, PathOperand) else data_of(place)).steps[0])


def _roots(info: ModelInfo, key: AttributeMap) -> set[str]:
    """The attributes that the fields of a key are in."""
    return {str(steps[0]) for steps in stored_parts(info, key)}


def _say_why(error: MappingError) -> None:
    """Tell the caller, who has stated a few fields, that a whole object is meant."""
    why = "an upsert makes a whole item where there is none"
    error.hint = f"{error.hint}; {why}" if error.hint else why

"""Conditions to the cheapest request that answers them: operation, index, key condition, filter.

The rules, in their order:

1. If the table's partition key is bound, the table is used.
2. Otherwise the index that binds most key attributes; a tie is `AmbiguousIndex`.
3. An index that may lack matching items is `SparseIndex`, one that lacks attributes `PartialIndex`.
4. Nothing bound is `NoIndex`: a scan is a word the user writes.
5. The service refuses filters on the attributes of the queried key, so everything said of them
   becomes one range; a contradiction is "no rows", without a request.

Nothing here knows a session. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

import attrs

from dynattrs import limits
from dynattrs.errors import AmbiguousIndex, NoIndex, PartialIndex, QueryError, SparseIndex
from dynattrs.expressions.conditions import (
    Condition,
    Constant,
    Function,
    In,
    IsNone,
    Joined,
    PathOperand,
    all_conditions,
    conjunctions,
    paths_in,
)
from dynattrs.expressions.paths import data_of, did_you_mean
from dynattrs.keys.bounds import Bound, bounds_of, key_place
from dynattrs.keys.discriminator import template_of
from dynattrs.keys.guards import without_guards
from dynattrs.keys.impossible import check_choices, check_equalities
from dynattrs.keys.kind_bounds import can_ask_each, with_kinds
from dynattrs.keys.kinds import evolving, kinds_of_all
from dynattrs.keys.plans import Plan, Wanted, held_by
from dynattrs.keys.ranges import fold
from dynattrs.mapper.classes import ClassCodec
from dynattrs.quoting import named
from dynattrs.schema.model_info import ModelInfo, guarded_tables
from dynattrs.schema.table import (
    AttributeValue,
    GlobalIndex,
    Index,
    KeySchema,
)
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden

#: A place in an item: attribute names and positions.
Place: TypeAlias = "tuple[str | int, ...]"


def plan(wanted: Wanted) -> Plan:
    """The plan for what is wanted.

    Raises:
        NoIndex, AmbiguousIndex, SparseIndex, PartialIndex, QueryError: See the module.
    """
    where, filters = conjunctions(wanted.where), conjunctions(wanted.filters)
    for each in (*where, *filters):
        if isinstance(each, Constant) and not each.value:
            return Plan("nothing", why=(f"{each} matches nothing",))
    parts = [part for part in where if not isinstance(part, Constant)]
    also = [part for part in filters if not isinstance(part, Constant)]
    if wanted.scan:
        found = _scan(wanted, _named(wanted), [*parts, *also])
    else:
        bounds = with_kinds(wanted.infos, bounds_of(wanted.infos, parts))
        found = query_plan(wanted, choose(wanted, parts, bounds), parts, also, bounds)
    guarded = wanted.info.table.name in guarded_tables
    return without_guards(found, wanted.info) if guarded else found


def _scan(wanted: Wanted, keys: KeySchema, parts: list[Condition]) -> Plan:
    _check_filter_held(wanted, keys, parts)
    why = [f"a scan was asked for: it reads the whole {keys}"]
    lacking = _may_lack(wanted, keys, parts)
    if lacking:
        why.append(f"items without {fields_written(wanted, lacking)} are not in the index")
    return Plan(
        "scan",
        keys.index,
        filter=all_conditions(parts) if parts else None,
        partial=check_holds(wanted, keys),
        why=tuple(why),
    )


# --- Which index ------------------------------------------------------------------------------


@attrs.frozen
class Choice:
    keys: KeySchema
    #: Sort key attributes that are bound, from the left.
    sort: tuple[str, ...]
    why: tuple[str, ...]


def choose(wanted: Wanted, parts: list[Condition], bounds: Mapping[str, Bound]) -> Choice:
    table, *indexes = wanted.info.table.key_schemas
    if wanted.using is not None:
        keys = _named(wanted)
        used = usable(wanted, keys, bounds)
        if used is None:
            unsaid = [name for name in keys.partition if not _binds(bounds, name)]
            missing = fields_written(wanted, unsaid)
            raise NoIndex(
                f"a query on {keys} needs an equality on its partition key: state "
                f"{missing} == ..., or scan({wanted.info.name}).using({wanted.using!r})"
            )
        return Choice(keys, used, (f"{keys} is pinned by using()",))
    on_table = usable(wanted, table, bounds)
    serve = {each: used for each in indexes if (used := usable(wanted, each, bounds)) is not None}
    #: By how many fields their keys are bound. A local index is never better than the table.
    strength = {
        each: _strength(bounds, (*each.partition, *used))
        for each, used in serve.items()
        if isinstance(each.index, GlobalIndex)
    }
    most = max(strength.values(), default=0)
    if on_table is not None:
        stated = _strength(bounds, table.partition)
        own = stated + _strength(bounds, on_table)
        if stated or most <= own:
            why = ["the table's partition key is bound"]
            if wanted.info.keys is not None and not stated:
                why = ["the table's partition key is the same for every item of the model"]
            why += [
                f"{each} binds {fields_written(wanted, used)} as well and would read less; pin it with "
                f"using({each.index.name!r})"
                for each, used in serve.items()
                if strength.get(each, 0) > own
                or _strength(bounds, used) > _strength(bounds, on_table)
                if each.index is not None
            ]
            return Choice(table, on_table, tuple(why))
    if not strength:
        raise NoIndex(_no_index(wanted))
    best, *others = [each for each in strength if strength[each] == most]
    if others:
        names = " and ".join(repr(each.index.name) for each in (best, *others) if each.index)
        raise AmbiguousIndex(
            f"the indexes {names} of {wanted.info.name} would serve equally well; "
            f"name one with using(...)"
        )
    check_whole(wanted, best, parts)
    bound = (*best.partition, *serve[best])
    why = [f"{best} binds most key attributes: {fields_written(wanted, bound)}"]
    why += [f"{each} binds fewer" for each in strength if each is not best]
    return Choice(best, serve[best], tuple(why))


def check_whole(wanted: Wanted, keys: KeySchema, parts: list[Condition]) -> None:
    """Refuse an index that may lack items that match.

    Raises:
        SparseIndex: It names the fields that may be absent.
    """
    lacking = _may_lack(wanted, keys, parts)
    if lacking:
        name = cast("Index", keys.index).name
        raise SparseIndex(
            f"{keys} would serve, but it holds only items that have all its key "
            f"attributes, and {fields_written(wanted, lacking)} may be absent: the answer could lack items "
            f"that match; state a condition that implies it, such as "
            f"exists({fields_written(wanted, lacking[:1])}), or pin the index with using({name!r})"
        )


def _strength(bounds: Mapping[str, Bound], names: Iterable[str]) -> int:
    """How many fields bind some key attributes."""
    return sum([bounds[name].fields for name in names])


def _binds(bounds: Mapping[str, Bound], name: str) -> bool:
    bound = bounds.get(name)
    return bound is not None and (bool(bound.equal) or bound.never is not None)


def usable(wanted: Wanted, keys: KeySchema, bounds: Mapping[str, Bound]) -> tuple[str, ...] | None:
    """The sort key attributes that are bound if the whole partition key is, else None."""
    if not all(_binds(bounds, name) for name in keys.partition):
        return None
    if not _may_hold(wanted, keys):
        return None
    if any(bounds[name].kinds for name in keys.partition) and not can_ask_each(keys):
        return None
    used = []
    for name in keys.sort:
        bound = bounds.get(name)
        if bound is None or bound.kinds:
            break
        used.append(name)
        # A range ends the key condition: what comes after it does not narrow.
        if not bound.equal:
            break
    return tuple(used)


def _may_hold(wanted: Wanted, keys: KeySchema) -> bool:
    """Whether items of all models may be in an index at all."""
    own = {*keys.partition, *keys.sort}
    return all(
        info.keys is None or own.issubset((*info.keys.attributes, *info.names.values()))
        for info in wanted.infos
    )


def _named(wanted: Wanted) -> KeySchema:
    """The index that `using()` pins; the table without it."""
    table, *indexes = wanted.info.table.key_schemas
    if wanted.using is None:
        return table
    named = {each.index.name: each for each in indexes if each.index is not None}
    found = named.get(wanted.using)
    if found is None:
        hint = did_you_mean(wanted.using, named)
        if wanted.using in [each.name for each in wanted.info.table.vector_indexes]:
            hint = " to query: it is a vector index, which session.search(...) searches"
        raise QueryError(f"{wanted.info.name} has no index {wanted.using!r}{hint}")
    if wanted.consistent and isinstance(found.index, GlobalIndex):
        raise QueryError(
            f"a global index, such as {wanted.using!r}, cannot be read consistently; remove "
            f"consistent(), or read the table"
        )
    return found


def _no_index(wanted: Wanted) -> str:
    table, *indexes = wanted.info.table.key_schemas
    ways = [f"{fields_written(wanted, table.partition)} (the table)"]
    ways += [
        f"{fields_written(wanted, each.partition)} ({each})"
        for each in indexes
        if isinstance(each.index, GlobalIndex) and _may_hold(wanted, each)
    ]
    said = dict.fromkeys(data_of(path).label for part in wanted.where for path in paths_in(part))
    stated = f"got conditions on {' and '.join(said)} only" if said else "none is stated"
    names = " and ".join(each.name for each in wanted.infos)
    return (
        f"a query for {names} needs an equality on a partition key: {' or '.join(ways)}; "
        f"{stated}. {_unlike(wanted, table.partition)}To read everything and filter, use "
        f"scan({', '.join(i.name for i in wanted.infos)})"
    )


def _unlike(wanted: Wanted, partition: tuple[str, ...]) -> str:
    """How the keys of models differ that are asked for together."""
    made = {
        (info.name, name): template.written
        for info in wanted.infos
        for name in partition
        if (template := template_of(info, name)) is not None
    }
    if len(set(made.values())) < 2:
        return ""
    shown = ", ".join(f"{model}: {name}={text!r}" for (model, name), text in made.items())
    return (
        f"Their keys are made of different fields ({shown}), and a condition names one field: give the "
        f"fields one name, or one stored name, field(name=...). "
    )


def _may_lack(wanted: Wanted, keys: KeySchema, parts: list[Condition]) -> tuple[str, ...]:
    """Key attributes of an index that a matching item may lack, so that the index lacks the item."""
    table = wanted.info.table.key_schemas[0]
    implied = {place for part in parts for place in _implies(part)}
    return tuple(
        name
        for name in (*keys.partition, *keys.sort)
        if name not in (*table.partition, *table.sort)
        and not all(_is_there(info, name, implied) for info in wanted.infos)
    )


def _is_there(info: ModelInfo, attribute: str, implied: set[Place]) -> bool:
    """Whether an item that satisfies some conditions has a key attribute for sure."""
    template = template_of(info, attribute)
    if attribute == info.table.discriminator:
        return True
    places = [(attribute,)] if template is None else [slot.steps for slot in template.slots]
    return all(
        any(each[: len(place)] == place for each in implied) or _always_stored(info, place)
        for place in places
    )


def _implies(part: Condition) -> set[Place]:
    """Places that an item has for sure if it satisfies *part*."""
    place = key_place(part)
    if place is not None:
        return {place}
    if isinstance(part, In) and isinstance(part.operand, PathOperand):
        return {part.operand.steps}
    if isinstance(part, Function) and part.service_name in (
        "attribute_exists", "contains", "attribute_type"
    ):  # fmt: skip
        return {part.operand.steps}
    if isinstance(part, IsNone) and part.negated:
        return {part.operand.steps}
    if isinstance(part, Joined) and part.word == "OR":
        return set.intersection(*(_implies(each) for each in part.parts))
    if isinstance(part, Joined):
        return set.union(*(_implies(each) for each in part.parts))
    return set()


def _always_stored(info: ModelInfo, place: Place) -> bool:
    """Whether every object of the model has a value at this place when it is stored."""
    codec: Any = info.mapper.model_codec(info.cls)
    for step in place:
        if not isinstance(codec, ClassCodec):
            return False
        field = next((each for each in codec.members if each.stored == step), None)
        if field is None or field.codec.optional or field.member.reads_as_none:
            return False
        if field.always_set:
            return False
        codec = field.codec
    return True


def _held(wanted: Wanted, keys: KeySchema) -> set[str] | None:
    """The attributes that an index holds; None for all."""
    return held_by(wanted.info.table, keys.index)


def check_holds(wanted: Wanted, keys: KeySchema) -> bool:
    """Whether whole items must be fetched after reading an index.

    Raises:
        PartialIndex: The index lacks attributes, and nothing was said about that.
    """
    held = _held(wanted, keys)
    if held is None:
        return False
    # Former names of attributes as well, which old items have.
    own = [name for each in wanted.infos for name in (*_attributes(each), *each.formerly)]
    needed = wanted.needs if wanted.needs is not None else frozenset(own)
    lacking = tuple(name for name in dict.fromkeys(own) if name in needed - held)
    kinds = kinds_of_all(wanted.infos)
    tells = None if kinds is None or not kinds.guarded else kinds.attribute
    others = "other models"
    if tells in (None, *held) and wanted.needs is not None:
        schemas = [each.schema_attribute for each in evolving(wanted.infos) if each.versioned]
        tells = next((name for name in schemas if name in wanted.needs - held), None)
        others = "newer programs"
    if tells not in (None, *held) and wanted.needs is not None:
        if wanted.hydrate:
            return True
        names = " and ".join(each.name for each in wanted.infos)
        raise PartialIndex(
            f"{keys} does not hold {tells!r}, which tells items of {names} from those of {others}; "
            f"ask for the whole items with hydrate(), or give the index a projection with it"
        )
    if not lacking and wanted.needs is not None:
        return False
    # An upgrade may read anything of an old item.
    if not lacking and all(e.unknown != "keep" and not e.upgrades for e in wanted.infos):
        return False
    if wanted.hydrate:
        return True
    what = fields_written(wanted, lacking) if lacking else "attributes that the class does not know"
    parts = "for the fields it holds with as_(...) or select(...), "
    if any(each.upgrades for each in wanted.infos):
        what = what if lacking else "all that upgrades may read"
        parts = "for keys with keys(), "
    raise PartialIndex(
        f"{keys} does not hold {what}, and a {wanted.info.name} that lacks them must not be "
        f"saved back; ask {parts}for the whole items with hydrate(), or give the index projection='all'"
    )


def _attributes(info: ModelInfo) -> list[str]:
    """The attributes that an object is made of, besides its keys."""
    keys = info.keys
    if keys is None:
        return list(info.names.values())
    only = {info.names[name] for name in keys.key_only}
    own = [stored for stored in info.names.values() if stored not in only]
    return [*own, *(name for name in keys.attributes if name == info.table.discriminator)]


def _check_filter_held(wanted: Wanted, keys: KeySchema, parts: list[Condition]) -> None:
    """Refuse a filter on attributes that the index does not hold: to it they are absent.

    Raises:
        PartialIndex: It names the condition and the attributes.
        QueryError: The condition is on a field that is stored in keys only.
    """
    if not parts:
        return
    for info in wanted.infos:
        only = {info.names[name] for name in info.keys.key_only} if info.keys is not None else ()
        for part in parts:
            hidden = tuple(sorted(touches(part) & set(only)))
            if hidden:
                raise QueryError(
                    f"the condition {part} cannot be a filter: {_stored_only(info, hidden)} is stored in "
                    f"keys only (key_only=True), and the key condition does not state it exactly; "
                    f"state the fields before it in the key as well, or store it"
                )
    held = _held(wanted, keys)
    for part in parts if held is not None else ():
        lacking = tuple(sorted(touches(part) - (held or set())))
        if lacking:
            raise PartialIndex(
                f"the condition {part} needs {fields_written(wanted, lacking)}, which {keys} "
                f"does not hold: it would find them absent everywhere; query the "
                f"table, or give the index a projection with them"
            )


# --- The key condition and the filter -------------------------------------------------------------


def query_plan(
    wanted: Wanted,
    choice: Choice,
    parts: list[Condition],
    also: list[Condition],
    bounds: Mapping[str, Bound],
) -> Plan:
    info, keys, index = wanted.info, choice.keys, choice.keys.index
    if wanted.consistent and isinstance(index, GlobalIndex):
        table = info.table.key_schemas[0]
        raise QueryError(
            f"only {keys} would serve, and a global index cannot be read consistently; "
            f"remove consistent(), or state {fields_written(wanted, table.partition)} == ..."
        )
    partial = check_holds(wanted, keys)
    own = (*keys.partition, *keys.sort)
    key: list[Condition] = []
    excluded: tuple[str, AttributeValue] | None = None
    covered: set[int] = set()
    derived: set[int] = set()
    check_choices(wanted.infos, own, parts)
    for name in (*keys.partition, *choice.sort):
        bound = bounds[name]
        check_equalities(info, name, bound)
        if isinstance(bound.never, str):
            return Plan("nothing", index, why=(bound.never,))
        partition = name in keys.partition
        most = limits.PARTITION_KEY_BYTES if partition else limits.SORT_KEY_BYTES
        folded = fold(bound.equal, bound.ranges, most)
        if folded is None:
            reason = f"the conditions on {fields_written(wanted, (name,))} contradict each other"
            return Plan("nothing", index, why=(reason,))
        condition, left_out = folded
        if condition is not None:
            key.append(condition)
        if left_out is not None and may_be_key(wanted, name, left_out):
            excluded = (name, left_out)
        covered |= bound.covered
        if name not in info.table.key and template_of(info, name) is not None:
            derived |= bound.covered
    rest = []
    for part in [*(part for part in parts if id(part) not in covered), *also]:
        present = _says_present(part, own)
        if present is False:
            reason = f"no item of the {keys} lacks it, so {part} matches nothing"
            return Plan("nothing", index, why=(reason,))
        if present is None:
            rest.append(part)
    for part in rest:
        touched = {name for name in touches(part) if name in own}
        if touched:
            first = keys.before(touched, {name for name, bound in bounds.items() if bound.equal})
            there = f"an equality of {fields_written(wanted, first)} too"
            there = there if first else "an equality or a range there"
            raise QueryError(
                f"the condition {part} cannot be sent: DynamoDB takes no filter on the attributes of "
                f"the key that it queries ({fields_written(wanted, tuple(sorted(touched)))} of "
                f"{keys}); state {there}, filter in Python, or use scan({info.name})"
            )
    _check_filter_held(wanted, keys, rest)
    why = list(choice.why)
    kinds = bounds[keys.partition[0]].kinds
    if index is None and all(name in bounds and bounds[name].equal for name in own):
        why.append(_whole_key(info, rest))
    if excluded is not None:
        why.append("BETWEEN includes its upper end: items equal to it are left out on receipt")
    return Plan(
        "query",
        index,
        tuple(key),
        all_conditions(rest) if rest else None,
        excluded,
        partial,
        tuple(why),
        len(kinds) or (index.write_shards if isinstance(index, GlobalIndex) else None),
        kinds,
        _asked_again(wanted, own, [part for part in parts if id(part) in derived]),
    )


def _asked_again(
    wanted: Wanted, own: Sequence[str], said: Iterable[Condition]
) -> tuple[Condition, ...]:
    """Of what an index key says, what can be asked of the fields: not of those that are keys themselves,
    or in keys only.
    """
    hidden = {*own}
    for info in wanted.infos:
        if info.keys is not None:
            hidden.update(info.names[name] for name in info.keys.key_only)
    return tuple(part for part in said if not touches(part) & hidden)


def _says_present(part: Condition, own: Sequence[str]) -> bool | None:
    """Whether *part* says of one of these attributes that it is there, or that it is not."""
    if isinstance(part, IsNone):
        present = part.negated
    elif isinstance(part, Function) and part.service_name == "attribute_exists":
        present = True
    elif isinstance(part, Function) and part.service_name == "attribute_not_exists":
        present = False
    else:
        return None
    steps = part.operand.steps
    return present if len(steps) == 1 and steps[0] in own else None


def may_be_key(wanted: Wanted, attribute: str, value: AttributeValue) -> bool:
    """Whether an item of the models may have this value as a key attribute."""
    templates = [template_of(info, attribute) for info in wanted.infos]
    return any(
        template is None or template.tag != "S" or template.pattern.fullmatch(value["S"])
        for template in templates
    )


def _whole_key(info: ModelInfo, rest: list[Condition]) -> str:
    if rest:
        return (
            "the whole key is bound: at most one item is read; a GetItem would not filter, so this "
            "stays a query"
        )
    return f"the whole key is bound: get({info.name}, key) reads the same item with one GetItem"


def touches(part: Condition) -> set[str]:
    """The top-level attributes that a condition names."""
    return {str(data_of(path).steps[0]) for path in paths_in(part)}


def _stored_only(info: ModelInfo, attributes: Sequence[str]) -> str:
    """The fields of a model that have some attributes."""
    names = [name for name, stored in info.names.items() if stored in attributes]
    return named(f"{info.name}.{name}" for name in names)


# --- Words --------------------------------------------------------------------------------------


def fields_written(wanted: Wanted, attributes: Sequence[str]) -> str:
    found: dict[str, None] = {}
    for each in attributes:
        found.update(dict.fromkeys(_field_names(wanted, each)))
    return named(found)


def _field_names(wanted: Wanted, attribute: str) -> list[str]:
    for info in wanted.infos:
        for name, stored in info.names.items():
            if stored == attribute:
                return [f"{info.name}.{name}"]
    template = template_of(wanted.info, attribute)
    if attribute == wanted.info.table.discriminator and (kinds := kinds_of_all(wanted.infos)):
        several = f" of one kind, {' or '.join(map(repr, kinds.own))}" if len(kinds.own) > 1 else ""
        return [f"{attribute!r}{several}"]
    if template is None or not template.slots:
        return [repr(attribute)]
    return [f"{wanted.info.name}.{slot.name}" for slot in template.slots]

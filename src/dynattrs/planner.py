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

import decimal
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final, Literal, cast

import attrs

from dynattrs import limits
from dynattrs.errors import AmbiguousIndex, NoIndex, PartialIndex, QueryError, SparseIndex
from dynattrs.expressions.conditions import (
    Between,
    Comparison,
    Condition,
    Constant,
    Function,
    IsNone,
    Joined,
    Operand,
    PathOperand,
    Value,
    all_conditions,
    conjunctions,
    order_of,
    paths_in,
)
from dynattrs.expressions.paths import data_of, did_you_mean
from dynattrs.mapper import Mapper
from dynattrs.mapper.classes import ClassCodec
from dynattrs.mapper.scalars import binary
from dynattrs.schema import (
    AttributeValue,
    GlobalIndex,
    Index,
    ModelInfo,
    key_of,
    partition_of,
    sort_of,
)

_CONTEXT: Final = decimal.Context(
    prec=38, Emin=-130, Emax=125, traps=[decimal.InvalidOperation], clamp=0
)

# Nearer to zero the service has no numbers, though its digits would allow them.
_LEAST: Final = Decimal("1E-130")


@attrs.frozen
class Wanted:
    """What a query asks for, as the planner needs it."""

    info: ModelInfo
    where: tuple[Condition, ...]
    filters: tuple[Condition, ...] = ()
    using: str | None = None
    consistent: bool = False
    scan: bool = False
    #: Attributes that must be read; None is the whole model.
    needs: frozenset[str] | None = None
    #: Whether whole items are fetched after an index that lacks attributes.
    hydrate: bool = False


@attrs.frozen
class Plan:
    """The request that answers a query.

    Attributes:
        operation: `"query"`, `"scan"`, or `"nothing"` where no item can match.
        index: The index, or None for the table.
        key: The key condition's parts, partition first.
        filter: What the service filters after it has read, or None.
        excluded: Items that the key condition takes in and that are left out on receipt: of this
            attribute, this value. DynamoDB's BETWEEN has no open end.
        partial: Whether the index lacks attributes that are needed.
        why: The reasons, a sentence each.
    """

    operation: Literal["query", "scan", "nothing"]
    index: Index | None = None
    key: tuple[Condition, ...] = ()
    filter: Condition | None = None
    excluded: tuple[str, AttributeValue] | None = None
    partial: bool = False
    why: tuple[str, ...] = ()


def plan(wanted: Wanted) -> Plan:
    """The plan for what is wanted.

    Raises:
        NoIndex, AmbiguousIndex, SparseIndex, PartialIndex, QueryError: See the module.
    """
    where = all_conditions(wanted.where) if wanted.where else None
    filters = all_conditions(wanted.filters) if wanted.filters else None
    for each in (where, filters):
        if isinstance(each, Constant) and not each.value:
            return Plan("nothing", why=(f"{each} matches nothing",))
    parts = [part for part in conjunctions(wanted.where) if not isinstance(part, Constant)]
    also = [part for part in conjunctions(wanted.filters) if not isinstance(part, Constant)]
    if wanted.scan:
        return _scan(wanted, [*parts, *also])
    choice = _choose(wanted, parts)
    return _query(wanted, choice, parts, also)


def _scan(wanted: Wanted, parts: list[Condition]) -> Plan:
    index = _named(wanted)
    _check_filter_held(wanted, index, parts)
    why = [f"a scan was asked for: it reads the whole {_place(index)}"]
    partial = _check_holds(wanted, index)
    if index is not None:
        lacking = _may_lack(wanted, index, parts)
        if lacking:
            why.append(f"items without {_fields(wanted, lacking)} are not in the index")
    return Plan(
        "scan", index, (), all_conditions(parts) if parts else None, None, partial, tuple(why)
    )


# --- Which index ------------------------------------------------------------------------------


@attrs.frozen
class _Bound:
    """What the conditions say of one attribute, where that can go into a key condition."""

    equal: tuple[Comparison, ...] = ()
    ranges: tuple[Condition, ...] = ()


@attrs.frozen
class _Choice:
    index: Index | None
    #: Sort key attributes that are bound, from the left.
    sort: tuple[str, ...]
    why: tuple[str, ...]


def _bounds(parts: Iterable[Condition]) -> dict[str, _Bound]:
    found: dict[str, _Bound] = {}
    for part in parts:
        name = _key_attribute(part)
        if name is None:
            continue
        bound = found.get(name, _Bound())
        if isinstance(part, Comparison) and part.operator == "=":
            found[name] = attrs.evolve(bound, equal=(*bound.equal, part))
        else:
            found[name] = attrs.evolve(bound, ranges=(*bound.ranges, part))
    return found


def _key_attribute(part: Condition) -> str | None:
    """The attribute that *part* binds in a way that a key condition can state."""
    operand: Any
    values: tuple[Operand | None, ...]
    if isinstance(part, Comparison) and part.operator != "<>":
        operand, values = part.left, (part.right,)
    elif isinstance(part, Between):
        operand, values = part.operand, (part.low, part.high)
    elif isinstance(part, Function) and part.service_name == "begins_with":
        operand, values = part.operand, (part.argument,)
    else:
        return None
    if not isinstance(operand, PathOperand) or len(operand.steps) != 1:
        return None
    if not all(isinstance(value, Value) for value in values):
        return None
    return cast("str", operand.steps[0])


def _choose(wanted: Wanted, parts: list[Condition]) -> _Choice:
    table = wanted.info.table
    bounds = _bounds(parts)
    if wanted.using is not None:
        index = _named(wanted)
        usable = _usable(wanted, index, bounds)
        if usable is None:
            missing = [
                name for name in partition_of(table, index) if not bounds.get(name, _Bound()).equal
            ]
            raise NoIndex(
                f"a query on {_place(index)} needs an equality on its partition key: state "
                f"{_fields(wanted, missing)} == ..., or scan({wanted.info.name}).using({wanted.using!r})"
            )
        return _Choice(index, usable, (f"{_place(index)} is pinned by using()",))
    on_table = _usable(wanted, None, bounds)
    candidates = {
        index: usable
        for index in table.indexes
        if (usable := _usable(wanted, index, bounds)) is not None
    }
    if on_table is not None:
        why = ["the table's partition key is bound"]
        for index, usable in candidates.items():
            if len(usable) > len(on_table):
                why.append(
                    f"index {index.name!r} binds {_fields(wanted, usable)} as well and would read "
                    f"less; pin it with using({index.name!r})"
                )
        return _Choice(None, on_table, tuple(why))
    globals_ = {index: used for index, used in candidates.items() if isinstance(index, GlobalIndex)}
    if not globals_:
        raise NoIndex(_no_index(wanted, bounds))
    most = max(_strength(index, used) for index, used in globals_.items())
    best = [index for index, used in globals_.items() if _strength(index, used) == most]
    if len(best) > 1:
        names = " and ".join(f"{index.name!r}" for index in best)
        raise AmbiguousIndex(
            f"the indexes {names} of {wanted.info.name} would serve equally well; "
            f"name one with using(...)"
        )
    index = best[0]
    lacking = _may_lack(wanted, index, parts)
    if lacking:
        raise SparseIndex(
            f"index {index.name!r} would serve, but it holds only items that have all its key "
            f"attributes, and {_fields(wanted, lacking)} may be absent: the answer could lack items "
            f"that match; state a condition that implies it, such as "
            f"exists({_fields(wanted, lacking[:1])}), or pin the index with using({index.name!r})"
        )
    bound = (*index.partition_key, *globals_[index])
    why = [f"index {index.name!r} binds most key attributes: {_fields(wanted, bound)}"]
    why += [f"index {other.name!r} binds fewer" for other in globals_ if other is not index]
    return _Choice(index, globals_[index], tuple(why))


def _strength(index: GlobalIndex, sort: Sequence[str]) -> int:
    return len(index.partition_key) + len(sort)


def _usable(
    wanted: Wanted, index: Index | None, bounds: dict[str, _Bound]
) -> tuple[str, ...] | None:
    """The sort key attributes that are bound if the whole partition key is, else None."""
    table = wanted.info.table
    if not all(bounds.get(name, _Bound()).equal for name in partition_of(table, index)):
        return None
    used = []
    for name in sort_of(table, index):
        bound = bounds.get(name)
        if bound is None:
            break
        used.append(name)
        # A range ends the key condition: what comes after it does not narrow.
        if not bound.equal:
            break
    return tuple(used)


def _named(wanted: Wanted) -> Index | None:
    if wanted.using is None:
        return None
    table = wanted.info.table
    for index in table.indexes:
        if index.name == wanted.using:
            if wanted.consistent and isinstance(index, GlobalIndex):
                raise QueryError(
                    f"a global index, such as {index.name!r}, cannot be read consistently; remove "
                    f"consistent(), or read the table"
                )
            return index
    known = [index.name for index in table.indexes]
    raise QueryError(
        f"{wanted.info.name} has no index {wanted.using!r}{did_you_mean(wanted.using, known)}"
    )


def _no_index(wanted: Wanted, bounds: dict[str, _Bound]) -> str:
    info, table = wanted.info, wanted.info.table
    ways = [f"{_fields(wanted, partition_of(table, None))} (the table)"]
    ways += [
        f"{_fields(wanted, partition_of(table, index))} (index {index.name!r})"
        for index in table.indexes
        if isinstance(index, GlobalIndex)
    ]
    stated = (
        f"got conditions on {_fields(wanted, tuple(bounds))} only" if bounds else "none is stated"
    )
    return (
        f"a query for {info.name} needs an equality on a partition key: {' or '.join(ways)}; "
        f"{stated}. To read everything and filter, use scan({info.name})"
    )


def _may_lack(wanted: Wanted, index: Index, parts: list[Condition]) -> tuple[str, ...]:
    """Key attributes of *index* that a matching item may lack, so that the index lacks the item."""
    implied = {name for part in parts for name in _implies(part)}
    return tuple(
        name
        for name in key_of(wanted.info.table, index)
        if name not in implied
        and name not in wanted.info.table.key
        and not _always_stored(wanted.info, name)
    )


def _implies(part: Condition) -> set[str]:
    """Attributes that an item has for sure if it satisfies *part*."""
    name = _key_attribute(part)
    if name is not None:
        return {name}
    if isinstance(part, Function) and part.service_name in (
        "attribute_exists", "contains", "attribute_type"
    ):  # fmt: skip
        return {str(part.operand.steps[0])}
    if isinstance(part, IsNone) and part.negated:
        return {str(part.operand.steps[0])}
    if isinstance(part, Joined) and part.word == "OR":
        return set.intersection(*(_implies(each) for each in part.parts))
    if isinstance(part, Joined):
        return set.union(*(_implies(each) for each in part.parts))
    return set()


def _always_stored(info: ModelInfo, attribute: str) -> bool:
    """Whether every object of the model has this attribute when it is stored."""
    codec = cast("Mapper", info.mapper).codec(info.cls)
    if not isinstance(codec, ClassCodec):
        return False
    for field in codec.members:
        if field.stored == attribute:
            return not (field.codec.optional or field.member.defaults_to_none or field.always_set)
    return False


def _check_holds(wanted: Wanted, index: Index | None) -> bool:
    """Whether whole items must be fetched after reading *index*.

    Raises:
        PartialIndex: The index lacks attributes, and nothing was said about that.
    """
    if index is None or index.projection == "all":
        return False
    info, table = wanted.info, wanted.info.table
    held = {*table.key, *key_of(table, index)}
    if not isinstance(index.projection, str):
        held.update(index.projection)
    needed = wanted.needs if wanted.needs is not None else frozenset(info.names.values())
    lacking = tuple(name for name in info.names.values() if name in needed - held)
    if not lacking and wanted.needs is not None:
        return False
    if not lacking and info.unknown != "keep":
        return False
    if wanted.hydrate:
        return True
    what = _fields(wanted, lacking) if lacking else "attributes that the class does not know"
    raise PartialIndex(
        f"index {index.name!r} does not hold {what}, and a {info.name} that lacks them must not be "
        f"saved back; ask for the fields it holds with as_(...) or select(...), for the whole items "
        f"with hydrate(), or give the index projection='all'"
    )


def _check_filter_held(wanted: Wanted, index: Index | None, parts: list[Condition]) -> None:
    """Refuse a filter on attributes that the index does not hold: to it they are absent.

    Raises:
        PartialIndex: It names the condition and the attributes.
    """
    if index is None or index.projection == "all":
        return
    table = wanted.info.table
    held = {*table.key, *key_of(table, index)}
    if not isinstance(index.projection, str):
        held.update(index.projection)
    for part in parts:
        lacking = tuple(sorted(_touches(part) - held))
        if lacking:
            raise PartialIndex(
                f"the condition {part} speaks of {_fields(wanted, lacking)}, which index "
                f"{index.name!r} does not hold: it would find them absent everywhere; query the "
                f"table, or give the index a projection with them"
            )


# --- The key condition and the filter -------------------------------------------------------------


def _query(wanted: Wanted, choice: _Choice, parts: list[Condition], also: list[Condition]) -> Plan:
    info, table, index = wanted.info, wanted.info.table, choice.index
    if wanted.consistent and isinstance(index, GlobalIndex):
        raise QueryError(
            f"only {_place(index)} would serve, and a global index cannot be read consistently; "
            f"remove consistent(), or state {_fields(wanted, partition_of(table, None))} == ..."
        )
    partial = _check_holds(wanted, index)
    bounds = _bounds(parts)
    own = key_of(table, index)
    key: list[Condition] = []
    excluded: tuple[str, AttributeValue] | None = None
    used = (*partition_of(table, index), *choice.sort)
    for name in used:
        folded = _fold(bounds[name])
        if folded is None:
            return Plan(
                "nothing",
                index,
                why=(f"the conditions on {_fields(wanted, (name,))} contradict each other",),
            )
        condition, left_out = folded
        if condition is not None:
            key.append(condition)
        if left_out is not None:
            excluded = (name, left_out)
    rest = []
    for part in [*(part for part in parts if _key_attribute(part) not in used), *also]:
        present = _says_present(part, own)
        if present is False:
            reason = f"no item of the {_place(index)} lacks it, so {part} matches nothing"
            return Plan("nothing", index, why=(reason,))
        if present is None:
            rest.append(part)
    for part in rest:
        touched = {name for name in _touches(part) if name in own}
        if touched:
            raise QueryError(
                f"the condition {part} cannot be sent: DynamoDB takes no filter on the attributes of "
                f"the key that it queries ({_fields(wanted, tuple(sorted(touched)))} of "
                f"{_place(index)}); state an equality or a range there, filter in Python, or use "
                f"scan({info.name})"
            )
    _check_filter_held(wanted, index, rest)
    why = list(choice.why)
    if index is None and len(_bound_equal(bounds, table.key)) == len(table.key):
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
    )


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


def _bound_equal(bounds: dict[str, _Bound], names: Iterable[str]) -> list[str]:
    """Those of some attributes that are bound by an equality."""
    return [name for name in names if bounds.get(name, _Bound()).equal]


def _whole_key(info: ModelInfo, rest: list[Condition]) -> str:
    if rest:
        return (
            "the whole key is bound: at most one item is read; a GetItem would not filter, so this "
            "stays a query"
        )
    return f"the whole key is bound: get({info.name}, key) reads the same item with one GetItem"


def _touches(part: Condition) -> set[str]:
    """The top-level attributes that a condition speaks of."""
    return {str(data_of(path).steps[0]) for path in paths_in(part)}


# --- Folding: several conditions on one attribute to one ------------------------------------------


@attrs.frozen
class _Range:
    """From *low* to *high*, each included or not; None is open."""

    low: AttributeValue | None = None
    low_included: bool = True
    high: AttributeValue | None = None
    high_included: bool = True


def _fold(bound: _Bound) -> tuple[Condition | None, AttributeValue | None] | None:
    """One condition for all that is said of a key attribute, and a value to leave out on receipt.

    The condition is None where every value satisfies them all, the result where none does. Key
    values are never empty, and the service refuses a key condition that names the empty value.
    """
    if bound.equal:
        first = bound.equal[0]
        value = cast("Value", first.right).stored
        same = all(
            order_of(cast("Value", each.right).stored) == order_of(value) for each in bound.equal
        )
        within = _intersect([_as_range(each) for each in bound.ranges])
        fits = same and not _empty(value) and _contains(within, value)
        return (first, None) if fits else None
    if len(bound.ranges) == 1:
        only = _stated_range(bound.ranges[0])
        if not any(end and _empty(end) for end in (only.low, only.high)):
            return bound.ranges[0], None
    operand = _operand_of(bound.ranges[0])
    return _as_condition(operand, _intersect([_as_range(each) for each in bound.ranges]))


def _operand_of(part: Condition) -> PathOperand:
    operand = part.left if isinstance(part, Comparison) else cast("Any", part).operand
    return cast("PathOperand", operand)


def _stored(operand: Operand | None) -> AttributeValue:
    return cast("Value", operand).stored


def _empty(value: AttributeValue) -> bool:
    return next(iter(value.values())) in ("", b"")


def _as_range(part: Condition) -> _Range:
    found = _stated_range(part)
    # Everything is above the empty value.
    return attrs.evolve(found, low=None) if found.low and _empty(found.low) else found


def _stated_range(part: Condition) -> _Range:
    if isinstance(part, Between):
        return _Range(low=_stored(part.low), high=_stored(part.high))
    if isinstance(part, Comparison):
        value = _stored(part.right)
        if part.operator in ("<", "<="):
            return _Range(high=value, high_included=part.operator == "<=")
        return _Range(low=value, low_included=part.operator == ">=")
    prefix = _stored(cast("Function", part).argument)
    after = _after_prefix(prefix)
    return _Range(low=prefix, high=after, high_included=after is None)


def _after_prefix(prefix: AttributeValue) -> AttributeValue | None:
    """The least key above everything that begins with *prefix*; None if there is no such."""
    ((tag, payload),) = prefix.items()
    if tag == "B":
        data = binary(payload)[: limits.SORT_KEY_BYTES].rstrip(b"\xff")
        return {"B": data[:-1] + bytes([data[-1] + 1])} if data else None
    text = payload.rstrip("\U0010ffff")
    while text:
        code = ord(text[-1]) + 1
        # Surrogates are no characters of UTF-8.
        after = text[:-1] + chr(0xE000 if code == 0xD800 else code)
        if len(after.encode()) <= limits.SORT_KEY_BYTES:
            return {"S": after}
        # A key is not that long, so the next one has another character further left.
        text = text[:-1].rstrip("\U0010ffff")
    return None


def _intersect(ranges: list[_Range]) -> _Range:
    result = _Range()
    for each in ranges:
        if each.low is not None and (
            result.low is None
            or (order_of(each.low), not each.low_included)
            > (order_of(result.low), not result.low_included)
        ):
            result = attrs.evolve(result, low=each.low, low_included=each.low_included)
        if each.high is not None and (
            result.high is None
            or (order_of(each.high), each.high_included)
            < (order_of(result.high), result.high_included)
        ):
            result = attrs.evolve(result, high=each.high, high_included=each.high_included)
    return result


def _contains(range_: _Range, value: AttributeValue) -> bool:
    order = order_of(value)
    if range_.low is not None:
        low = order_of(range_.low)
        if order < low or (order == low and not range_.low_included):
            return False
    if range_.high is not None:
        high = order_of(range_.high)
        if order > high or (order == high and not range_.high_included):
            return False
    return True


def _as_condition(
    operand: PathOperand, range_: _Range
) -> tuple[Condition | None, AttributeValue | None] | None:
    low, high = range_.low, range_.high
    if low is None and high is None:
        return None, None
    if high is not None and _empty(high):
        return None
    if high is None:
        assert low is not None
        return Comparison(">=" if range_.low_included else ">", operand, _value(low)), None
    if low is None:
        return Comparison("<=" if range_.high_included else "<", operand, _value(high)), None
    if not range_.low_included:
        above = _next(low)
        if above is None:
            return None
        low = above
    if not range_.high_included:
        before = _previous(high)
        if before is not None:
            high, range_ = before, attrs.evolve(range_, high_included=True)
    if order_of(low) > order_of(high) or (
        order_of(low) == order_of(high) and not range_.high_included
    ):
        return None
    left_out = None if range_.high_included else high
    return Between(operand, _value(low), _value(high)), left_out


def _value(stored: AttributeValue) -> Value:
    return Value(stored, next(iter(stored.values())))


def _next(value: AttributeValue) -> AttributeValue | None:
    """The least key above *value*; None above the greatest."""
    ((tag, payload),) = value.items()
    if tag != "N":
        data = payload.encode() if tag == "S" else binary(payload)
        if len(data) >= limits.SORT_KEY_BYTES:
            return _after_prefix(value)
        return {"S": payload + "\0"} if tag == "S" else {"B": data + b"\0"}
    number = Decimal(payload).next_plus(_CONTEXT)
    if not number.is_finite():
        return None
    if 0 < number.copy_abs() < _LEAST:
        number = _LEAST if number > 0 else Decimal(0)
    return {"N": str(number)}


def _previous(value: AttributeValue) -> AttributeValue | None:
    """The greatest value below *value*, where there is one: only numbers have it."""
    ((tag, payload),) = value.items()
    if tag != "N":
        return None
    # `-number` would round to the digits of the caller's context.
    negated = _next({"N": str(Decimal(payload).copy_negate())})
    if negated is None:
        return None
    number = Decimal(negated["N"]).copy_negate()
    return {"N": str(number) if number else "0"}


# --- Words --------------------------------------------------------------------------------------


def _place(index: Index | None) -> str:
    return "table" if index is None else f"index {index.name!r}"


def _fields(wanted: Wanted, attributes: Sequence[str]) -> str:
    by_attribute = {stored: name for name, stored in wanted.info.names.items()}
    return " and ".join(
        f"{wanted.info.name}.{by_attribute[each]}" if each in by_attribute else repr(each)
        for each in attributes
    )

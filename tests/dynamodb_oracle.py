"""What DynamoDB answers, in plain Python: conditions and updates on attribute maps.

It shares no code with the library: conditions are tuples such as ``("<", ("path", "a", 0), ("value",
{"N": "1"}))``, and a stored value is compared by its own rules. Values hold `bytes`, as botocore
gives them. Every rule here was seen on DynamoDB Local.

An operand is ``("value", v)``, ``("path", *steps)`` or ``("size", *steps)``. A condition is
``(operator, left, right)``, ``("between", x, low, high)``, ``("in", x, *choices)``,
``("begins_with" | "contains", path, x)``, ``("type", path, tag)``, ``("exists", path)``,
``("and" | "or", *parts)``, ``("not", part)`` or ``("constant", bool)``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from typing import Any

OPERATORS = {
    "=": operator.eq, "<>": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
ORDERED = ("S", "N", "B")
SETS = {"SS": "S", "NS": "N", "BS": "B"}


# --- Values ---------------------------------------------------------------------------------------


def canonical(value: dict[str, Any]) -> Any:
    """Equal for values that the service calls equal: numbers by value, sets in any order."""
    ((tag, payload),) = value.items()
    if tag == "N":
        return tag, Decimal(payload)
    if tag in SETS:
        return tag, frozenset(canonical({SETS[tag]: member}) for member in payload)
    if tag == "L":
        return tag, tuple(map(canonical, payload))
    if tag == "M":
        return tag, frozenset((name, canonical(member)) for name, member in payload.items())
    return tag, payload


def order(value: dict[str, Any]) -> Any:
    """What values of one type are ordered by: text by its UTF-8 bytes."""
    ((tag, payload),) = value.items()
    if tag == "N":
        return Decimal(payload)
    return payload.encode() if tag == "S" else payload


def tag_of(value: dict[str, Any]) -> str:
    ((tag, _),) = value.items()
    return tag


def at(item: dict[str, Any], steps: tuple[str | int, ...]) -> dict[str, Any] | None:
    """The value at a path, None if there is nothing."""
    value: Any = {"M": item}
    for step in steps:
        inside = value.get("L" if isinstance(step, int) else "M")
        if isinstance(step, int):
            if inside is None or step >= len(inside):
                return None
        elif inside is None or step not in inside:
            return None
        value = inside[step]
    return value


def length(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """`size`: text in UTF-16 units, bytes, members; numbers, booleans and NULL have none."""
    if value is None:
        return None
    ((tag, payload),) = value.items()
    if tag in ("N", "BOOL", "NULL"):
        return None
    return {"N": str(len(payload.encode("utf-16-le")) // 2 if tag == "S" else len(payload))}


# --- Conditions -----------------------------------------------------------------------------------


def holds(condition: tuple[Any, ...], item: dict[str, Any]) -> bool:
    """Whether the service finds *item* when it is asked for *condition*."""
    word, *rest = condition
    if word == "constant":
        return bool(rest[0])
    if word == "not":
        return not holds(rest[0], item)
    if word == "and":
        return all(holds(part, item) for part in rest)
    if word == "or":
        return any(holds(part, item) for part in rest)
    first = _operand(rest[0], item)
    if word == "exists":
        return first is not None
    if word == "type":
        return first is not None and tag_of(first) == rest[1]
    others = [_operand(each, item) for each in rest[1:]]
    if word == "between":
        return _compare(">=", first, others[0]) and _compare("<=", first, others[1])
    if word == "in":
        return any(_compare("=", first, each) for each in others)
    [other] = others
    if word == "begins_with":
        return _begins_with(first, other)
    if word == "contains":
        return _contains(first, other)
    return _compare(word, first, other)


def _operand(operand: tuple[Any, ...], item: dict[str, Any]) -> dict[str, Any] | None:
    kind, *rest = operand
    if kind == "value":
        return rest[0]  # type: ignore[no-any-return]
    found = at(item, tuple(rest))
    return length(found) if kind == "size" else found


def _compare(word: str, left: dict[str, Any] | None, right: dict[str, Any] | None) -> bool:
    """What is absent differs from everything, even from what is absent, and has no order."""
    if left is None or right is None:
        return word == "<>"
    if word in ("=", "<>"):
        return bool(OPERATORS[word](canonical(left), canonical(right)))
    if tag_of(left) != tag_of(right) or tag_of(left) not in ORDERED:
        return False
    return bool(OPERATORS[word](order(left), order(right)))


def _begins_with(whole: dict[str, Any] | None, prefix: dict[str, Any] | None) -> bool:
    if whole is None or prefix is None or tag_of(whole) != tag_of(prefix):
        return False
    return tag_of(whole) in ("S", "B") and bool(order(whole).startswith(order(prefix)))


def _contains(whole: dict[str, Any] | None, part: dict[str, Any] | None) -> bool:
    if whole is None or part is None:
        return False
    ((tag, payload),) = whole.items()
    if tag in ("S", "B"):
        return tag_of(part) == tag and part[tag] in payload
    if tag in SETS:
        members = [{SETS[tag]: member} for member in payload]
    elif tag == "L":
        members = payload
    else:
        return False
    return canonical(part) in [canonical(member) for member in members]


# --- Updates --------------------------------------------------------------------------------------


class Refused(Exception):
    """The service refuses an update, for what the item is."""


def update(actions: list[tuple[Any, ...]], item: dict[str, Any]) -> dict[str, Any]:
    """The item after an update. Every operand is read from the item as it was before.

    An action is ``("SET", steps, operand)``, ``("REMOVE", steps)``, ``("ADD" | "DELETE", steps,
    value)``. An operand of SET is that of a condition, or ``("+" | "-", left, right)``,
    ``("if_not_exists", path, operand)``, ``("list_append", left, right)``.

    Where a set was stored as NULL or as a list, ADD and DELETE act on its members, as in
    `dynattrs`: DynamoDB itself refuses them.

    Raises:
        Refused: An operand is absent or has the wrong type, or a place's container is absent.
    """
    new = fresh({"M": item})["M"]
    # Values are all computed before anything changes; lists shrink only at the end.
    changes = [_change(action, item) for action in actions]
    appended = []
    for steps, value in changes:
        container = _container(new, steps)
        last = steps[-1]
        if isinstance(last, str):
            if value is None:
                container.pop(last, None)
            else:
                container[last] = value
        elif last < len(container):
            container[last] = value
        elif value is not None:
            # Past the end: appended, in the order of the positions.
            appended.append((steps[:-1], last, value))
    for steps, _, value in sorted(appended, key=lambda each: each[1]):
        _container(new, (*steps, 0)).append(value)
    return _without_gaps({"M": new})["M"]  # type: ignore[no-any-return]


def with_parents(
    actions: list[tuple[Any, ...]],
    item: dict[str, Any],
    whole: Callable[[tuple[Any, ...], Any], Any] = lambda place, value: value,
    defaults: Mapping[tuple[Any, ...], Any] | None = None,
) -> dict[str, Any]:
    """The item after an update where some of what its places are in is missing: that is made whole, of its
    defaults, as `dynattrs` does it. A removal makes nothing.

    Args:
        actions: As of `update`.
        item: The item.
        whole: What a save would store of a value at a place.
        defaults: What places read as where nothing is stored; others as an empty list or map.

    Raises:
        Refused: As `update`; or an element of a list is missing.
    """
    left, defaults = list(actions), defaults or {}
    places = {place for action in left if (place := _missing(action[1], item)) is not None}
    for place in sorted(places, key=str):
        inside = [action for action in left if action[1][: len(place)] == place]
        left = [action for action in left if action not in inside]
        begun = fresh({"M": item})["M"]
        holder, last = _container(begun, place), place[-1]
        empty: dict[str, Any] = (
            {"L": []} if isinstance(inside[0][1][len(place)], int) else {"M": {}}
        )
        base = holder[last] = fresh(defaults.get(place, empty))
        made = at(with_parents(inside, begun, whole, defaults), place)
        removing = all(action[0] in ("REMOVE", "DELETE") for action in inside)
        if not removing or made != base:
            left.append(("SET", place, ("value", whole(place, made))))
    return update(left, item)


def _missing(steps: tuple[Any, ...], item: dict[str, Any]) -> tuple[Any, ...] | None:
    """The outermost place around another one where there is nothing, or NULL."""
    for depth in range(1, len(steps)):
        value = at(item, steps[:depth])
        if value is None or "NULL" in value:
            if value is None and isinstance(steps[depth - 1], int):
                raise Refused(steps)
            return steps[:depth]
        if ("L" if isinstance(steps[depth], int) else "M") not in value:
            raise Refused(steps)
    return None


def fresh(value: dict[str, Any]) -> dict[str, Any]:
    """A copy that shares nothing, not even with itself: `copy.deepcopy` keeps what is one object."""
    ((tag, payload),) = value.items()
    if tag == "L":
        return {tag: [fresh(member) for member in payload]}
    if tag == "M":
        return {tag: {name: fresh(member) for name, member in payload.items()}}
    return {tag: payload}


def _container(item: dict[str, Any], steps: tuple[str | int, ...]) -> Any:
    holder = at(item, steps[:-1])
    wanted = "L" if isinstance(steps[-1], int) else "M"
    if holder is None or wanted not in holder:
        raise Refused(steps)
    return holder[wanted]


def _without_gaps(value: dict[str, Any]) -> dict[str, Any]:
    ((tag, payload),) = value.items()
    if tag == "L":
        return {tag: [_without_gaps(member) for member in payload if member is not None]}
    if tag == "M":
        return {tag: {name: _without_gaps(member) for name, member in payload.items()}}
    return value


def _change(action: tuple[Any, ...], item: dict[str, Any]) -> tuple[Any, dict[str, Any] | None]:
    clause, steps, *rest = action
    if clause == "REMOVE":
        return steps, None
    if clause == "SET":
        return steps, _computed(rest[0], item)
    old, [value] = at(item, steps), rest
    return steps, (_added if clause == "ADD" else _deleted)(old, value)


def _computed(operand: tuple[Any, ...], item: dict[str, Any]) -> dict[str, Any]:
    word, *rest = operand
    if word in ("+", "-"):
        left, right = (_number(_computed(each, item)) for each in rest)
        return _sum(left, right if word == "+" else right.copy_negate())
    if word == "list_append":
        left, right = (_computed(each, item) for each in rest)
        if tag_of(left) != "L" or tag_of(right) != "L":
            raise Refused(operand)
        return {"L": [fresh(member) for member in left["L"] + right["L"]]}
    if word == "if_not_exists":
        # The default is computed in any case: where it is absent itself, the update is refused.
        found, default = _operand(rest[0], item), _computed(rest[1], item)
        return default if found is None else fresh(found)
    found = _operand(operand, item)
    if found is None:
        raise Refused(operand)
    return fresh(found)


def _number(value: dict[str, Any]) -> Decimal:
    if "N" not in value:
        raise Refused(value)
    return Decimal(value["N"])


def _sum(left: Decimal, right: Decimal) -> dict[str, Any]:
    with localcontext() as context:
        context.prec = 400
        total = left + right
        digits = len(total.normalize().as_tuple().digits)
    if total and (digits > 38 or total.adjusted() > 125 or total.adjusted() < -130):
        raise Refused(total)
    return {"N": str(total)}


def _added(old: dict[str, Any] | None, value: dict[str, Any]) -> dict[str, Any]:
    ((tag, payload),) = value.items()
    if old is None:
        return value
    if tag in SETS and "NULL" in old:
        return value
    if tag in SETS and "L" in old:
        return _listed(old, value, adding=True)
    if tag not in old:
        raise Refused(old)
    if tag == "N":
        return _sum(Decimal(old["N"]), Decimal(payload))
    return {tag: [*old[tag], *payload]}


def _listed(old: dict[str, Any], value: dict[str, Any], *, adding: bool) -> dict[str, Any]:
    """A list with or without the members of a set: a set again where all are of its kind."""
    kind = SETS[tag_of(value)]
    stated = [{kind: member} for member in value[tag_of(value)]]
    forms = [canonical(member) for member in (old["L"] if adding else stated)]
    if adding:
        members = [*old["L"], *(each for each in stated if canonical(each) not in forms)]
    else:
        members = [each for each in old["L"] if canonical(each) not in forms]
    if members and all(kind in each for each in members):
        return {tag_of(value): [each[kind] for each in members]}
    return {"L": members}


def _deleted(old: dict[str, Any] | None, value: dict[str, Any]) -> dict[str, Any] | None:
    tag = tag_of(value)
    if old is None or "NULL" in old:
        return old
    if "L" in old:
        return _listed(old, value, adding=False)
    if tag not in old:
        raise Refused(old)
    gone = canonical(value)[1]
    kept = [each for each in old[tag] if canonical({SETS[tag]: each}) not in gone]
    return {tag: kept} if kept else None

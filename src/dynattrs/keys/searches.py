"""Conditions to the index and the terms of a search.

A search states one value of the index's partition key, where it has one, and may state one of each of its
filters. Everything else is refused: what would be left out after the search would have taken places among
the nearest.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/VectorSearchFilterReference.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from dynattrs import limits
from dynattrs.errors import AmbiguousIndex, NoIndex, PartialIndex, QueryError
from dynattrs.expressions.conditions import Comparison, Condition, Constant, conjunctions
from dynattrs.expressions.paths import did_you_mean
from dynattrs.keys.bounds import Bound, bounds_of
from dynattrs.keys.discriminator import subclasses, template_of
from dynattrs.keys.impossible import check_equalities
from dynattrs.keys.kind_bounds import kinds_of, with_kinds
from dynattrs.keys.planner import _attributes, fields_written, touches
from dynattrs.keys.plans import Wanted
from dynattrs.keys.ranges import fold, stored_in
from dynattrs.schema import vectors
from dynattrs.schema.model_info import ModelInfo, models_in
from dynattrs.schema.table import AttributeValue
from dynattrs.schema.vectors import VectorIndex
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden


@attrs.frozen
class SearchPlan:
    """The request that answers a search.

    Attributes:
        index: The index.
        terms: What is stated, the partition key first.
        nothing: Why no item can match, so that nothing is asked; None where some may.
        why: The reasons, a sentence each.
    """

    index: VectorIndex
    terms: tuple[Condition, ...] = ()
    nothing: str | None = None
    why: tuple[str, ...] = ()


def indexes_over(info: ModelInfo, attribute: str | None) -> list[VectorIndex]:
    """The vector indexes over an attribute of a model; all of the model's where that is None.

    Raises:
        NoIndex: There is none.
    """
    own = {*info.names.values()}
    found = [
        index
        for index in info.table.vector_indexes
        if index.vector == attribute or (attribute is None and index.vector in own)
    ]
    if not found:
        shown = info.name if attribute is None else _labels(info, attribute)
        raise NoIndex(
            f"{shown} has no vector index; declare one: indexes=[VectorIndex('…', vector=…, "
            f"dimensions=…)]"
        )
    return found


def plan_search(
    info: ModelInfo, indexes: Sequence[VectorIndex], where: Iterable[Condition], using: str | None
) -> SearchPlan:
    """The plan for a search.

    Raises:
        NoIndex: The index's partition key is not stated, or the table has no index of that name.
        AmbiguousIndex: Several would serve equally well.
        QueryError: A condition is none that a search can state, or other models' items would be found.
        ImpossibleKey: No item can have a value that is stated.
    """
    parts = conjunctions(where)
    if using is not None:
        named = {index.name: index for index in indexes}
        if using not in named:
            known = f"; it has {' and '.join(map(repr, named))}"
            raise QueryError(
                f"{info.name} has no vector index {using!r} over what is searched"
                f"{did_you_mean(using, named) or known}"
            )
        return _planned(info, named[using], parts, (f"index {using!r} is pinned by using()",))
    if len(indexes) == 1:
        return _planned(info, indexes[0], parts, ("it is the only vector index over the field",))
    found: list[SearchPlan] = []
    refusals: list[QueryError] = []
    for index in indexes:
        try:
            found.append(_planned(info, index, parts, ()))
        except QueryError as error:
            refusals.append(error)
    if not found:
        raise refusals[0]
    # One that is divided by what is stated reads less.
    divided = [each for each in found if each.index.partition_key is not None]
    best, *others = divided or found
    if others:
        names = " and ".join(repr(each.index.name) for each in (best, *others))
        raise AmbiguousIndex(
            f"the vector indexes {names} of {info.name} would serve equally well; name one with using(...)"
        )
    reason = "it takes the conditions"
    if divided:
        reason = "its partition key is stated"
    return attrs.evolve(best, why=(f"index {best.index.name!r}: {reason}",))


def _planned(
    info: ModelInfo, index: VectorIndex, parts: Sequence[Condition], why: tuple[str, ...]
) -> SearchPlan:
    constant = next((p for p in parts if isinstance(p, Constant) and not p.value), None)
    if constant is not None:
        return SearchPlan(index, nothing=f"{constant} matches nothing", why=why)
    stated = [part for part in parts if not isinstance(part, Constant)]
    bounds = with_kinds((info,), bounds_of((info,), stated))
    terms: dict[str, Comparison] = {}
    covered: set[int] = set()
    for name in index.search_attributes:
        bound = bounds.get(name)
        if bound is None or bound.kinds:
            continue
        if not bound.equal and bound.never is None:
            continue
        check_equalities(info, name, bound)
        if isinstance(bound.never, str):
            return SearchPlan(index, nothing=bound.never, why=why)
        if fold(bound.equal, (), limits.ITEM_BYTES) is None:
            reason = f"the conditions on {_labels(info, name)} contradict each other"
            return SearchPlan(index, nothing=reason, why=why)
        terms[name] = bound.equal[0]
        # Ranges beside an equality are not asked.
        covered |= bound.covered - {*map(id, bound.ranges)}
    for part in stated:
        if id(part) not in covered:
            raise _refused(info, index, part)
    if index.partition_key is not None and index.partition_key not in terms:
        raise _lacking(info, index, bounds)
    values = {name: stored_in(term.right) for name, term in terms.items()}
    _check_alone(info, index, values)
    return SearchPlan(index, tuple(terms.values()), why=why)


def _refused(info: ModelInfo, index: VectorIndex, part: Condition) -> QueryError:
    allowed = _labels(info, *index.search_attributes)
    what = (
        f"takes equalities of {allowed} only"
        if allowed
        else "has no filters, so it takes no condition"
    )
    # Stating another filter helps nothing where the index has these: the form of the condition is not theirs.
    declared = touches(part) <= {*_stated_by(info, index)}
    return QueryError(
        f"the condition {part} cannot be part of a search: index {index.name!r} {what}, and what is left out "
        f"afterwards takes a place among the nearest; "
        + (
            "search once for each value and order all hits by hit.distance, "
            if declared
            else "declare the field in the index's filters=[...], "
        )
        + "or search with a greater top_k and choose in Python"
    )


def _stated_by(info: ModelInfo, index: VectorIndex) -> Iterator[str]:
    """The attributes whose equalities a search over an index takes, by themselves or in a template."""
    for attribute in index.search_attributes:
        template = template_of(info, attribute)
        if template is None:
            yield attribute
        else:
            yield from (str(slot.steps[0]) for slot in template.slots)


def _lacking(info: ModelInfo, index: VectorIndex, bounds: Mapping[str, Bound]) -> NoIndex:
    key = index.partition_key or ""
    if (bound := bounds.get(key)) is not None and bound.kinds:
        return NoIndex(
            f"index {index.name!r} is divided by the kind, and items of {info.name} are of several, "
            f"{', '.join(map(repr, bound.kinds))}; search one of the subclasses"
        )
    return NoIndex(
        f"index {index.name!r} is divided by {_labels(info, key)}, and a search reads one part of it: state "
        f"where({_labels(info, key)} == ...)"
    )


def _check_alone(info: ModelInfo, index: VectorIndex, values: Mapping[str, AttributeValue]) -> None:
    """Refuse a search that finds other models' items as well: they would take places among the nearest.

    Raises:
        QueryError: It names them.
    """
    ours = (info, *subclasses(info))
    others = [
        other.name
        for other in models_in(info.table)
        if other not in ours
        and index.vector in other.names.values()
        and not any(_is_apart(other, name, value) for name, value in values.items())
    ]
    if others:
        kind, kinds = info.table.discriminator, kinds_of((info,))
        if kind and len(kinds) > 1:
            remedy = (
                f"a search states one kind only, and items of {info.name} are of several, "
                f"{', '.join(map(repr, kinds))}: search one of the subclasses, tell the models apart by "
                f"different templates of a filter or the partition key"
            )
        elif kind:
            remedy = f"add {kind!r} to the index's filters"
        else:
            remedy = "give each an index of its own"
        raise QueryError(
            f"index {index.name!r} has items of {' and '.join(others)} as well, which would take places "
            f"among the nearest of {info.name}; {remedy}, or give one of the models another vector field"
        )


def _is_apart(other: ModelInfo, attribute: str, value: AttributeValue) -> bool:
    """Whether no item of another model has this value there."""
    if attribute == other.table.discriminator:
        return True
    template = template_of(other, attribute)
    if template is not None:
        return template.tag == "S" and not template.pattern.fullmatch(value.get("S", ""))
    return attribute not in other.names.values()


# --- What is read of each item ------------------------------------------------------------------


def needed(info: ModelInfo) -> tuple[str, ...]:
    """The attributes that whole objects of a model are made of, those of subclasses included."""
    found: dict[str, None] = dict.fromkeys(info.table.key)
    for each in (info, *subclasses(info)):
        found.update(dict.fromkeys((*_attributes(each), *each.formerly)))
        if each.versioned:
            found[each.schema_attribute] = None
    return tuple(found)


def check_held(
    info: ModelInfo, index: VectorIndex, needs: Iterable[str] | None, *, hydrate: bool
) -> bool:
    """Whether whole items must be fetched after a search.

    Args:
        info: The model.
        index: What is searched.
        needs: The attributes that are read; None for the whole item.
        hydrate: Whether whole items were asked for.

    Raises:
        PartialIndex: The search gives less than is needed, and nothing was said about that.
    """
    held = vectors.held_by(index, info.table.key)
    wanted = needed(info) if needs is None else tuple(needs)
    lacking = [] if held is None else [name for name in wanted if name not in held]
    infos = (info, *subclasses(info))
    others = needs is None and any(each.unknown == "keep" or each.upgrades for each in infos)
    if not lacking and not others:
        return False
    if hydrate:
        return True
    what = f"does not hold {_labels(info, *lacking)}"
    if needs is not None:
        raise PartialIndex(
            f"index {index.name!r} {what}; ask for the whole items with hydrate(), which fetches them by "
            f"their keys, or give the index a projection with that"
        )
    if not lacking:
        what = f"leaves out {_labels(info, index.vector)} and whatever else a search does not name"
    raise PartialIndex(
        f"index {index.name!r} {what}, and a {info.name} that lacks that must not be saved back; ask for "
        f"the whole items with hydrate(), which fetches them by their keys, or for the fields it holds with "
        f"as_(...) or select(...)"
    )


# --- Words --------------------------------------------------------------------------------------


def _labels(info: ModelInfo, *attributes: str) -> str:
    return fields_written(Wanted(info, ()), attributes)

"""Plans of several requests, where conditions on keys are more than one key condition can say.

`in_`, `|` and `!=` have alternatives (`dynattrs.keys.alternatives`). Each is planned as any query is, on
one index for all; of one partition's plans disjoint ones are made (`dynattrs.keys.intervals`). Where a
query can be answered with one request it is, unless a template's key would narrow it otherwise. Items of
subclasses may lie elsewhere in an index than their base's (`dynattrs.keys.subclass_keys`): then they are
alternatives as well.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from dynattrs import limits
from dynattrs.errors import NoIndex, QueryError, SparseIndex
from dynattrs.expressions.conditions import (
    Condition,
    Constant,
    In,
    Joined,
    Operand,
    all_conditions,
    any_conditions,
    conjunctions,
)
from dynattrs.keys import planner, subclass_keys
from dynattrs.keys.alternatives import (
    Alternatives,
    Place,
    TooMany,
    may_fork,
    speaks_of,
)
from dynattrs.keys.bounds import Bound, attribute_operand, bounds_of, is_equality
from dynattrs.keys.discriminator import template_of
from dynattrs.keys.guards import without_guards
from dynattrs.keys.intervals import Operands, disjoint
from dynattrs.keys.kind_bounds import with_kinds
from dynattrs.keys.planner import Choice
from dynattrs.keys.plans import Plan, Wanted
from dynattrs.keys.ranges import operand_of, stored_in
from dynattrs.quoting import shortened
from dynattrs.schema.indexes import KeySchema
from dynattrs.schema.model_info import ModelInfo, guarded_tables
from dynattrs.schema.ordering import order_of
from dynattrs.tracebacks import hidden

__tracebackhide__ = hidden

#: The most characters of conditions in a message.
_MOST: Final = 200


def plan(wanted: Wanted) -> Plan:
    """As `plan_of`. A subclass that is named beside its base need not have its keys in an index: a query
    for the base asks for them.

    Raises:
        NoIndex, AmbiguousIndex, SparseIndex, PartialIndex, QueryError: As `plan_of` does.
    """
    try:
        return plan_of(wanted)
    except NoIndex:
        bases = subclass_keys.bases_of(wanted.infos)
        if wanted.scan or len(bases) == len(wanted.infos):
            raise
        with contextlib.suppress(NoIndex):
            found = plan_of(subclass_keys.for_models(wanted, bases))
            # Of the table's own keys those of each are meant.
            if found.index is not None:
                return found
        raise


def plan_of(wanted: Wanted) -> Plan:
    """As `planner.plan`, of conditions that may have alternatives, and models whose subclasses have.

    Raises:
        NoIndex, AmbiguousIndex, SparseIndex, PartialIndex, QueryError: As `planner.plan` does; and where it
            takes more requests than are allowed.
    """
    said = conjunctions(wanted.where)
    constants = [
        each for each in (*said, *conjunctions(wanted.filters)) if isinstance(each, Constant)
    ]
    where = [part for part in said if not isinstance(part, Constant)]
    forks = [part for part in where if may_fork(part)]
    if wanted.scan or not all(each.value for each in constants):
        return planner.plan(wanted)
    if not forks and not subclass_keys.keyed_apart(wanted.infos):
        return planner.plan(wanted)
    plain = [part for part in where if not may_fork(part)]
    bounds = with_kinds(wanted.infos, bounds_of(wanted.infos, plain))
    choice, refused = None, None
    try:
        choice = planner.choose(wanted, where, bounds)
        stated = any(bounds[name].fields for name in choice.keys.partition)
        if stated or wanted.using is not None:
            return _plan_of(wanted, choice, plain, forks)
    except QueryError as error:
        refused = error
    # No field names one partition, or the index that it is of does not serve; several may be named.
    try:
        other = planner.choose(wanted, where, _bounds_of_all(wanted, plain, forks))
        if choice is None or other.keys != choice.keys:
            return _plan_of(wanted, other, plain, forks, forked=True)
    except QueryError as error:
        if refused is not None and isinstance(error, NoIndex):
            raise refused from None
        if choice is None or refused is not None:
            raise
    if refused is not None:
        raise refused
    assert choice is not None
    return _plan_of(wanted, choice, plain, forks)


def _plan_of(
    wanted: Wanted,
    choice: Choice,
    plain: Sequence[Condition],
    forks: Sequence[Condition],
    *,
    forked: bool = False,
) -> Plan:
    asked, said = _with_subclasses(wanted, choice, plain, forks)
    apart = asked != [wanted]
    found = _Forked(asked, choice, plain, forks, forked=forked, apart=apart).plan()
    if found is None:
        found = planner.plan(wanted)
    return attrs.evolve(found, why=(*found.why, *said)) if said else found


def _with_subclasses(
    wanted: Wanted, choice: Choice, plain: Sequence[Condition], forks: Sequence[Condition]
) -> tuple[list[Wanted], list[str]]:
    """What is asked of an index: one question, or one for each way in which subclasses make their keys.
    And what `explain()` says about that.

    Raises:
        SparseIndex: The conditions do not say where items of a subclass are.
    """
    keys = choice.keys
    groups = subclass_keys.others_in(wanted, keys)
    if not groups:
        return [wanted], []
    others = [info for group in groups for info in group]
    if keys.index is None:
        named = subclass_keys.shown(others, keys)
        return [wanted], [
            f"a query looks under the table's keys of the class that it names, not of {named}"
        ]
    where = [*plain, *forks]
    whole = subclass_keys.for_models(wanted, [*wanted.infos, *others])
    if _may_answer(whole, keys, plain, forks):
        _check_whole(whole, keys, where)
        named = subclass_keys.shown(others, keys)
        return [whole], [f"the key condition takes in the keys of subclasses as well: {named}"]
    each = [subclass_keys.for_models(wanted, group) for group in groups]
    found = [one for one in each if _may_answer(one, keys, plain, forks)]
    unknown = [info for one in each if one not in found for info in one.infos]
    if unknown and wanted.using is None:
        raise SparseIndex(
            f"{keys} would serve, but it holds items of {subclass_keys.shown(unknown, keys)} under other "
            f"keys, which the conditions do not state: the answer could lack items that match; state the "
            f"fields of these keys as well, ask for these items with a query of their own, or pin the "
            f"index with using({keys.index.name!r}) to do without them"
        )
    said = []
    if found:
        for one in found:
            _check_whole(one, keys, where)
        named = subclass_keys.shown([info for one in found for info in one.infos], keys)
        said.append(f"the keys of subclasses are asked for as well: {named}")
    if unknown:
        named = subclass_keys.shown(unknown, keys)
        said.append(f"items under keys that the conditions do not state are not asked for: {named}")
    return [wanted, *found], said


def _may_answer(
    wanted: Wanted, keys: KeySchema, plain: Sequence[Condition], forks: Sequence[Condition]
) -> bool:
    """Whether a query of an index can be for these models, in each of the alternatives."""
    return planner.usable(wanted, keys, _bounds_of_all(wanted, plain, forks)) is not None


def _check_whole(wanted: Wanted, keys: KeySchema, where: list[Condition]) -> None:
    if wanted.using is None:
        planner.check_whole(wanted, keys, where)


def _bounds_of_all(
    wanted: Wanted, plain: Sequence[Condition], forks: Sequence[Condition]
) -> Mapping[str, Bound]:
    """What every alternative says of key attributes, as far as the choice of an index depends on it."""
    table = wanted.info.table
    own = {(name,) for name in table.key_attributes}
    places = own | {place for info in wanted.infos for place in _slots(info, table.key_attributes)}
    # Alternatives that bind the same places are one.
    try:
        cases = Alternatives(places, own, limits.FAN_OUT, alike=True).of_all(forks)
    except TooMany:
        raise QueryError(
            f"the conditions {_written(forks)} allow too many combinations of keys to plan; state fewer"
        ) from None
    each = [bounds_of(wanted.infos, [*plain, *case]) for case in cases]
    if not each:
        return with_kinds(wanted.infos, bounds_of(wanted.infos, plain))
    shared = [name for name in each[0] if all(name in bounds for bounds in each)]
    return with_kinds(
        wanted.infos, {name: _weakest([bounds[name] for bounds in each]) for name in shared}
    )


def _weakest(bounds: Sequence[Bound]) -> Bound:
    fields = min(bound.fields for bound in bounds)
    equal = [bound for bound in bounds if bound.equal]
    if all(bound.equal or bound.never is not None for bound in bounds):
        return attrs.evolve(equal[0] if equal else bounds[0], fields=fields)
    return Bound((), next(bound.ranges for bound in bounds if bound.ranges), fields=fields)


def _slots(info: ModelInfo, attributes: Iterable[str]) -> Iterable[Place]:
    """Where the fields are that some key attributes are made of."""
    made = (template_of(info, attribute) for attribute in attributes)
    return (slot.steps for template in made if template is not None for slot in template.slots)


def _written(parts: Iterable[Condition]) -> str:
    return shortened(" and ".join(map(str, parts)), _MOST)


class _Forked:
    """A query of one index, some of whose conditions have alternatives.

    Args:
        asked: The question; several, each about other models, where these have other keys.
        choice: The index.
        plain: The conditions without alternatives.
        forks: Those that may have some.
        forked: Whether these name the partitions.
        apart: Whether more is asked than the planner would ask by itself.
    """

    def __init__(
        self,
        asked: Sequence[Wanted],
        choice: Choice,
        plain: Sequence[Condition],
        forks: Sequence[Condition],
        *,
        forked: bool,
        apart: bool,
    ) -> None:
        infos = [info for each in asked for info in each.infos]
        self._asked = asked
        self._apart = apart
        self._wanted = wanted = subclass_keys.for_models(asked[0], infos)
        self._choice = choice
        self._keys: KeySchema = choice.keys
        self._plain = plain
        self._forks = forks
        self._own = {(name,) for name in (*self._keys.partition, *self._keys.sort)}
        partition = self._of_templates(self._keys.partition) if forked else set()
        only = {
            (info.names[name],)
            for info in wanted.infos
            if info.keys is not None
            for name in info.keys.key_only
        }
        #: What no filter can be on, or what must be known to find the partition.
        self._must = self._own | partition | only
        #: What narrows where it is known.
        self._may = self._of_templates(self._keys.sort)

    def _of_templates(self, attributes: Iterable[str]) -> set[Place]:
        return {place for info in self._wanted.infos for place in _slots(info, attributes)}

    def plan(self) -> Plan | None:
        """The plan; None where one request finds as little.

        Raises:
            QueryError: It takes more requests than are allowed.
        """
        must = [part for part in self._forks if speaks_of(part, self._must)]
        more = [
            part
            for part in self._forks
            if isinstance(part, (In, Joined))
            and speaks_of(part, self._may)
            and not speaks_of(part, self._must)
        ]
        if more:
            try:
                found = self._asking([*must, *more])
            except (TooMany, _Beyond):
                found = None
            if found is not None and (must or self._apart or len(_requests(found)) > 1):
                return found
        if not must and not self._apart:
            return None
        try:
            return self._asking(must)
        except TooMany:
            raise QueryError(
                f"the conditions {_written(must)} have more alternatives than {self._most:,}: a query "
                f"asks for so many at most with fan_out={self._wanted.fan_out}; {self._ways()}"
            ) from None
        except _Beyond as beyond:
            raise QueryError(
                f"{self._said(must)} take {beyond.count:,} requests, one for each part "
                f"of {self._keys} that they name, and fan_out={self._wanted.fan_out} allows "
                f"{self._wanted.fan_out}; {self._ways(beyond.count)}"
            ) from None

    def _said(self, forks: Sequence[Condition]) -> str:
        if forks:
            return f"the conditions {_written(forks)}"
        return f"the subclasses of {self._asked[0].info.name}, which have keys of their own,"

    def _ways(self, count: int | None = None) -> str:
        more = "a larger fan_out" if count is None else f"where(..., fan_out={count})"
        return f"ask for fewer at once, or allow more with {more}"

    @property
    def _most(self) -> int:
        return self._wanted.fan_out * limits.BATCH_GET_ITEMS

    def _asking(self, forks: Sequence[Condition]) -> Plan:
        """The plan in which some conditions are taken apart."""
        taken = set(map(id, forks))
        rest = [part for part in self._forks if id(part) not in taken]
        places = self._must | self._may
        cases = Alternatives(places, self._own, self._most).of_all(forks)
        plans = [
            self._of_case(wanted, [*self._plain, *rest, *case])
            for case in cases
            for wanted in self._asked
        ]
        possible = [each for each in plans if each.operation != "nothing"]
        if not possible:
            said = plans[0].why if plans else (f"{_written(forks)} matches nothing",)
            return Plan("nothing", self._keys.index, why=said)
        return self._together(possible, merged=self._wanted.merged or len(cases) == 1)

    def _of_case(self, wanted: Wanted, parts: list[Condition]) -> Plan:
        keys = self._keys
        bounds = with_kinds(wanted.infos, bounds_of(wanted.infos, parts))
        used = planner.usable(wanted, keys, bounds)
        if used is None:  # a range binds a period, such as a month, where it lies in one
            raise NoIndex(
                f"{_written(parts)} does not say which partition of the {keys} is asked for: state "
                f"{planner.fields_written(wanted, keys.partition)} == ... in every alternative"
            )
        also = [part for part in conjunctions(wanted.filters) if not isinstance(part, Constant)]
        choice = attrs.evolve(self._choice, sort=used)
        found = planner.query_plan(wanted, choice, parts, also, bounds)
        guarded = wanted.info.table.name in guarded_tables
        return without_guards(found, wanted.info) if guarded else found

    def _together(self, plans: Sequence[Plan], *, merged: bool) -> Plan:
        """One plan for several of one index, *merged* where that has a sort key."""
        wanted, keys, width = self._wanted, self._keys, len(self._keys.partition)
        by_partition: dict[Any, list[Plan]] = {}
        for each in plans:
            values = tuple([order_of(stored_in(right_of(part))) for part in each.key[:width]])
            by_partition.setdefault(values, []).append(each)
        operands = self._operands(plans)
        partitions = tuple([tuple(disjoint(some, operands)) for some in by_partition.values()])
        partitions = tuple([each for each in partitions if each])
        every = [*itertools.chain.from_iterable(partitions)]
        first = every[0]
        if len(every) == 1:
            return first
        if wanted.merged and len(partitions) > 1 and not keys.sort:
            raise QueryError(
                f"merged() sorts the items of several partitions by the sort key, and the {keys} has none; "
                f"without merged() partitions come in the order in which they are named"
            )
        merged = merged and len(partitions) > 1 and bool(keys.sort)
        whole = self._are_whole_keys(every)
        requests = sum(each.shards or 1 for each in every)
        if whole:
            requests = -(-len(every) // limits.BATCH_GET_ITEMS)
        if requests > wanted.fan_out:
            raise _Beyond(requests)
        reason = (
            f"all {len(every)} keys are known: their items are got, {limits.BATCH_GET_ITEMS} at a time"
            if whole
            else f"no one key condition says all of it: {requests} are asked, "
            f"{_counted(partitions, merged=merged)}"
        )
        return attrs.evolve(
            first,
            operation="batch_get" if whole else "query",
            key=(),
            filter=None,
            excluded=None,
            why=(*self._choice.why, reason),
            again=_any_again(every),
            partitions=partitions,
            merged=merged,
        )

    def _operands(self, plans: Sequence[Plan]) -> Operands:
        """The sort key's operands, which messages call as the conditions did."""
        wanted, made = self._wanted, operands_of(self._wanted.info, self._keys)
        stated = {operand.steps: operand for each in plans for operand in map(operand_of, each.key)}
        sort = tuple([stated.get(each.steps, each) for each in made.sort])
        return attrs.evolve(made, sort=sort, may_be=functools.partial(planner.may_be_key, wanted))

    def _are_whole_keys(self, plans: Iterable[Plan]) -> bool:
        """Whether each plan names the whole key of one item of the table, and asks no more of it."""
        length = len(self._own)
        return self._keys.index is None and all(
            len(each.key) == length
            and all(map(is_equality, each.key))
            and each.filter is None
            and not each.kinds
            for each in plans
        )


class _Beyond(Exception):
    """There are more requests than are allowed."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


def _requests(plan: Plan) -> list[Plan]:
    return [*itertools.chain.from_iterable(plan.partitions)] or [plan]


def _any_again(plans: Sequence[Plan]) -> tuple[Condition, ...]:
    """What is asked of the fields of an item that any of some plans has found."""
    if not all(each.again for each in plans):
        return ()
    distinct = {frozenset(map(id, each.again)): each.again for each in plans}
    return (any_conditions([all_conditions(each) for each in distinct.values()]),)


def right_of(part: Condition) -> Operand:
    """What an equality names."""
    assert is_equality(part)
    return part.right


def _counted(partitions: Sequence[Sequence[Plan]], *, merged: bool) -> str:
    if len(partitions) == 1:
        return "for ranges of one partition, one after the other in its order"
    order = (
        "merged in the order of the sort key" if merged else "in the order in which they are named"
    )
    return f"in {len(partitions)} partitions, {order}"


def operands_of(info: ModelInfo, keys: KeySchema) -> Operands:
    """The sort key of an index, as operands of its conditions."""
    sort = tuple([attribute_operand(info, attribute) for attribute in keys.sort])
    return Operands(len(keys.partition), sort, lambda _, __: True)

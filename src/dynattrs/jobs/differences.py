"""What differs between two tables, as `Job.verify` tells it: names of attributes, and never a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias, get_args

import attrs

from dynattrs.jobs.work import Failure
from dynattrs.mapper.equality import comparable
from dynattrs.quoting import quoted
from dynattrs.schema.table import AttributeMap, AttributeValue

#: Where an item is, or that it is on both sides and differs.
Kind: TypeAlias = Literal["only here", "only there", "different"]

#: Of one item so many places are named.
_MOST: Final = 20


@attrs.frozen
class Difference:
    """An item that two tables have not alike.

    Attributes:
        kind: `"only here"`: the table of `with_` lacks it; `"only there"`: the job's table lacks it;
            `"different"`: both have it.
        key: Its primary key as an attribute map, with bytes in base64.
        model: The name of its model, where one is known.
        places: What differs: `plays`, `label.cities[0]`; at most twenty places.
    """

    kind: Kind
    key: Mapping[str, Any]
    model: str | None = None
    places: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = self.kind if self.kind != "different" else f"different: {', '.join(self.places)}"
        return f"{self.model or 'item'} {quoted(dict(self.key))}: {what}"


class Verified:
    """What comparing two tables has shown.

    Attributes:
        equal: Whether nothing differs, and everything could be compared.
        differences: The first 2,000 `Difference` objects of each step; the numbers count all.
        compared: How many items of the job's table were compared.
        only_here: How many of them the other table lacks.
        only_there: How many the other table has besides.
        different: How many are on both sides and differ.
        failures: How many could not be compared, because no model is known for them: `job.failures()`.
    """

    def __init__(
        self, counts: Mapping[str, int], failures: int, read: Callable[[], Iterator[Failure]]
    ) -> None:
        self.compared = counts.get("compared", 0)
        self.only_here, self.only_there, self.different = (counts.get(each, 0) for each in _KINDS)
        self.failures = max(0, failures - self.only_here - self.only_there - self.different)
        self._read = read

    @property
    def equal(self) -> bool:
        """Whether nothing differs, and everything could be compared."""
        return not (self.only_here or self.only_there or self.different or self.failures)

    @cached_property
    def differences(self) -> list[Difference]:
        """What differs. Of many in one place the first 2,000 are kept; the numbers count all."""
        return [found for each in self._read() if (found := difference_of(each)) is not None]

    def __repr__(self) -> str:
        if self.equal:
            return f"<Verified: {self.compared:,} items are equal>"
        parts = [
            f"{count:,} {what}"
            for count, what in (
                (self.different, "different"),
                (self.only_here, "only here"),
                (self.only_there, "only there"),
                (self.failures, "not compared"),
            )
            if count
        ]
        return f"<Verified: of {self.compared:,} items {', '.join(parts)}>"


_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


def difference_of(failure: Failure) -> Difference | None:
    """The difference that a line of a job's report tells; None where it tells of something else."""
    if failure.what not in _KINDS:
        return None
    return Difference(failure.what, failure.key or {}, failure.model, tuple(failure.places))


def places_that_differ(one: AttributeMap, other: AttributeMap) -> list[str]:
    """Where two items have not the same value to the service, as far in as both have lists and maps."""
    found: list[str] = []
    _look_into({"M": one}, {"M": other}, "", found)
    return sorted(found)[:_MOST]


def _look_into(one: AttributeValue, other: AttributeValue, place: str, found: list[str]) -> None:
    if comparable(one) == comparable(other):
        return
    ((tag, mine),) = one.items()
    theirs = other.get(tag)
    if tag == "M" and theirs is not None:
        for name in (*mine, *(each for each in theirs if each not in mine)):
            inside = f"{place}.{name}" if place else name
            if name in mine and name in theirs:
                _look_into(mine[name], theirs[name], inside, found)
            else:
                found.append(inside)
    elif tag == "L" and theirs is not None and len(mine) == len(theirs):
        for number, (a, b) in enumerate(zip(mine, theirs, strict=True)):
            _look_into(a, b, f"{place}[{number}]", found)
    else:
        found.append(place)

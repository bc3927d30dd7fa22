"""The hits of a search, and the error for an index that is not ready."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

from dynattrs.errors import InvalidRequest
from dynattrs.schema.vectors import Distance

T_co = TypeVar("T_co", covariant=True)


@attrs.frozen
class Hit(Generic[T_co]):
    """An item found by a search, and how near it is.

    Attributes:
        item: The item, in the form that `as_`, `select`, `keys` or `raw` asked for.
        score: The service's score, a 32-bit float. For `"cosine"` it is 1 minus the cosine of the angle,
            0 to 2, and for `"euclidean"` the distance: less is nearer. For `"dot"` it is the dot product:
            *more* is nearer.
        metric: The metric of the index: `"cosine"`, `"euclidean"` or `"dot"`.
    """

    item: T_co
    score: float
    metric: Distance

    @property
    def distance(self) -> float:
        """The score, or for `"dot"` the negative score: with every metric, a smaller number means a
        nearer item.
        """
        return -self.score if self.metric == "dot" else self.score


class IndexNotReady(InvalidRequest):
    """The vector index is being created or filled, and cannot be searched yet.

    `session.tables.create` and `update` wait until it can.
    """

    def _remedy(self) -> str:
        return "session.tables.update(...) waits until it is filled; then search again"

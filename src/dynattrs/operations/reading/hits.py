"""What a search finds, and why it may find nothing yet."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

from dynattrs.errors import InvalidRequest
from dynattrs.schema.vectors import Distance

T_co = TypeVar("T_co", covariant=True)


@attrs.frozen
class Hit(Generic[T_co]):
    """One item that a search has found, and how near it is.

    Attributes:
        item: The item, or what `as_`, `select`, `keys` or `raw` make of it.
        score: What the service says, as a 32-bit float: for `"cosine"` 1 minus the cosine of the angle, 0
            to 2, and for `"euclidean"` the distance, where less is nearer; for `"dot"` the dot product,
            where *more* is nearer.
        metric: Which of them it is, as the index was declared: `"cosine"`, `"euclidean"` or `"dot"`.
    """

    item: T_co
    score: float
    metric: Distance

    @property
    def distance(self) -> float:
        """A number that is less the nearer the item is, whatever the metric: the score, and the negative
        of a dot product.
        """
        return -self.score if self.metric == "dot" else self.score


class IndexNotReady(InvalidRequest):
    """The vector index is being created or filled, and cannot be searched yet.

    `session.tables.create` and `update` wait until it can.
    """

    def _remedy(self) -> str:
        return "session.tables.update(...) waits until it is filled; then search again"

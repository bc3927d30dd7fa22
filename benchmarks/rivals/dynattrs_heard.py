"""dynattrs where somebody listens to the client, so that each call goes through botocore's machinery."""

from __future__ import annotations

from typing import Any

from benchmarks.rivals import dynattrs_sync
from benchmarks.shapes import Shape

LABEL = "dynattrs, with a listener"
DISTRIBUTIONS = ()


class Songs(dynattrs_sync.Songs):
    def __init__(self, endpoint: str, table: str, shape: Shape) -> None:
        super().__init__(endpoint, table, shape)
        self.session.client.meta.events.register("before-call.dynamodb", _listen)

    def put(self, song: Any) -> None:
        super().put(song)
        assert not self.session.stats.direct, "a call went past the listener"


def _listen(**_: Any) -> None:
    """Hear of each call, and do nothing."""

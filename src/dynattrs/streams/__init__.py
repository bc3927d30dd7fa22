"""What happens to the items of a table: stream records as changes with objects, a Lambda handler, and
consumers that share a stream.
"""

# ruff: noqa: I001 - `A as A` stands beside others in one statement

from typing import TYPE_CHECKING

from dynattrs.deferral import public as _public
from dynattrs.streams.errors import (
    ConsumerStopped as ConsumerStopped,
    NoImage as NoImage,
    NoStream as NoStream,
    StreamGap as StreamGap,
)
from dynattrs.streams.kinds import (
    AnyChange as AnyChange,
    Change as Change,
    Inserted as Inserted,
    Modified as Modified,
    Removed as Removed,
    Unreadable as Unreadable,
)
from dynattrs.streams.lambda_events import handle as handle, handle_async as handle_async
from dynattrs.streams.reading import changes as changes

if TYPE_CHECKING:
    from dynattrs.streams.consumer import Consumer as Consumer
    from dynattrs.streams.consumer_events import (
        Checkpointed as Checkpointed,
        ConsumerEvent as ConsumerEvent,
        GapFound as GapFound,
        GaveUp as GaveUp,
        Handled as Handled,
        HandlerFailed as HandlerFailed,
        ShardLeft as ShardLeft,
        ShardTaken as ShardTaken,
    )
    from dynattrs.streams.consumer_options import Failure as Failure
    from dynattrs.streams.failed_changes import (
        FailedChange as FailedChange,
        FailedChanges as FailedChanges,
    )
    from dynattrs.streams.iterators import AsyncChanges as AsyncChanges, Changes as Changes
    from dynattrs.streams.shard_leases import ShardLease as ShardLease
else:
    # A Lambda function needs none of these.
    __getattr__, __all__ = _public(
        __name__,
        {
            "dynattrs.streams.consumer": ("Consumer",),
            "dynattrs.streams.consumer_events": (
                "Checkpointed", "ConsumerEvent", "GapFound", "GaveUp", "Handled", "HandlerFailed",
                "ShardLeft", "ShardTaken",
            ),
            "dynattrs.streams.consumer_options": ("Failure",),
            "dynattrs.streams.failed_changes": ("FailedChange", "FailedChanges"),
            "dynattrs.streams.iterators": ("AsyncChanges", "Changes"),
            "dynattrs.streams.shard_leases": ("ShardLease",),
        },
        modules=(),
    )  # fmt: skip

    def __dir__() -> list[str]:
        return __all__

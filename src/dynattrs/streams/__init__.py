"""What happens to the items of a table: stream records as changes with objects, and a Lambda handler."""

from dynattrs.streams.errors import NoImage, NoStream, StreamGap
from dynattrs.streams.kinds import AnyChange, Change, Inserted, Modified, Removed, Unreadable
from dynattrs.streams.lambda_events import handle, handle_async
from dynattrs.streams.reading import changes

__all__ = [
    "AnyChange",
    "Change",
    "Inserted",
    "Modified",
    "NoImage",
    "NoStream",
    "Removed",
    "StreamGap",
    "Unreadable",
    "changes",
    "handle",
    "handle_async",
]


def __dir__() -> list[str]:
    return __all__

"""What happens to the items of a table: stream records as changes with objects, and a Lambda handler."""

from dynattrs.streams.changes import (
    AnyChange as AnyChange,
)
from dynattrs.streams.changes import (
    Change as Change,
)
from dynattrs.streams.changes import (
    Inserted as Inserted,
)
from dynattrs.streams.changes import (
    Modified as Modified,
)
from dynattrs.streams.changes import (
    Removed as Removed,
)
from dynattrs.streams.changes import (
    Unreadable as Unreadable,
)
from dynattrs.streams.errors import NoImage as NoImage
from dynattrs.streams.lambda_events import handle as handle
from dynattrs.streams.lambda_events import handle_async as handle_async
from dynattrs.streams.reading import changes as changes

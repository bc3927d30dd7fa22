"""What can go wrong with changes, besides what can go wrong with items."""

from __future__ import annotations

from attrs import define

from dynattrs.errors import DynattrsError

_VIEWS = {
    "KEYS_ONLY": "only keys",
    "NEW_IMAGE": "new images and no old ones",
    "OLD_IMAGE": "old images and no new ones",
}


@define(eq=False, slots=False, repr=False)
class NoImage(DynattrsError, LookupError):
    """A change was asked for an image that its stream does not carry.

    Attributes:
        model: The model's name.
        change: `Inserted`, `Modified` or `Removed`.
        image: `old` or `new`.
        view: What the stream carries, as the service calls it; None where the record does not say it.
    """

    model: str
    change: str
    image: str
    view: str | None

    def __str__(self) -> str:
        if self.view is None:
            said = "its record carries none"
        else:
            said = f"the stream's view is {self.view}: {_VIEWS.get(self.view, 'other images')}"
        wanted = "new and old" if self.change == "Modified" else self.image
        return (
            f"{self.change} {self.model}: it has no {self.image} image, because {said}; declare the table "
            f"with stream={wanted!r}, or get the item by change.key"
        )


@define(eq=False, slots=False, repr=False)
class NoStream(DynattrsError, LookupError):
    """A table whose changes were asked for has no stream, or has none any more.

    Attributes:
        table: The table's name at the service.
    """

    table: str

    def __str__(self) -> str:
        return (
            f'the table {self.table!r} has no stream: declare Table(..., stream="new and old") and call '
            f"session.tables.update(...), which switches it on; changes made until then are in no stream"
        )


@define(eq=False, slots=False, repr=False)
class StreamGap(DynattrsError, LookupError):
    """Changes may be missing: a stream keeps its records for 24 hours, and what is wanted next is older; or
    the stream was switched off and on again, which makes another one.

    What was made of the changes so far (an index, a cache) must be rebuilt from the table, or compared
    with it. An iterator of `session.changes` goes on behind the gap when it is asked for the next change.

    Attributes:
        table: The table's name at the service.
        arn: The stream's ARN.
        shard: The shard's ID; None where the stream itself is gone or at its end.
        after: The sequence number of the last record before the gap; None where none is known.
        until: The sequence number of the first record behind the gap; None if unknown. Without a
            shard, when the stream was switched on.
        new_arn: The ARN of the stream that the table has now, where that is another one.
    """

    table: str
    arn: str
    shard: str | None = None
    after: str | None = None
    until: str | None = None
    new_arn: str | None = None

    def __str__(self) -> str:
        if self.new_arn is not None:
            return (
                f"changes of the table {self.table!r} may be missing: it has another stream now, "
                f"{self.new_arn}, and what was changed between that one and {self.arn} may be in neither, "
                f"because its stream was switched off and on, or it was made anew. {_GO_ON}"
            )
        if self.shard is None and self.until is not None:
            return (
                f"changes of the table {self.table!r} may be missing: its stream {self.arn} was switched on "
                f"at {self.until}, which is later than the beginning that was asked for. {_GO_ON}"
            )
        if self.shard is None:
            return (
                f"changes of the table {self.table!r} may be missing: its stream {self.arn} is gone, or was "
                f"not read for longer than records are kept, which is 24 hours. {_GO_ON}"
            )
        after = "its beginning" if self.after is None else f"the record {self.after}"
        until = "what is left of it" if self.until is None else f"the record {self.until}"
        return (
            f"changes of the table {self.table!r} may be missing, between {after} and {until} in the shard "
            f"{self.shard} of {self.arn}: records are kept for 24 hours. {_GO_ON}"
        )


_GO_ON = (
    "Make anew, from the table, what was made of its changes, or compare; asking the same iterator for the "
    "next change goes on behind the gap"
)


@define(eq=False, slots=False, repr=False)
class ConsumerStopped(DynattrsError):
    """A consumer has stopped because a change could not be handled. The cause is what the handler raised.

    What was handled before it is written down. The next consumer begins with this change.

    Attributes:
        consumer: The consumers' name.
        table: The table's name at the service.
        shard: The shard's ID.
        sequence_number: The record's.
        tries: How often the handler was called with it; 0 where the record could not be read.
    """

    consumer: str
    table: str
    shard: str
    sequence_number: str
    tries: int

    def __str__(self) -> str:
        why = f"its handler failed {self.tries} times with" if self.tries else "it cannot read"
        return (
            f"the consumer {self.consumer!r} of the table {self.table!r} stopped: {why} the record "
            f"{self.sequence_number} of shard {self.shard}: {self.__cause__!r}; mend the handler and run it "
            f'again, or say Consumer(on_error="skip") or on_error=FailedChanges()'
        )

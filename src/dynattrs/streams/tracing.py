"""A span for each batch of records, where the program traces with OpenTelemetry.

It asks whether the program has imported OpenTelemetry, and never does so itself: a program that does not
trace pays nothing. Names follow the conventions for messages:
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Sequence
from typing import Any, Protocol

from dynattrs.streams.kinds import Unreadable
from dynattrs.streams.records import Record


class Batch:
    """What a span says of a batch: how many records, the tables, and nothing of their items."""

    def __init__(self, records: Sequence[Record | Unreadable]) -> None:
        self._records = records

    @property
    def name(self) -> str:
        tables = self.tables
        return f"process {tables[0]}" if len(tables) == 1 else "process"

    @property
    def tables(self) -> list[str]:
        return list(dict.fromkeys(each.table for each in self._records if each.table is not None))

    def attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "messaging.system": "aws.dynamodb",
            "messaging.operation.type": "process",
            "messaging.operation.name": "process",
            "messaging.batch.message_count": len(self._records),
        }
        if len(self.tables) == 1:
            found["messaging.destination.name"] = self.tables[0]
        return found

    def links(self, link: Any, context: Any) -> list[Any]:
        """A link to each record, which is known by its number: records carry no trace."""
        return [
            link(context, {"dynattrs.record.sequence_number": each.sequence_number})
            for each in self._records
        ]


class Span(Protocol):
    """The span of a batch."""

    def failed(self, error: Exception) -> None: ...


class _NoSpan:
    def failed(self, error: Exception) -> None: ...


class _OpenSpan:
    def __init__(self, span: Any, status: Any) -> None:
        self._span, self._status = span, status

    def failed(self, error: Exception) -> None:
        self._span.set_attribute("error.type", type(error).__qualname__)
        self._span.set_status(self._status)


@contextlib.contextmanager
def batch_span(batch: Batch, provider: Any = None) -> Generator[Span, None, None]:
    """The span that a batch is handled in: the current one meanwhile."""
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        yield _NoSpan()
        return
    tracer = trace.get_tracer("dynattrs", tracer_provider=provider)
    links = batch.links(trace.Link, trace.INVALID_SPAN_CONTEXT)
    with tracer.start_as_current_span(
        batch.name, kind=trace.SpanKind.CONSUMER, attributes=batch.attributes(), links=links
    ) as span:
        yield _OpenSpan(span, trace.StatusCode.ERROR)

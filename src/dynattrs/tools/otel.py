"""OpenTelemetry: a span for each request, and metrics, by its conventions for DynamoDB.

It needs `dynattrs[otel]`, which is OpenTelemetry's API only: where spans and metrics go is decided by
the program that sets up the SDK. It is built on `session.on`, and so exports nothing of what items
hold: no keys, no values, no conditions.

Names and attributes: https://opentelemetry.io/docs/specs/semconv/database/dynamodb/ and
https://opentelemetry.io/docs/specs/semconv/database/database-metrics/
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs

from dynattrs.errors import MissingExtra
from dynattrs.events import AfterSend, BeforeSend, Flush, Retry

try:
    from opentelemetry import context, metrics, trace
except ImportError as _error:
    raise MissingExtra("otel", "opentelemetry") from _error

if TYPE_CHECKING:
    from dynattrs.aio import AsyncSession
    from dynattrs.session.session import Session

# The buckets that the conventions ask for.
_SECONDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
_ROWS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
#: What many items go through at once has a size by them. A batch of one is none.
_BATCHES: Final = frozenset(
    {
        "BatchExecuteStatement",
        "BatchGetItem",
        "BatchWriteItem",
        "ExecuteTransaction",
        "TransactGetItems",
        "TransactWriteItems",
    }
)
_READS: Final = frozenset(
    {
        "BatchExecuteStatement",
        "BatchGetItem",
        "ExecuteStatement",
        "ExecuteTransaction",
        "GetItem",
        "Query",
        "Scan",
        "SearchVectors",
        "TransactGetItems",
    }
)
_PORTS: Final = {"http": 80, "https": 443}


def instrument(
    session: Session | AsyncSession,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> Callable[[], None]:
    """Give each request of a session a span, and count and time it.

    A span is called `DynamoDB.PutItem`, is of the kind CLIENT, and lies inside the span that is
    current where the verb is called, also for batches that are sent beside the caller. While the
    request is under way it is the current one itself. What is sent again is an event of it.

    The metrics are `db.client.operation.duration` (seconds), `db.client.response.returned_rows`,
    and of dynattrs' own `dynattrs.client.consumed_capacity` (capacity units),
    `dynattrs.client.retries` and `dynattrs.client.writes` (gathered writes, by outcome).

    Args:
        session: A `Session` or an `AsyncSession`, with all of its batches.
        tracer_provider: Where spans go; without it the program's own provider.
        meter_provider: Where metrics go; without it the program's own provider.

    Returns:
        A function that ends it.
    """
    made = _Instruments(
        trace.get_tracer("dynattrs", tracer_provider=tracer_provider),
        metrics.get_meter("dynattrs", meter_provider=meter_provider),
        _server(getattr(session, "client", None)),
    )
    ends = [
        session.on("before_send", made.before_send),
        session.on("after_send", made.after_send),
        session.on("retry", made.retry),
        session.on("flush", made.flush),
    ]

    def end() -> None:
        for each in ends:
            each()
        made.close()

    return end


def _server(client: object) -> dict[str, Any]:
    """Where requests go, by what the client was made with."""
    meta = getattr(client, "meta", None)
    found: dict[str, Any] = {}
    if region := getattr(meta, "region_name", None):
        found["cloud.region"] = region
    url = urlsplit(getattr(meta, "endpoint_url", None) or "")
    if url.hostname:
        found["server.address"] = url.hostname
        port = url.port or _PORTS.get(url.scheme)
        if port is not None and port != 443:
            found["server.port"] = port
    return found


@attrs.frozen
class _Running:
    span: trace.Span
    token: Any


class _Instruments:
    """The listeners. A request is announced and ended in one thread or task."""

    def __init__(self, tracer: trace.Tracer, meter: metrics.Meter, server: dict[str, Any]) -> None:
        self._tracer = tracer
        self._server = server
        self._metric_server = {
            name: value for name, value in server.items() if name.startswith("server.")
        }
        self._running: dict[int, _Running] = {}
        self._duration = meter.create_histogram(
            "db.client.operation.duration",
            unit="s",
            description="Duration of database client operations.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._rows = meter.create_histogram(
            "db.client.response.returned_rows",
            unit="{row}",
            description="The actual number of records returned by the database operation.",
            explicit_bucket_boundaries_advisory=_ROWS,
        )
        self._capacity = meter.create_counter(
            "dynattrs.client.consumed_capacity",
            unit="{capacity_unit}",
            description="Capacity units consumed, by table.",
        )
        self._retries = meter.create_counter(
            "dynattrs.client.retries", unit="{retry}", description="What was sent again, by reason."
        )
        self._writes = meter.create_counter(
            "dynattrs.client.writes", unit="{item}", description="Gathered writes, by outcome."
        )

    def before_send(self, event: BeforeSend) -> None:
        attributes: dict[str, Any] = {
            **_common(event),
            **self._server,
            "rpc.system": "aws-api",
            "rpc.service": "DynamoDB",
            "rpc.method": event.operation,
        }
        if event.tables:
            attributes["aws.dynamodb.table_names"] = event.tables
        if event.operation in _BATCHES and event.count > 1:
            attributes["db.operation.batch.size"] = event.count
        span = self._tracer.start_span(
            f"DynamoDB.{event.operation}", kind=trace.SpanKind.CLIENT, attributes=attributes
        )
        token = context.attach(trace.set_span_in_context(span))
        self._running[event.request] = _Running(span, token)

    def after_send(self, event: AfterSend) -> None:
        running = self._running.pop(event.request, None)
        if running is not None:
            context.detach(running.token)
            _describe(running.span, event)
            running.span.end()
        attributes = {**_common(event), **self._metric_server}
        if event.error is not None:
            attributes["error.type"] = event.error
            if event.request_id:
                attributes["db.response.status_code"] = event.error
        self._duration.record(event.seconds, attributes)
        if event.error is None and event.operation in _READS:
            self._rows.record(event.returned, attributes)
        for table, units in event.by_table.items():
            names = {"db.collection.name": table} if table else {}
            self._capacity.add(units, {**_common(event), **names})

    def retry(self, event: Retry) -> None:
        running = self._running.get(event.request or 0)
        span = trace.get_current_span() if running is None else running.span
        about: dict[str, Any] = {
            "error.type": event.error,
            "dynattrs.retry.attempt": event.attempt,
            "dynattrs.retry.by": event.by,
            "dynattrs.retry.count": event.count,
        }
        span.add_event("retry", {**about, "db.operation.name": event.operation})
        why = {"error.type": event.error, "dynattrs.retry.by": event.by}
        self._retries.add(1, {**_common(event), **why})

    def flush(self, event: Flush) -> None:
        for outcome in ("saved", "deleted", "failed"):
            if count := getattr(event, outcome):
                self._writes.add(
                    count, {"db.system.name": "aws.dynamodb", "dynattrs.outcome": outcome}
                )

    def close(self) -> None:
        """End the spans of requests that are under way: their end is not heard of any more."""
        while self._running:
            _, running = self._running.popitem()
            running.span.end()


def _common(event: BeforeSend | AfterSend | Retry) -> dict[str, Any]:
    found = {"db.system.name": "aws.dynamodb", "db.operation.name": event.operation}
    if len(event.tables) == 1:
        found["db.collection.name"] = event.tables[0]
    return found


def _describe(span: trace.Span, event: AfterSend) -> None:
    """What the answer says."""
    if event.by_table:
        span.set_attribute(
            "aws.dynamodb.consumed_capacity",
            [
                json.dumps({"TableName": table, "CapacityUnits": units})
                for table, units in event.by_table.items()
            ],
        )
    if event.matched is not None:
        span.set_attribute("aws.dynamodb.count", event.matched)
    if event.scanned is not None:
        span.set_attribute("aws.dynamodb.scanned_count", event.scanned)
    if event.operation in _READS and event.error is None:
        span.set_attribute("db.response.returned_rows", event.returned)
    if event.request_id:
        span.set_attribute("aws.request_id", event.request_id)
    if event.error is not None:
        span.set_attribute("error.type", event.error)
        if event.request_id:  # else nothing answered, and the error is not a code of the service's
            span.set_attribute("db.response.status_code", event.error)
        span.set_status(trace.StatusCode.ERROR, event.error)

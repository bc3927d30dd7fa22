"""Spans and metrics of OpenTelemetry, as the SDK's exporters in memory get them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dynattrs import ConditionFailed, Session, model, partition_key
from dynattrs.tools import otel
from stream_records import record


@model("watched")
class Note:
    id: str = partition_key()
    text: str = ""


class Watched:
    """A session that is instrumented, and what came of it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.end = otel.instrument(
            session, tracer_provider=self.tracers, meter_provider=self.meters
        )
        self.tracer = self.tracers.get_tracer("test")

    def spans(self, name: str | None = None) -> list[Any]:
        return [span for span in self.exporter.get_finished_spans() if name in (None, span.name)]

    def points(self, metric: str) -> list[Any]:
        data = self.reader.get_metrics_data()
        assert data is not None
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for each in scope.metrics
            if each.name == metric
            for point in each.data.data_points
        ]


@pytest.fixture
def watched(client: Any, table_prefix: str) -> Iterator[Watched]:
    session = Session(client=client, table_prefix=table_prefix)
    session.tables.create(Note)
    made = Watched(session)
    yield made
    made.end()
    made.tracers.shutdown()
    made.meters.shutdown()
    session.close()


def test_a_request_is_a_span_inside_the_current_one(watched: Watched, client: Any):
    with watched.tracer.start_as_current_span("checkout") as parent:
        watched.session.save(Note("a"))

    [span] = watched.spans("DynamoDB.PutItem")
    table = watched.session._core.table_prefix + "watched"
    assert span.kind is trace.SpanKind.CLIENT
    assert span.parent.span_id == parent.get_span_context().span_id
    attributes = dict(span.attributes)
    assert attributes.pop("aws.request_id")
    [capacity] = attributes.pop("aws.dynamodb.consumed_capacity")
    assert capacity == f'{{"TableName": "{table}", "CapacityUnits": 1.0}}'
    host, _, port = client.meta.endpoint_url.removeprefix("http://").partition(":")
    assert attributes == {
        "db.system.name": "aws.dynamodb",
        "db.operation.name": "PutItem",
        "db.collection.name": table,
        "rpc.system": "aws-api",
        "rpc.service": "DynamoDB",
        "rpc.method": "PutItem",
        "cloud.region": "us-east-1",
        "server.address": host,
        "server.port": int(port),
        "aws.dynamodb.table_names": (table,),
    }


def test_batches_that_are_sent_beside_the_caller_lie_inside_its_span(watched: Watched):
    with watched.tracer.start_as_current_span("import") as parent:
        watched.session.save_all(Note(str(number)) for number in range(60))
        assert trace.get_current_span() is parent

    spans = watched.spans("DynamoDB.BatchWriteItem")
    assert sorted(span.attributes["db.operation.batch.size"] for span in spans) == [10, 25, 25]
    assert {span.parent.span_id for span in spans} == {parent.get_span_context().span_id}


def test_what_a_query_read_and_returned_is_on_its_span(watched: Watched):
    watched.session.save_all(Note(str(number), "x" * number) for number in range(5))

    assert watched.session.scan(Note).filter(Note.text == "xx").count() == 1
    assert len(watched.session.scan(Note).all()) == 5

    counting, reading = watched.spans("DynamoDB.Scan")
    assert counting.attributes["aws.dynamodb.count"] == 1
    assert counting.attributes["aws.dynamodb.scanned_count"] == 5
    assert counting.attributes["db.response.returned_rows"] == 0
    assert reading.attributes["db.response.returned_rows"] == 5


def test_a_request_that_fails_is_an_error_with_the_services_code_and_without_values(
    watched: Watched,
):
    watched.session.save(Note("secret"))

    with pytest.raises(ConditionFailed):
        watched.session.insert(Note("secret", "secret"))

    _, span = watched.spans("DynamoDB.PutItem")
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.attributes["error.type"] == "ConditionalCheckFailedException"
    assert span.attributes["db.response.status_code"] == "ConditionalCheckFailedException"
    assert "secret" not in "".join(each.to_json() for each in watched.spans())
    assert "secret" not in repr(watched.reader.get_metrics_data())


def test_a_request_without_an_answer_has_an_error_type_and_no_status(
    table_prefix: str, client: Any
):
    lost = boto3.client(
        "dynamodb", region_name="us-east-1", endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="x", aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    session = Session(client=lost, table_prefix=table_prefix)
    watched = Watched(session)

    with pytest.raises(Exception, match="GetItem"):
        session.get(Note, "a")

    [span] = watched.spans("DynamoDB.GetItem")
    assert span.attributes["error.type"] == "ConnectionFailed"
    assert "db.response.status_code" not in span.attributes
    watched.end()
    session.close()
    lost.close()


def test_what_is_sent_again_is_an_event_of_the_span_and_counted(
    watched: Watched, faults: Any, client_arguments: dict[str, Any]
):
    client = boto3.client("dynamodb", **{**client_arguments, "endpoint_url": faults.endpoint})
    shaky = Session(client=client, table_prefix=watched.session._core.table_prefix)
    telling = Watched(shaky)
    faults.throttle("BatchWriteItem", times=2)

    with telling.tracer.start_as_current_span("import"):
        shaky.save_all([Note("a")])

    [parent] = telling.spans("import")
    assert [event.name for event in parent.events] == ["retry", "retry"]
    assert parent.events[1].attributes["dynattrs.retry.attempt"] == 2
    [point] = telling.points("dynattrs.client.retries")
    assert point.value == 2
    assert point.attributes["db.operation.name"] == "BatchWriteItem"
    failed = [span for span in telling.spans("DynamoDB.BatchWriteItem") if not span.status.is_ok]
    assert len(failed) == 2
    telling.end()
    shaky.close()
    client.close()


def test_requests_are_timed_counted_and_charged(watched: Watched):
    watched.session.save_all(Note(str(number)) for number in range(30))
    watched.session.get(Note, "1")

    durations = {
        point.attributes["db.operation.name"]: point
        for point in watched.points("db.client.operation.duration")
    }
    assert durations["BatchWriteItem"].count == 2
    assert durations["GetItem"].count == 1
    assert durations["GetItem"].sum > 0
    assert durations["GetItem"].explicit_bounds == (
        0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0
    )  # fmt: skip
    [rows] = watched.points("db.client.response.returned_rows")
    assert (rows.count, rows.sum) == (1, 1)
    capacity = {
        point.attributes["db.operation.name"]: point.value
        for point in watched.points("dynattrs.client.consumed_capacity")
    }
    assert capacity["BatchWriteItem"] == 30
    [writes] = watched.points("dynattrs.client.writes")
    assert (writes.value, writes.attributes["dynattrs.outcome"]) == (30, "saved")


def test_nothing_is_told_any_more_when_it_was_ended(watched: Watched):
    watched.end()
    watched.end()

    watched.session.save(Note("a"))

    assert watched.spans() == []


def test_without_the_api_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import dynattrs\n"
        "try:\n    import dynattrs.tools.otel\n"
        "except dynattrs.MissingExtra as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert "pip install 'dynattrs[otel]'" in done.stdout


def test_dynattrs_itself_does_not_import_opentelemetry():
    code = "import dynattrs, sys; print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "False"


def test_a_batch_of_changes_has_a_span():
    from dynattrs.streams import handle

    exporter = InMemorySpanExporter()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    new = {"id": {"S": "1"}, "text": {"S": "hi"}}
    event = [record(new=new, key=["id"], table="watched", number=n) for n in (5, 6)]
    inside = []

    def note(change: Any) -> None:
        inside.append(trace.get_current_span().get_span_context().span_id)
        if change.sequence_number == "6":
            raise ValueError("no")

    handle(event, Note, note, tracer_provider=tracers)

    [span] = exporter.get_finished_spans()
    assert span.context is not None
    assert inside == [span.context.span_id] * 2
    assert span.name == "process watched"
    assert span.kind is trace.SpanKind.CONSUMER
    assert dict(span.attributes or {}) == {
        "messaging.system": "aws.dynamodb",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.batch.message_count": 2,
        "messaging.destination.name": "watched",
        "error.type": "ValueError",
    }
    assert span.status.status_code is trace.StatusCode.ERROR
    numbers = [dict(link.attributes or {}) for link in span.links]
    assert numbers == [{"dynattrs.record.sequence_number": n} for n in ("5", "6")]
    assert "hi" not in span.to_json()

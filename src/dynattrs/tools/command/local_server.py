"""`local`: the embedded engine on a port of this machine."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Final

import click

from dynattrs.session.session import Session
from dynattrs.tools.command.options import TABLE_PREFIX, debugged
from dynattrs.tools.command.outcomes import OK, note
from dynattrs.tools.command.subjects import Subjects, SubjectsType
from dynattrs.wire.local_engine import start

_REGION: Final = "us-east-1"


@click.command()
@click.argument("subjects", metavar="[MODULE:NAME]...", type=SubjectsType(), nargs=-1)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="The port on 127.0.0.1; 0 for a free one.",
)
@TABLE_PREFIX
@debugged
def local(subjects: tuple[Subjects, ...], port: int, table_prefix: str) -> int:
    """Run DynamoDB in memory on this machine until Ctrl-C, with the tables of models.

    It takes any credentials and any region: all see the same tables. It is for trying out and for tests,
    and more lenient than the service.
    """
    import boto3

    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    former = {each: signal.signal(each, end) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        with start(port=port, everyone=True) as engine:
            client = boto3.client("dynamodb", **engine.client_arguments)  # type: ignore[call-overload]
            with Session(client=client, table_prefix=table_prefix) as session:
                declared = [each for named in subjects for each in named.declarations]
                if declared:
                    session.tables.create(*declared)
            client.close()
            click.echo(
                f"export AWS_ENDPOINT_URL_DYNAMODB={engine.endpoint_url} "
                f"AWS_ENDPOINT_URL_DYNAMODB_STREAMS={engine.endpoint_url}\n"
                f"export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION={_REGION}"
            )
            note(f"DynamoDB is at {engine.endpoint_url}, in memory. Ctrl-C ends it.")
            ended.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    note("Ended; what was stored is gone.")
    return OK
